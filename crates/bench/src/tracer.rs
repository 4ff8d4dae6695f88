//! Programs that look at the server from outside until they are interrupted.

use std::process::{Child, Command, Stdio};

/// Starts one, if it is there.
pub fn start(command: &mut Command) -> Option<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

/// Interrupts one, and waits until it has written down what it saw.
pub fn interrupt(mut tracer: Child) -> Option<()> {
    Command::new("kill").args(["-INT", &tracer.id().to_string()]).status().ok()?;
    tracer.wait().ok().map(drop)
}

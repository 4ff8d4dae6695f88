//! Where the time of a request goes: stacks that `perf` has seen, counted by what they were at.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::server::Server;
use crate::tracer::{interrupt, start};
use crate::work::{Load, Work, once};

/// How long is waited until the sampler holds all threads.
const ATTACH: Duration = Duration::from_millis(500);

/// How often it looks, in a second of a processor.
const SAMPLES_PER_SECOND: &str = "997";

/// How it finds the callers: by what the compiler tells about frames, in so many bytes of the stack.
const CALLERS: &str = "dwarf,16384";

/// A part of a request: stacks of a thread, or with this and that function on them.
struct Part {
    name: &'static str,
    thread: &'static str,
    functions: &'static [&'static str],
}

const fn part(name: &'static str, functions: &'static [&'static str]) -> Part {
    Part { name, thread: "", functions }
}

/// The parts, from the inside to the outside: a stack belongs to the first one that it fits. Threads are called what
/// the kernel keeps of their names.
const PARTS: &[Part] = &[
    Part { name: "commit of the group: the sync", thread: "calotype-commit", functions: &["sync"] },
    Part { name: "commit of the group: all else", thread: "calotype-commit", functions: &[] },
    Part { name: "moving pages to the file", thread: "calotype-checkp", functions: &[] },
    part("statements that read: locks of the log", &["SqliteTx::query", "fcntl"]),
    part("statements that read: all else", &["SqliteTx::query"]),
    part("statements that write", &["SqliteTx::change"]),
    part("the line of the audit: writing it", &["audit::Audit", "write_all"]),
    part("the line of the audit: all else", &["audit::Audit"]),
    part("the operation itself: all else", &["calotype::service::"]),
    part("the answer", &["wire::reply"]),
    part("reading and verifying the request", &["operations::answer"]),
    part("sending the answer", &["poll_flush"]),
    part("HTTP, and receiving the request", &["hyper"]),
    part("the rest", &[]),
];

/// The names of the parts, in their order.
pub fn parts() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|part| part.name)
}

/// The share of each part in the time of a work on processors; nothing if there is no sampler.
///
/// # Errors
/// A text.
pub async fn shares(
    server: &Server,
    work: &Work<'_>,
    load: Load,
    folder: &Path,
) -> Outcome<Option<Vec<f64>>> {
    let data = folder.join("perf.data");
    let Some(sampler) = attach(server.id(), &data) else { return Ok(None) };
    tokio::time::sleep(ATTACH).await;
    let sample = once(server, work, load).await;
    let stacks = detach(sampler, &data);
    sample?;
    Ok(stacks.as_deref().map(count))
}

fn attach(process: u32, data: &Path) -> Option<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "--freq", SAMPLES_PER_SECOND, "--call-graph", CALLERS]);
    command.args(["--pid", &process.to_string(), "--output"]).arg(data);
    start(&mut command)
}

/// Ends the sampler; gives the stacks as it writes them down.
fn detach(sampler: Child, data: &Path) -> Option<String> {
    interrupt(sampler)?;
    let mut command = Command::new("perf");
    command.args(["script", "--no-inline", "--fields", "comm,ip,sym", "--input"]).arg(data);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The share of each part in these stacks: a thread, its functions below it, and an empty line each.
fn count(stacks: &str) -> Vec<f64> {
    let mut counts = vec![0.0; PARTS.len()];
    for stack in stacks.split("\n\n").filter(|stack| !stack.trim().is_empty()) {
        let (thread, functions) = stack.trim_start().split_once('\n').unwrap_or((stack, ""));
        let fits = |part: &Part| {
            thread.starts_with(part.thread) && part.functions.iter().all(|name| functions.contains(name))
        };
        if let Some(place) = PARTS.iter().position(fits) {
            counts[place] += 1.0;
        }
    }
    let all: f64 = counts.iter().sum();
    counts.iter().map(|count| count / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_belongs_to_the_first_part_that_it_fits() {
        let stacks = "\
calotype-commit \n\t1 fsync\n\t2 commit_groups\n
calotype-commit \n\t1 memcpy\n\t2 commit_groups\n
tokio-rt-worker \n\t1 fcntl64\n\t2 calotype_store::db::sqlite::SqliteTx::query\n\t3 calotype::operations::answer\n
tokio-rt-worker \n\t1 memcpy\n\t3 calotype::operations::answer::{{closure}}\n\n";
        let shares: Vec<_> = parts().zip(count(stacks)).filter(|(_, share)| *share > 0.0).collect();
        let quarter = [
            "commit of the group: the sync",
            "commit of the group: all else",
            "statements that read: locks of the log",
            "reading and verifying the request",
        ];
        assert_eq!(shares, quarter.map(|name| (name, 0.25)));
    }
}

//! How often a server waits for the disk, counted from outside.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::Outcome;
use crate::server::Server;
use crate::tracer::{interrupt, start};
use crate::work::{Load, Work, warm};

/// How long is waited for the tracer to hold all threads.
const ATTACH: Duration = Duration::from_millis(300);

/// Calls of fsync and fdatasync for each request of a tenth of a repetition; nothing if there is no tracer.
///
/// # Errors
/// A text.
pub async fn per_request(
    server: &Server,
    work: &Work<'_>,
    load: Load,
    folder: &Path,
) -> Outcome<Option<f64>> {
    let table = folder.join("fsyncs.txt");
    let Some(tracer) = attach(server.id(), &table) else { return Ok(None) };
    tokio::time::sleep(ATTACH).await;
    let count = warm(server, work, load).await;
    let calls = detach(tracer, &table);
    let count = count?;
    Ok(calls.map(|calls| calls / count))
}

fn attach(process: u32, table: &Path) -> Option<Child> {
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-e", "trace=fsync,fdatasync", "-p", &process.to_string(), "-o"]).arg(table);
    start(&mut command)
}

/// Ends the tracer, which then writes its table.
fn detach(tracer: Child, table: &Path) -> Option<f64> {
    interrupt(tracer)?;
    let text = fs::read_to_string(table).ok()?;
    let calls = text.lines().filter(|line| line.ends_with(" fsync") || line.ends_with(" fdatasync"));
    Some(calls.filter_map(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok()).sum())
}

//! Peers: other services that keep images, to be measured beside this one. They run on loopback and end with this.

pub mod client;
pub mod glance;
pub mod moto;
pub mod postgres;
pub mod process;
pub mod python;

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::Outcome;
use crate::load::Requests;
use process::{Process, bound};
use python::Python;

/// How often it is looked whether a server answers, and the time between two looks.
const LOOKS_MAX: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// A service that is measured beside this one.
pub trait Peer {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Its version, that of what it runs on, and how it is run.
    fn version(&self) -> &str;

    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// The processes that all of it descends from.
    fn processes(&self) -> Vec<u32>;

    /// Makes so many images over its API; gives the requests that delete them.
    ///
    /// # Errors
    /// A text.
    fn images(&self, count: u64) -> Outcome<Requests>;

    /// Its time on processors so far.
    ///
    /// # Errors
    /// A text.
    fn cpu(&self) -> Outcome<Duration> {
        process::cpu(&self.processes())
    }
}

/// An application in Python, run by gunicorn, which keeps connections open.
struct Application<'a> {
    name: &'a str,
    workers: usize,
    threads: usize,
    environment: &'a [(&'a str, &'a Path)],
}

impl Application<'_> {
    /// Starts it and waits until it answers this request.
    fn start(&self, python: &Python, address: SocketAddr, folder: &Path, request: &[u8]) -> Outcome<Process> {
        let mut command = bound(&python.program("gunicorn"), None);
        command.args(["--worker-class", "gthread", "--log-level", "warning", "--keep-alive", "75"]);
        command.args(["--no-control-socket", "--bind", &address.to_string()]);
        command.args(["--workers", &self.workers.to_string(), "--threads", &self.threads.to_string()]);
        command.arg(self.name).envs(self.environment.iter().copied()).current_dir(folder);
        let log = folder.join("gunicorn.log");
        let mut process = Process::start(command, &log, "INT")?;
        for _ in 0..LOOKS_MAX {
            if client::status(address, request).is_ok_and(|status| status == 200) {
                return Ok(process);
            }
            if process.has_ended() {
                break;
            }
            sleep(PAUSE);
        }
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("{} does not start: {told}", self.name))
    }
}

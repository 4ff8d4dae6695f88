//! A PostgreSQL server of the tests' or the benchmark's own, on loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Outcome, debian, run};

/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How often it is looked whether the server has started, and the time between two looks.
const LOOKS_MAX: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether what is committed is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// It is: this is measured.
    Synced,
    /// It need not be: what the server keeps is gone with the tests, so nothing waits for a disk.
    Unsynced,
}

/// A server that ends, with all that is in it, when this is dropped.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server, after installing the package if there is none.
    pub(crate) fn start(disk: Disk) -> Result<Self, String> {
        let programs = match programs() {
            Some(programs) => programs,
            None => install()?,
        };
        let folder = std::env::temp_dir().join(format!("calotype-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        // The server refuses to run as root.
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let data = folder.join("data");
        let options =
            ["--username=calotype", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        run(unprivileged(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(options)
            .stdout(Stdio::null()))?;
        let port = free_port()?;
        let mut command = unprivileged(&programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(&folder).arg("-p").arg(port.to_string());
        let fsync = if disk == Disk::Synced { "fsync=on" } else { "fsync=off" };
        let settings = ["listen_addresses=127.0.0.1", "max_connections=300", "log_min_messages=fatal"];
        for setting in settings.into_iter().chain([fsync, "synchronous_commit=on"]) {
            command.arg("-c").arg(setting);
        }
        let server = command.stderr(Stdio::null()).spawn().map_err(|error| format!("postgres: {error}"))?;
        let started = Self { server, folder, port };
        started.wait(&programs)?;
        Ok(started)
    }

    /// The address of the database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://calotype@127.0.0.1:{}/postgres", self.port)
    }

    fn wait(&self, programs: &Path) -> Outcome {
        for _ in 0..LOOKS_MAX {
            let mut ready = Command::new(programs.join("pg_isready"));
            ready.args(["--quiet", "--host", "127.0.0.1", "--port", &self.port.to_string()]);
            if ready.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err("PostgreSQL does not start".to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its processes end with it.
        drop(self.server.kill());
        drop(self.server.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// The programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.filter_map(Result::ok);
    let programs = versions.map(|version| version.path().join("bin"));
    programs.filter(|programs| programs.join("postgres").exists()).max()
}

fn install() -> Result<PathBuf, String> {
    debian::install(&[("/usr/lib/postgresql/15/bin/postgres", "postgresql-15")])?;
    programs().ok_or_else(|| "the tests need PostgreSQL: install Debian's package postgresql".to_owned())
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("--user").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The program, as somebody who is not root.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    // With its parent it ends, even if that one is killed.
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL"]).arg(program);
    command
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

//! A PostgreSQL server of Glance's own, on loopback, durable as it comes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::process::{Process, bound, finish};
use crate::Outcome;
use crate::installation::failed;
use crate::machine::output;
use crate::server::free_address;

/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How often it is looked whether the server has started, and the time between two looks.
const LOOKS_MAX: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// The statistics are whole when the server has done nothing for so long.
const STATISTICS: Duration = Duration::from_secs(11);

/// A database server, which ends when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    port: u16,
    process: Process,
}

impl Postgres {
    /// Starts a server that keeps everything below this folder.
    ///
    /// # Errors
    /// A text.
    pub fn start(folder: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let programs = programs().ok_or("there is no PostgreSQL: install Debian's package postgresql")?;
        // The server refuses to run as root.
        let user = (output("id", &["--user"]) == "0").then_some("postgres");
        if let Some(user) = user {
            let mut own = Command::new("chown");
            own.arg(user).arg(folder);
            finish(own)?;
        }
        let data = folder.join("data");
        let mut make = bound(&programs.join("initdb"), user);
        make.args(["--username=glance", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"]);
        make.arg(&data);
        finish(make)?;
        let port = free_address()?.port();
        let mut command = bound(&programs.join("postgres"), user);
        command.arg("-D").arg(&data).arg("-k").arg(folder).args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1"]);
        // INT: it does not wait for those who are connected.
        let process = Process::start(command, &folder.with_extension("log"), "INT")?;
        let server = Self { programs, port, process };
        server.wait()?;
        server.ask("CREATE DATABASE glance", "postgres")?;
        Ok(server)
    }

    /// The process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The address of the database, as SQLAlchemy wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgresql+psycopg2://glance@127.0.0.1:{}/glance", self.port)
    }

    /// Its version, and what it does before it says that something is committed.
    ///
    /// # Errors
    /// A text.
    pub fn version(&self) -> Outcome<String> {
        let setting = |name: &str| self.ask(&format!("SELECT current_setting('{name}')"), "glance");
        let version = setting("server_version")?;
        let version = version.split(' ').next().unwrap_or_default();
        let (fsync, commit) = (setting("fsync")?, setting("synchronous_commit")?);
        Ok(format!("PostgreSQL {version} with fsync {fsync}, synchronous_commit {commit}"))
    }

    /// How often it has brought its log to the disk, and how many transactions it has committed.
    ///
    /// # Errors
    /// A text.
    pub fn syncs_and_commits(&self) -> Outcome<(f64, f64)> {
        sleep(STATISTICS);
        let sql = "SELECT wal_sync, (SELECT xact_commit FROM pg_stat_database WHERE datname = 'glance') \
                   FROM pg_stat_wal";
        let told = self.ask(sql, "glance")?;
        let numbers = told
            .split_once('|')
            .and_then(|(syncs, commits)| Some((syncs.parse().ok()?, commits.parse().ok()?)));
        numbers.ok_or_else(|| format!("no statistics: {told}"))
    }

    fn ask(&self, sql: &str, database: &str) -> Outcome<String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username=glance"]);
        command.args([
            "--host=127.0.0.1",
            &format!("--port={}", self.port),
            "--dbname",
            database,
            "--command",
            sql,
        ]);
        finish(command)
    }

    fn wait(&self) -> Outcome {
        for _ in 0..LOOKS_MAX {
            if self.ask("SELECT 1", "postgres").is_ok() {
                return Ok(());
            }
            sleep(PAUSE);
        }
        Err("PostgreSQL does not start".to_owned())
    }
}

/// The programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    versions
        .map(|version| version.path().join("bin"))
        .filter(|programs| programs.join("postgres").exists())
        .max()
}

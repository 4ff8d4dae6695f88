//! The server that is measured: a process of its own, and what the operating system says about it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::Outcome;
use crate::calls::KEY;
use crate::catalogue::{ACCOUNT, REGIONS};
use crate::load;
use crate::run::OWN;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How long its workers may take, and the time between two looks.
const WORK_TIMEOUT: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_millis(3);

/// How long it may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server, which ends with this.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Its data folder.
    pub data: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process until it has answered.
    pub started_in: Duration,
}

/// How a server is run.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// The program.
    pub binary: &'a Path,
    /// The data folder.
    pub data: &'a Path,
    /// The processors that it keeps to, such as `0-1`.
    pub processors: &'a str,
    /// The database, instead of the file in the data folder.
    pub database: Option<&'a str>,
    /// How long bytes outlive a delete.
    pub grace: &'a str,
}

impl Server {
    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// A text.
    pub async fn start(setup: &Setup<'_>) -> Outcome<Self> {
        let address = free_address()?;
        let config = setup.data.join("calotype.toml");
        write(&config, &configuration(setup, address))?;
        let log = fs::File::create(setup.data.join("server.log")).map_err(|error| error.to_string())?;
        let mut command = on_processors(setup.binary, setup.processors);
        command.arg("serve").arg("--config").arg(&config).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(log);
        let began = Instant::now();
        let process = command.spawn().map_err(|error| format!("{}: {error}", setup.binary.display()))?;
        let mut server = Self { process, data: setup.data.to_owned(), address, started_in: Duration::ZERO };
        let health = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
        while load::ask(address, health.as_bytes()).await.is_err() {
            if began.elapsed() > START_TIMEOUT || server.process.try_wait().is_ok_and(|ended| ended.is_some())
            {
                return Err(format!("the server does not start; see {}", setup.data.display()));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    /// The process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its time on processors so far.
    ///
    /// # Errors
    /// A text.
    pub fn cpu(&self) -> Outcome<Duration> {
        let tasks = fs::read_dir(process_file(self.id(), "task")).map_err(|error| error.to_string())?;
        let on_processor = |task: PathBuf| -> Option<u64> {
            // A thread that has just ended has none.
            let text = fs::read_to_string(task.join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        Ok(tasks.flatten().filter_map(|task| on_processor(task.path())).map(Duration::from_nanos).sum())
    }

    /// Its resident memory now, in bytes.
    ///
    /// # Errors
    /// A text.
    pub fn resident_bytes(&self) -> Outcome<u64> {
        let status = read(&process_file(self.id(), "status"))?;
        let kib = field(&status, "VmRSS:").ok_or("no resident memory is told")?;
        Ok(kib * 1024)
    }

    /// The greatest resident memory since [`Server::forget_peak`], in bytes.
    ///
    /// # Errors
    /// A text.
    pub fn peak_bytes(&self) -> Outcome<u64> {
        let status = read(&process_file(self.id(), "status"))?;
        let kib = field(&status, "VmHWM:").ok_or("no greatest resident memory is told")?;
        Ok(kib * 1024)
    }

    /// Lets the greatest resident memory be that of now.
    ///
    /// # Errors
    /// A text.
    pub fn forget_peak(&self) -> Outcome {
        write(&process_file(self.id(), "clear_refs"), "5")
    }

    /// The sum of a metric over those of its labels that have this text in them.
    ///
    /// # Errors
    /// A text.
    pub async fn metric(&self, name: &str, labels: &str) -> Outcome<f64> {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        let answer = load::ask(self.address, request.as_bytes()).await?;
        let lines = answer.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// How many objects it has written for records.
    ///
    /// # Errors
    /// A text.
    pub async fn filled(&self) -> Outcome<f64> {
        self.metric("calotype_tasks_total", "kind=\"fill\",outcome=\"done\"").await
    }

    /// Waits until it has written so many.
    ///
    /// # Errors
    /// A text.
    pub async fn until_filled(&self, count: f64) -> Outcome {
        self.wait_for("calotype_tasks_total", "kind=\"fill\",outcome=\"done\"", |done| done >= count).await
    }

    /// Waits until a metric is as it shall be.
    ///
    /// # Errors
    /// A text.
    pub async fn wait_for(&self, name: &str, labels: &str, done: impl Fn(f64) -> bool) -> Outcome {
        let began = Instant::now();
        while !done(self.metric(name, labels).await?) {
            if began.elapsed() > WORK_TIMEOUT {
                return Err(format!("{name} with {labels} does not come to what it should be"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    /// A text.
    pub async fn stop(mut self) -> Outcome {
        let id = self.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        asked.map_err(|error| format!("kill: {error}"))?;
        let began = Instant::now();
        while self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed() > STOP_TIMEOUT {
                return Err("the server does not stop".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing, if it was stopped.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn process_file(process: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(process.to_string()).join(name)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A program that keeps to these processors.
#[must_use]
pub fn on_processors(program: &Path, processors: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", processors]).arg(program);
    command
}

/// Keeps this process, and those that it starts without more words, to these processors.
///
/// # Errors
/// A text.
pub fn keep_to(processors: &str) -> Outcome {
    let own = std::process::id().to_string();
    let mut command = Command::new("taskset");
    let kept = command.args(["--all-tasks", "--cpu-list", "--pid", processors, &own]).stdout(Stdio::null());
    match kept.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("taskset does not keep processes to processors".to_owned()),
    }
}

/// Whether this process has a processor that no pinned server has.
#[must_use]
pub fn keeps_to_one_of_its_own() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed.is_some_and(|list| list.trim() != OWN && list.trim().parse::<u32>().is_ok())
}

fn configuration(setup: &Setup<'_>, address: SocketAddr) -> String {
    let data = setup.data.display();
    let database = setup
        .database
        .map_or_else(String::new, |url| format!("[metadata]\nurl = \"{url}\"\nconnections = 32\n"));
    let regions: String = REGIONS.map(|region| format!("[[region]]\nid = \"{region}\"\n")).concat();
    let (grace, (id, secret)) = (setup.grace, KEY);
    let actions = r#"["ens:*","calotype:*","appstreaming:*"]"#;
    let statement = format!(r#"{{"Effect":"Allow","Action":{actions},"Resource":"*"}}"#);
    let policy = format!(r#"{{"Version":"1","Statement":[{statement}]}}"#);
    format!(
        "listen = \"{address}\"\ndata = \"{data}\"\n\
         [throttling]\naccount_per_second = 0\noperation_per_second = 0\n\
         {database}[deletion]\ngrace = \"{grace}\"\n{regions}\
         [[account]]\nid = \"{ACCOUNT}\"\n[[account.user]]\nname = \"benchmark\"\n\
         policies = [ {{ name = \"all\", document = '{policy}' }} ]\n\
         [[account.user.access_key]]\nid = \"{id}\"\nsecret = \"{secret}\"\n"
    )
}

/// An address on loopback that nobody listens at.
///
/// # Errors
/// A text.
pub fn free_address() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map_err(|error| error.to_string())
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

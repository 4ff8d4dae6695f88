//! The commands.

mod serve;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use calotype::config::{Config, ConfigError, Overrides, place};
use calotype::operations::OPERATIONS;
use calotype::{backup, check, demo};
use clap::{Args, Parser, Subcommand};
use serve::Serve;

/// A self-hosted machine-image service that speaks the Alibaba Cloud image APIs.
#[derive(Debug, Parser)]
#[command(name = "calotype", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the whole story in a temporary folder.
    Demo,
    /// Serve the APIs.
    Serve(Serve),
    /// Compare records and bytes, beside a server or alone.
    ///
    /// Prints what is wrong and what can be done about it. Exits with 0 if nothing is left to be done, with 1 if
    /// findings remain, with 2 if not everything could be looked at.
    Check(Check),
    /// Save the metadata in a new file, beside a server or alone.
    Backup(Backup),
    /// Put a saved file in the place of the metadata. No server may run.
    ///
    /// Where the metadata is in PostgreSQL, bring its own backup back first, and call this without a file: requests
    /// and writes that came after the backup are not done twice then.
    Restore(Restore),
    /// Take the metadata from a file to an empty PostgreSQL database. No server may run.
    ///
    /// All rows arrive, or none. The file stays as it is.
    Migrate(Migrate),
    /// List every operation that is served.
    Operations {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which installation is meant.
#[derive(Args, Clone, Debug)]
struct Installation {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of everything that has no other place.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Installation {
    fn overrides(&self) -> Overrides {
        Overrides { config: self.config.clone(), data: self.data.clone(), ..Overrides::default() }
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.overrides(), |name| std::env::var(name).ok())
    }
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Check {
    #[command(flatten)]
    installation: Installation,
    /// Do what can be done safely.
    #[arg(long)]
    repair: bool,
    /// Read and hash all bytes.
    #[arg(long)]
    deep: bool,
    /// With --repair, erase objects that no record knows. After a restore they may be the only copy of something.
    #[arg(long)]
    erase_unknown: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Backup {
    #[command(flatten)]
    installation: Installation,
    /// The saved file.
    file: PathBuf,
}

#[derive(Args, Debug)]
struct Restore {
    #[command(flatten)]
    installation: Installation,
    /// The saved file.
    file: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Migrate {
    #[command(flatten)]
    installation: Installation,
    /// Where the metadata is now.
    #[arg(long, value_name = "sqlite:PATH")]
    from: String,
    /// Where it shall be; metadata.url of the configuration, if absent. Others may see the command line, and a
    /// password in it.
    #[arg(long, value_name = "postgres://USER@HOST/NAME")]
    to: Option<String>,
}

impl Migrate {
    fn run(self) -> Outcome {
        let config = self.installation.load()?;
        let from = place(&self.from, None, None)?;
        let to = match &self.to {
            Some(to) => place(to, config.metadata_ca.as_deref(), None)?,
            None => config.metadata.clone(),
        };
        runtime(async move { backup::migrate(&config, &from, &to).await })
    }
}

type Outcome = Result<(), Box<dyn Error>>;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo => runtime(demo::run()),
        Command::Serve(arguments) => {
            calotype::logging::to_stderr();
            runtime(serve::serve(arguments))
        }
        Command::Check(arguments) => return check(arguments),
        Command::Backup(Backup { installation, file }) => {
            installation.load().map_err(Into::into).and_then(|config| backup::save(&config, &file))
        }
        Command::Restore(Restore { installation, file }) => {
            let restoring = |config| runtime(async move { backup::restore(&config, file.as_deref()).await });
            installation.load().map_err(Into::into).and_then(restoring)
        }
        Command::Migrate(arguments) => arguments.run(),
        Command::Operations { json } => {
            operations(json);
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn tell(error: &dyn Error) {
    eprint!("calotype: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
}

/// A check that could not be made has not looked at everything.
const NOT_CHECKED: u8 = 2;

fn check(arguments: Check) -> ExitCode {
    let Check { installation, repair, deep, erase_unknown, json } = arguments;
    let arguments = check::command::Arguments { repair, deep, erase_unknown, json };
    let checking = |config| runtime(async move { check::command::check(&config, arguments).await });
    match installation.load().map_err(Into::into).and_then(checking) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            tell(error.as_ref());
            ExitCode::from(NOT_CHECKED)
        }
    }
}

fn runtime<T>(work: impl Future<Output = Result<T, Box<dyn Error>>>) -> Result<T, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A call into a file system that hangs must not keep the process.
    runtime.shutdown_timeout(STRAGGLERS_TIMEOUT);
    outcome
}

/// How long calls into the operating system may go on after everything else has ended.
const STRAGGLERS_TIMEOUT: Duration = Duration::from_secs(1);

fn operations(json: bool) {
    if json {
        let list: Vec<_> = OPERATIONS
            .iter()
            .map(|operation| {
                serde_json::json!({
                    "api": operation.api.name,
                    "version": operation.api.version,
                    "name": operation.name,
                    "action": operation.action,
                    "summary": operation.summary,
                    "parameters": operation.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>(),
                })
            })
            .collect();
        println!("{:#}", serde_json::Value::from(list));
        return;
    }
    for operation in OPERATIONS {
        let api = operation.api;
        println!(
            "{:4} {}  {:30} {:36} {}",
            api.name, api.version, operation.name, operation.action, operation.summary
        );
    }
}

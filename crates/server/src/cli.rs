//! The commands.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use calotype::app::{App, CREDENTIALS_FILE};
use calotype::clock::Clock;
use calotype::config::{Config, Overrides};
use calotype::operations::OPERATIONS;
use calotype::{demo, http, workers};
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

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
    /// List every operation that is served.
    Operations {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of everything that has no other place.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

type Outcome = Result<(), Box<dyn Error>>;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo => runtime(demo::run()),
        Command::Serve(arguments) => {
            log_to_stderr();
            runtime(serve(arguments))
        }
        Command::Operations { json } => {
            operations(json);
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("calotype: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn runtime(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A call into a file system that hangs must not keep the process.
    runtime.shutdown_timeout(STRAGGLERS_TIMEOUT);
    outcome
}

/// How long calls into the operating system may go on after everything else has ended.
const STRAGGLERS_TIMEOUT: Duration = Duration::from_secs(1);

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CALOTYPE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}

async fn serve(arguments: Serve) -> Outcome {
    let overrides = Overrides { config: arguments.config, data: arguments.data, listen: arguments.listen };
    let load = move || Config::load(&overrides, |name| std::env::var(name).ok());
    let config = load()?;
    let (listen, data) = (config.listen, config.data.clone());
    let has_accounts = config.identity.is_some();
    let app = App::open(config, Clock::System).await?;
    let listener =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    // Before anybody is told that the server is up: a signal may follow at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    println!("listening on http://{}", listener.local_addr()?);
    if has_accounts {
        println!("accounts are those of the configuration file");
    } else if std::env::var_os("CALOTYPE_ACCESS_KEY_ID").is_some() {
        println!("the access key is the one in CALOTYPE_ACCESS_KEY_ID");
    } else {
        println!("the access key is in {}", data.join(CREDENTIALS_FILE).display());
    }
    let reloading = Arc::clone(&app);
    let stop = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => reload(&reloading, load()),
            }
        }
    };
    let working = workers::start(&app);
    http::serve(app, listener, stop).await;
    drop(working);
    Ok(())
}

/// Takes the accounts of a configuration that was read again: all of it, or nothing.
fn reload(app: &App, config: Result<Config, calotype::config::ConfigError>) {
    match config {
        Ok(Config { identity: Some(identity), .. }) => {
            app.replace_identity(identity);
            tracing::info!("accounts reloaded");
        }
        Ok(_) => tracing::info!("the configuration names no accounts; nothing to reload"),
        Err(error) => tracing::error!(%error, "the configuration is refused; the old accounts stay"),
    }
}

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

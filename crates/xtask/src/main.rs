//! The commands of the project.

mod bench;
mod conformance;
mod debian;
mod package;
mod postgres;
mod s3;
mod sim;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask test     everything that must hold: tidy, unit and in-process tests, end-to-end tests
cargo xtask check    formatting, lints and tidy
cargo xtask tidy     the rules of the source that no compiler knows
cargo xtask kill     the long form of the kill test: 500 kills
cargo xtask race     the long form of the race test: 20,000 rounds
cargo xtask s3       the long form of the S3 test: three S3 servers, killed in turn
cargo xtask s3-server    build the S3 server that the tests start, and print its path
cargo xtask ha       several servers and a standby database in their long form; writes its figures
cargo xtask sim [--seed N] [--seconds S]    fresh seeds of the simulation, or one seed again
cargo xtask conformance [LANGUAGE]    one scenario with every official client
cargo xtask errors   run the tests, and write docs/errors.md anew from what they have met
cargo xtask bench [--peers] [--huge]    what everything costs; writes docs/performance.md
cargo xtask bench --brief [--only GROUP,..]    whether that works, or a part of it; writes target/bench/performance.md
cargo xtask package  the Debian package, in target/debian; as root it is installed, started and removed as well
cargo xtask bless    write the generated documents anew
";

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test::all(),
        ["check"] => check(),
        ["tidy"] => tidy::run(),
        ["errors"] => test::errors(),
        ["kill"] => test::kill(),
        ["race"] => test::race(),
        ["s3"] => s3::long(),
        ["s3-server"] => s3::server().map(|path| println!("{}", path.display())),
        ["ha"] => test::ha(),
        ["sim", ..] => sim::run(&arguments.iter().skip(1).map(String::as_str).collect::<Vec<_>>()),
        ["conformance"] => conformance::run(None),
        ["conformance", language] => conformance::run(Some(language)),
        ["bench", ref rest @ ..] => bench::run(rest),
        ["package"] => package::run(),
        ["bless"] => cargo(&["test", "--package", "calotype", "--test", "docs"], &[("CALOTYPE_BLESS", "1")]),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Outcome {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"], &[])?;
    tidy::run()
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    run(Command::new(cargo).args(arguments).envs(environment.iter().copied()))
}

/// Runs a command in the workspace and fails if it fails.
fn run(command: &mut Command) -> Outcome {
    let text = format!("{command:?}");
    eprintln!("$ {text}");
    let status = command.current_dir(root()).status().map_err(|error| format!("{text}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("failed: {text}")) }
}

//! What Calotype costs: a load generator, and the measurements of `docs/performance.md`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures are shown with three digits"
)]

mod aims;
mod calls;
mod catalogue;
mod chart;
mod disk;
mod fsyncs;
mod installation;
mod load;
mod machine;
mod measured;
mod peers;
mod profile;
mod quick;
mod report;
mod requests;
mod run;
mod server;
mod table;
mod tracer;
mod work;
mod workloads;

use std::process::ExitCode;

use catalogue::Size;

/// What went well, or a text that says what did not.
type Outcome<T = ()> = Result<T, String>;

const USAGE: &str = "\
run --binary FILE --folder DIR --document FILE [--postgres URL] [--peers] [--huge] [--brief] [--only GROUP,..]
quick BINARY SIZE COUNT ROUNDS [WORK,..|all] [CONNECTIONS]
catalogue PLACE OWN USED OTHERS
updates URL FIRST COUNT CONNECTIONS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["run", ref rest @ ..] => alone(async { run::run(&run::Context::parse(rest)?).await }),
        ["quick", binary, size, count, rounds, ref rest @ ..] => {
            alone(async { quick::run(binary, size, count, rounds, rest).await })
        }
        ["catalogue", place, own, used, others] => many(async {
            let size = Size { own: number(own)?, used: number(used)?, others: number(others)? };
            catalogue::write(catalogue::place(place, 1)?, size).await
        }),
        ["updates", url, first, count, connections] => many(async {
            let (first, count): (u64, u64) = (number(first)?, number(count)?);
            workloads::updates::run(url, first..first + count, number(connections)?).await
        }),
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

/// Runs on one thread, which is all that load comes from.
fn alone(work: impl Future<Output = Outcome>) -> Outcome {
    finish(tokio::runtime::Builder::new_current_thread(), work)
}

/// Runs on as many threads as a server has.
fn many(work: impl Future<Output = Outcome>) -> Outcome {
    finish(tokio::runtime::Builder::new_multi_thread(), work)
}

fn finish(mut runtime: tokio::runtime::Builder, work: impl Future<Output = Outcome>) -> Outcome {
    runtime.enable_all().build().map_err(|error| error.to_string())?.block_on(work)
}

/// A number of the command line.
fn number<T: std::str::FromStr>(text: &str) -> Outcome<T> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

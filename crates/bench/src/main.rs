//! What Calotype costs: a load generator, and the measurements of `docs/performance.md`.

mod calls;
mod catalogue;
mod load;
mod server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use calls::{Operation, Signing};
use catalogue::{Set, Size, image_id};
use load::{Pace, Requests};
use server::{Server, Setup};

/// What went well, or a text that says what did not.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(run()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    let binary = PathBuf::from(&arguments[1]);
    let size: u64 = arguments[2].parse().unwrap();
    let count: u64 = arguments[3].parse().unwrap();
    let rounds: u64 = arguments[4].parse().unwrap();
    let work = arguments.get(5).map_or("all", String::as_str);
    let connections: usize = arguments.get(6).map_or(64, |n| n.parse().unwrap());
    let data = Path::new("/tmp/bench/run");
    drop(std::fs::remove_dir_all(data));
    std::fs::create_dir_all(data).unwrap();
    let template = PathBuf::from(format!("/tmp/bench/catalogue-{size}.db"));
    if !template.exists() {
        catalogue::write(template.clone(), Size { own: size, used: 1_000.min(size), others: 0 }).await?;
        // One file, without its log.
    }
    std::fs::copy(&template, data.join("metadata.db")).unwrap();
    drop(std::fs::copy(template.with_extension("db-wal"), data.join("metadata.db-wal")));
    let setup = Setup {
        binary: &binary,
        data,
        processor: Some(0),
        database: std::env::var("BENCH_DB").ok().leak_opt(),
        grace: "1h",
    };
    let server = Server::start(&setup).await?;
    println!("started in {:?}, {} MiB", server.started_in, server.resident_bytes()? >> 20);
    let noop = |n: u64| {
        let _ = n;
        (Operation::new("2026-11-21", "NoOp"), 200)
    };
    let delete = |n: u64| {
        (Operation::new("2017-11-10", "DeleteImage").with("ImageId", image_id(Set::Own, n).as_str()), 200)
    };
    let used = |n: u64| {
        (
            Operation::new("2017-11-10", "DeleteImage")
                .with("ImageId", image_id(Set::Used, n % 1000).as_str()),
            400,
        )
    };
    let mut first = 0;
    for _ in 0..rounds {
        for name in ["noop", "delete", "random", "used", "missing", "describe"] {
            if work != "all" && !work.split(',').any(|w| w == name) {
                continue;
            }
            let call = |n: u64| match name {
                "noop" => noop(n),
                "delete" => delete(first + n),
                "random" => delete(catalogue::mix(first + n) % size),
                "used" => used(n),
                "describe" => (
                    Operation::new("2017-11-10", "DescribeImages")
                        .with("ImageId", image_id(Set::Used, n % 1000).as_str()),
                    200,
                ),
                _ => (Operation::new("2017-11-10", "DeleteImage").with("ImageId", format!("m-{n}")), 404),
            };
            let requests: Requests = (0..count)
                .map(|n| {
                    let (operation, status) = call(n);
                    (operation.request(server.address, Signing::V1), status)
                })
                .collect();
            let before = server.used()?;
            let answered = load::send(server.address, connections, requests, Pace::Closed).await?;
            let after = server.used()?;
            println!(
                "{name:9} {:8.0}/s  cpu {:6.1} us  written {:6.0} B  p50 {:?} p99 {:?}",
                answered.rate(),
                (after.cpu - before.cpu).as_secs_f64() * 1e6 / count as f64,
                (after.written_bytes - before.written_bytes) as f64 / count as f64,
                answered.quantile(0.5),
                answered.quantile(0.99),
            );
            if name == "delete" || name == "random" {
                first += count;
            }
        }
    }
    server.stop().await
}

trait LeakOpt {
    fn leak_opt(self) -> Option<&'static str>;
}
impl LeakOpt for Option<String> {
    fn leak_opt(self) -> Option<&'static str> {
        self.map(|s| &*s.leak())
    }
}

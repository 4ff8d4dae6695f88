//! A short look at some works, for whoever changes the server.

use std::path::{Path, PathBuf};

use crate::catalogue::{Size, scattered};
use crate::installation::Catalogues;
use crate::machine::processors;
use crate::requests::{self, USED};
use crate::run::OWN;
use crate::server::{Server, Setup, keep_to};
use crate::work::{Load, Work, once};
use crate::{Outcome, number};

/// The connections, if no number is given.
const CONNECTIONS: &str = "64";

/// Runs works in turn and prints what they cost. `BENCH_DB` names a database of PostgreSQL, `BENCH_FOLDER` where
/// catalogues are kept.
///
/// # Errors
/// A text.
pub async fn run(binary: &str, size: &str, count: &str, rounds: &str, rest: &[&str]) -> Outcome {
    let (size, count, rounds): (u64, u64, u64) = (number(size)?, number(count)?, number(rounds)?);
    let wanted = rest.first().copied().unwrap_or("all");
    let connections = number(rest.get(1).copied().unwrap_or(CONNECTIONS))?;
    let folder =
        std::env::var("BENCH_FOLDER").map_or_else(|_| PathBuf::from("target/bench/quick"), PathBuf::from);
    let database = std::env::var("BENCH_DB").ok();
    let catalogues = Catalogues::below(&folder)?;
    let size = Size { own: size, used: USED.min(size), others: 0 };
    let installation = match database {
        Some(_) => catalogues.empty("quick")?,
        None => catalogues.fresh(size, "quick")?,
    };
    // A database shares the processors with everybody.
    let processors = if database.is_some() { format!("0-{}", processors() - 1) } else { OWN.to_owned() };
    if database.is_none() {
        keep_to("1")?;
    }
    let setup = Setup {
        binary: Path::new(binary),
        data: &installation.data,
        processors: &processors,
        database: database.as_deref(),
        grace: "1h",
    };
    let server = Server::start(&setup).await?;
    println!("started in {:?}, {} MiB", server.started_in, server.resident_bytes()? >> 20);
    // Half of the images for each of the works that use them up.
    let half = size.own / 2;
    let all = [
        Work::new("noop", count, requests::no_op),
        Work::new("delete", count, |number| requests::delete(number % half)),
        Work::new("random", count, |number| requests::delete(half + scattered(number % half, half))),
        Work::new("used", count, requests::delete_used),
        Work::new("missing", count, requests::delete_missing),
        Work::new("describe", count, requests::describe),
        Work::new("launch", count, requests::launch),
        Work::new("list", count, requests::list),
    ];
    for _ in 0..rounds {
        for work in &all {
            if wanted != "all" && !wanted.split(',').any(|name| name == work.name) {
                continue;
            }
            let sample = once(&server, work, Load::over(connections)).await?;
            println!(
                "{:9} {:8.0}/s  cpu {:6.1} us  written {:6.0} B  p50 {:7.0} us  p99 {:7.0} us",
                work.name, sample.rate, sample.cpu_us, sample.written, sample.p50_us, sample.p99_us
            );
        }
    }
    server.stop().await
}

//! What a delete costs as the catalogue grows.

use crate::Outcome;
use crate::catalogue::{Size, scattered};
use crate::chart::Bars;
use crate::installation::Installation;
use crate::measured::{Sample, Samples, number, ratio};
use crate::report::Report;
use crate::requests::{self, USED};
use crate::run::{Context, OWN};
use crate::server::Server;
use crate::table::Table;
use crate::work::{Load, ROUNDS, Work, once, warm};

/// The smallest catalogue, which one repetition uses up, and the larger ones.
const SMALL: u64 = 1_000;
const LARGER: [u64; 2] = [100_000, 1_000_000];
const HUGE: u64 = 10_000_000;

/// Deletes of a repetition in the larger ones.
const COUNT: u64 = 4_000;

/// Own images of the larger ones that are deleted in order of age; of the others any may be next.
const ORDERED: u64 = 30_000;

/// Measures deletes over catalogues of every size. The huge one comes after the others, whose pages it would drive out
/// of the page cache.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let mut turns = vec![take_turns(context, &LARGER).await?];
    if context.huge {
        turns.push(take_turns(context, &[HUGE]).await?);
    }
    tell(report, &turns);
    Ok(())
}

/// What the smallest catalogue and larger ones gave. All servers are there at the same time.
struct Turns {
    small: Samples,
    large: Vec<(u64, Samples)>,
}

async fn take_turns(context: &Context, sizes: &[u64]) -> Outcome<Turns> {
    let mut large = Vec::new();
    for size in sizes {
        let installation = context.catalogues.fresh(of(*size), &size.to_string())?;
        let server = installation.server(&context.binary, OWN).await?;
        large.push((installation, server, works(*size, context.count(COUNT)), Samples::default()));
    }
    let load = Load::over(64);
    for (_, server, works, _) in &large {
        for work in works {
            warm(server, work, load).await?;
        }
    }
    let mut small = Samples::default();
    for _ in 0..ROUNDS {
        uses_up(context, &mut small).await?;
        for (_, server, works, samples) in &mut large {
            for work in works.iter() {
                samples.push(work.name, once(server, work, load).await?);
            }
        }
    }
    let mut turns = Turns { small, large: Vec::new() };
    for ((installation, server, _, samples), size) in large.into_iter().zip(sizes) {
        server.stop().await?;
        drop(installation);
        turns.large.push((*size, samples));
    }
    Ok(turns)
}

fn of(size: u64) -> Size {
    Size { own: size, used: USED.min(size), others: 0 }
}

fn works(size: u64, count: u64) -> [Work<'static>; 3] {
    [
        Work::new("noop", count, requests::no_op),
        Work::new("delete", count, requests::delete),
        Work::new("random", count, move |number| {
            requests::delete(ORDERED + scattered(number, size - ORDERED))
        }),
    ]
}

/// Deletes all images of two fresh small catalogues, in one order and in the other.
async fn uses_up(context: &Context, samples: &mut Samples) -> Outcome {
    let load = Load::over(64);
    let scattered: fn(u64) -> requests::Request = |number| requests::delete(scattered(number, SMALL));
    let works = [("delete", requests::delete as fn(u64) -> requests::Request), ("random", scattered)];
    for (name, request) in works {
        let installation: Installation = context.catalogues.fresh(of(SMALL), name)?;
        let server: Server = installation.server(&context.binary, OWN).await?;
        once(&server, &Work::new("used", SMALL, requests::delete_used), load).await?;
        if name == "delete" {
            samples.push("noop", once(&server, &Work::new("noop", COUNT, requests::no_op), load).await?);
        }
        samples.push(name, once(&server, &Work::new(name, SMALL, request), load).await?);
        server.stop().await?;
    }
    Ok(())
}

fn tell(report: &mut Report, turns: &[Turns]) {
    let mut table = Table::new(&[
        "Images",
        "Order",
        "CPU in µs",
        "CPU against the no-op",
        "CPU against 1,000 images",
        "per second",
        "written in KB",
    ]);
    let mut chart = Bars::new("CPU of a DeleteImage in µs, by the number of images");
    let small = turns.first().map(|turns| (SMALL, &turns.small, &turns.small));
    let large = turns
        .iter()
        .flat_map(|turns| turns.large.iter().map(|(size, samples)| (*size, samples, &turns.small)));
    for (size, samples, small) in small.into_iter().chain(large) {
        for (work, order) in [("delete", "age"), ("random", "random")] {
            let spread = |figure: fn(&Sample) -> f64| samples.spread(work, figure);
            let cpu = |sample: &Sample| sample.cpu_us;
            let against = ratio(samples.of(work), small.of(work), cpu);
            let written = spread(|sample| sample.written / 1e3);
            table.row([
                number(size as f64),
                order.to_owned(),
                spread(cpu).to_string(),
                samples.ratio(work, "noop", cpu).to_string(),
                against.to_string(),
                spread(|sample| sample.rate).to_string(),
                written.to_string(),
            ]);
            chart.bar(format!("{} images, {order}", number(size as f64)), spread(cpu));
            match (size, work) {
                (1_000_000, "delete") => {
                    report.figure("size_order", against);
                    report.figure("written", written);
                }
                (1_000_000, _) => report.figure("size_random", against),
                _ => {}
            }
        }
    }
    report.table("sizes", &table);
    report.chart("sizes", &chart);
}

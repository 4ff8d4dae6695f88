//! How long a delete takes when the server is not full.

use std::time::Duration;

use crate::Outcome;
use crate::load::Pace;
use crate::measured::{Samples, Spread};
use crate::report::Report;
use crate::requests;
use crate::run::{Context, OWN};
use crate::table::Table;
use crate::work::{Load, ROUNDS, Work, once, warm};
use crate::workloads::requests::SIZE;

/// Deletes of a repetition: as fast as answers come, and at half of that rate, which is looked at for longer.
const COUNT: u64 = 5_000;
const COUNT_AT_HALF: u64 = 10_000;

/// Of the images, those from here on are deleted at half of the rate.
const AT_HALF_FROM: u64 = 40_000;

/// Measures deletes at half of the rate that was the greatest just before.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let installation = context.catalogues.fresh(SIZE, "latency")?;
    let server = installation.server(&context.binary, OWN).await?;
    let work = Work::new("delete", context.count(COUNT), requests::delete);
    let at_half =
        Work::new("at half", context.count(COUNT_AT_HALF), |number| requests::delete(AT_HALF_FROM + number));
    let full = Load::over(64);
    warm(&server, &work, full).await?;
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let greatest = once(&server, &work, full).await?;
        samples.push("full", greatest);
        let pace = Pace::Every(Duration::from_secs_f64(2.0 / greatest.rate));
        samples.push("half", once(&server, &at_half, Load { pace, ..full }).await?);
    }
    server.stop().await?;
    let mut table = Table::new(&["DeleteImage", "per second", "p50 in ms", "p99 in ms", "p99 against p50"]);
    for (work, name) in [("full", "as fast as answers come"), ("half", "at half of that rate")] {
        table.row([
            name.to_owned(),
            samples.spread(work, |sample| sample.rate).to_string(),
            samples.spread(work, |sample| sample.p50_us / 1e3).to_string(),
            samples.spread(work, |sample| sample.p99_us / 1e3).to_string(),
            samples.spread(work, |sample| sample.p99_us / sample.p50_us).to_string(),
        ]);
    }
    report.table("latency", &table);
    let figure: Spread = samples.spread("half", |sample| sample.p99_us / sample.p50_us);
    report.figure("p99", figure);
    Ok(())
}

//! Listings over the images of many accounts, and a mixture of requests.

use crate::Outcome;
use crate::catalogue::Size;
use crate::chart::Bars;
use crate::measured::{Sample, number};
use crate::report::Report;
use crate::requests::{self, USED};
use crate::run::{Context, OWN};
use crate::table::Table;
use crate::work::{Load, Work, take_turns};

/// 10,000 images of the account that lists, and 1,000,000 of others.
pub const SIZE: Size = Size { own: 10_000 - USED, used: USED, others: 1_000_000 };

const NAMES: &[(&str, &str)] = &[
    ("noop", "no-op"),
    ("describe", "DescribeImages of one"),
    ("list", "DescribeImages, a page of 50"),
    ("list_own", "DescribeSelfImages, a page of 50"),
    ("mixed", "60% describe, 20% page, 10% launch, 10% delete"),
];

/// Measures listings and the mixture.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let installation = context.catalogues.fresh(SIZE, "list")?;
    let server = installation.server(&context.binary, OWN).await?;
    let works = [
        Work::new("noop", context.count(3_000), requests::no_op),
        Work::new("describe", context.count(3_000), requests::describe),
        Work::new("list", context.count(1_000), requests::list),
        Work::new("list_own", context.count(1_000), requests::list_own),
        Work::new("mixed", context.count(2_000), requests::mixed),
    ];
    let samples = take_turns(&server, &works, Load::over(64)).await?;
    server.stop().await?;
    let mut table = Table::new(&[
        "Request",
        "per second",
        "CPU in µs",
        "CPU against the no-op",
        "CPU against describing one",
        "p50 in ms",
        "p99 in ms",
    ]);
    let mut chart = Bars::new("CPU of one request in µs, 10,000 own images beside 1,000,000 of others");
    for (work, name) in NAMES {
        let cpu = |sample: &Sample| sample.cpu_us;
        table.row([
            (*name).to_owned(),
            samples.spread(work, |sample| sample.rate).to_string(),
            samples.spread(work, cpu).to_string(),
            samples.ratio(work, "noop", cpu).to_string(),
            samples.ratio(work, "describe", cpu).to_string(),
            number(samples.spread(work, |sample| sample.p50_us / 1e3).median),
            number(samples.spread(work, |sample| sample.p99_us / 1e3).median),
        ]);
        chart.bar(*name, samples.spread(work, cpu));
    }
    report.table("list", &table);
    report.chart("list", &chart);
    report.figure("list_cpu", samples.ratio("list", "describe", |sample| sample.cpu_us));
    Ok(())
}

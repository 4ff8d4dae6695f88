//! Requests over 100,000 images: each kind, in turns with the no-op.

use crate::Outcome;
use crate::calls::Signing;
use crate::catalogue::{Size, scattered};
use crate::chart::Bars;
use crate::fsyncs;
use crate::measured::{Sample, Samples, number};
use crate::report::Report;
use crate::requests::{self, USED};
use crate::run::{Context, OWN};
use crate::table::Table;
use crate::work::{Load, Work, take_turns};

/// The catalogue, and how many of its own images are kept for deletes in order of age.
pub const SIZE: Size = Size { own: 100_000, used: USED, others: 0 };
const ORDERED: u64 = 30_000;

/// What the works are called in the document, in its order.
const NAMES: &[(&str, &str)] = &[
    ("noop", "no-op"),
    ("used", "DeleteImage, refused: in use"),
    ("missing", "DeleteImage, refused: not found"),
    ("delete", "DeleteImage, accepted, in order of age"),
    ("random", "DeleteImage, accepted, random"),
    ("launch", "RunInstances with an own image"),
    ("describe", "DescribeImages of one"),
];

/// Measures the requests over several numbers of connections, with both signatures, and on all processors.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let acs3 = Load { signing: Signing::Acs3, ..Load::over(64) };
    for (name, load, count) in [
        ("64", Load::over(64), 4_000),
        ("16", Load::over(16), 3_000),
        ("1", Load::over(1), 1_000),
        ("acs3", acs3, 4_000),
    ] {
        let (samples, fsyncs) = turns(context, load, count, OWN).await?;
        report.table(format!("requests_{name}"), &table(&samples, &fsyncs));
        if name == "64" {
            figures(report, &samples);
        }
    }
    context.load_anywhere()?;
    let (samples, fsyncs) = turns(context, Load::over(64), 4_000, &context.all()).await?;
    report.table("requests_unpinned", &table(&samples, &fsyncs));
    Ok(())
}

async fn turns(
    context: &Context,
    load: Load,
    count: u64,
    processors: &str,
) -> Outcome<(Samples, Vec<Option<f64>>)> {
    let installation = context.catalogues.fresh(SIZE, "requests")?;
    let server = installation.server(&context.binary, processors).await?;
    let rest = SIZE.own - ORDERED;
    let count = context.count(count);
    let works = [
        Work::new("noop", count, requests::no_op),
        Work::new("used", count, requests::delete_used),
        Work::new("missing", count, requests::delete_missing),
        Work::new("delete", count, requests::delete),
        Work::new("random", count, move |number| requests::delete(ORDERED + scattered(number, rest))),
        Work::new("launch", count, requests::launch),
        Work::new("describe", count, requests::describe),
    ];
    let samples = take_turns(&server, &works, load).await?;
    let mut calls = Vec::new();
    for work in &works {
        calls.push(fsyncs::per_request(&server, work, load, &installation.data).await?);
    }
    server.stop().await?;
    Ok((samples, calls))
}

fn table(samples: &Samples, fsyncs: &[Option<f64>]) -> Table {
    let mut table = Table::new(&[
        "Request",
        "per second",
        "CPU in µs",
        "CPU against the no-op",
        "rate against the no-op",
        "p50 in ms",
        "p99 in ms",
        "written in B",
        "fsyncs",
    ]);
    for ((work, name), fsyncs) in NAMES.iter().zip(fsyncs) {
        let spread = |figure: fn(&Sample) -> f64| samples.spread(work, figure).to_string();
        table.row([
            (*name).to_owned(),
            spread(|sample| sample.rate),
            spread(|sample| sample.cpu_us),
            samples.ratio(work, "noop", |sample| sample.cpu_us).to_string(),
            samples.ratio(work, "noop", |sample| sample.rate).to_string(),
            number(samples.spread(work, |sample| sample.p50_us / 1e3).median),
            number(samples.spread(work, |sample| sample.p99_us / 1e3).median),
            number(samples.spread(work, |sample| sample.written).median),
            fsyncs.map_or_else(|| "-".to_owned(), number),
        ]);
    }
    table
}

fn figures(report: &mut Report, samples: &Samples) {
    let cpu = |work| samples.ratio(work, "noop", |sample| sample.cpu_us);
    report.figure("delete_cpu", cpu("delete"));
    report.figure("refused_cpu", cpu("used"));
    report.figure("missing_cpu", cpu("missing"));
    report.figure("delete_rate", samples.ratio("delete", "noop", |sample| sample.rate));
    let mut cost = Bars::new("CPU of one request in µs, 64 connections");
    let mut rate = Bars::new("Requests per second on one core, 64 connections");
    for (work, name) in NAMES {
        let (cpu, per_second) =
            (samples.spread(work, |sample| sample.cpu_us), samples.spread(work, |sample| sample.rate));
        if *work == "noop" {
            cost.base(*name, cpu);
            rate.base(*name, per_second);
        } else {
            cost.bar(*name, cpu);
            rate.bar(*name, per_second);
        }
    }
    report.chart("cpu", &cost);
    report.chart("rate", &rate);
}

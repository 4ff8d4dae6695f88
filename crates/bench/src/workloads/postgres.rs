//! Requests over PostgreSQL, beside durable updates of single rows by the same library.

use std::process::Command;

use crate::Outcome;
use crate::catalogue::Size;
use crate::chart::Bars;
use crate::installation;
use crate::measured::{Sample, Samples, Spread, number};
use crate::report::Report;
use crate::requests::{self, USED};
use crate::run::Context;
use crate::server::{Server, Setup};
use crate::table::Table;
use crate::work::{Load, ROUNDS, Work, once, warm};

/// The catalogue: deletes take images from its beginning, updates from its end.
const SIZE: Size = Size { own: 50_000, used: USED, others: 0 };
const UPDATED_FROM: u64 = 25_000;
const UPDATES: u64 = 4_000;

const COUNT: u64 = 2_000;
const CONNECTIONS: [usize; 2] = [32, 64];

const NAMES: &[(&str, &str)] = &[
    ("noop", "no-op"),
    ("describe", "DescribeImages of one"),
    ("launch", "RunInstances with an own image"),
    ("delete", "DeleteImage, accepted, in order of age"),
];

/// Measures requests and updates in turns. Database, server and load share all processors.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let Some(url) = &context.postgres else { return Err("there is no PostgreSQL".to_owned()) };
    context.load_anywhere()?;
    println!("writing a catalogue to PostgreSQL");
    installation::write(url, SIZE)?;
    let installation = context.catalogues.empty("postgres")?;
    let setup = Setup {
        binary: &context.binary,
        data: &installation.data,
        processors: &context.all(),
        database: Some(url),
        grace: "1h",
    };
    let server = Server::start(&setup).await?;
    let count = context.count(COUNT);
    let works = [
        Work::new("noop", count, requests::no_op),
        Work::new("describe", count, requests::describe),
        Work::new("launch", count, requests::launch),
        Work::new("delete", count, requests::delete),
    ];
    for work in &works {
        warm(&server, work, Load::over(64)).await?;
    }
    let mut samples = CONNECTIONS.map(|_| Samples::default());
    let mut ratios = CONNECTIONS.map(|_| Vec::new());
    let (mut first, mut rates) = (UPDATED_FROM, Vec::new());
    for _ in 0..ROUNDS {
        let updates = updates(url, first)?;
        first += UPDATES;
        rates.push(updates);
        for (place, connections) in CONNECTIONS.into_iter().enumerate() {
            for work in &works {
                let sample = once(&server, work, Load::over(connections)).await?;
                samples[place].push(work.name, sample);
                if work.name == "delete" {
                    ratios[place].push(sample.rate / updates);
                }
            }
        }
    }
    server.stop().await?;
    tell(report, &samples, &Spread::of(rates), ratios.map(Spread::of));
    Ok(())
}

/// Updates over 32 connections, in a process of its own.
fn updates(url: &str, first: u64) -> Outcome<f64> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let arguments = [first, UPDATES, CONNECTIONS[0] as u64].map(|number| number.to_string());
    let output = Command::new(program).arg("updates").arg(url).args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    let rate = String::from_utf8_lossy(&output.stdout);
    rate.trim().parse().map_err(|_| format!("no updates: {}", String::from_utf8_lossy(&output.stderr)))
}

fn tell(report: &mut Report, samples: &[Samples], updates: &Spread, ratios: [Spread; CONNECTIONS.len()]) {
    for (connections, samples) in CONNECTIONS.iter().zip(samples) {
        let mut table = Table::new(&[
            "Request",
            "per second",
            "CPU of the server in µs",
            "CPU against the no-op",
            "p50 in ms",
            "p99 in ms",
        ]);
        for (work, name) in NAMES {
            let cpu = |sample: &Sample| sample.cpu_us;
            table.row([
                (*name).to_owned(),
                samples.spread(work, |sample| sample.rate).to_string(),
                samples.spread(work, cpu).to_string(),
                samples.ratio(work, "noop", cpu).to_string(),
                number(samples.spread(work, |sample| sample.p50_us / 1e3).median),
                number(samples.spread(work, |sample| sample.p99_us / 1e3).median),
            ]);
        }
        report.table(format!("postgres_{connections}"), &table);
    }
    let mut chart = Bars::new("Deletes and updates of single rows per second, PostgreSQL, durable");
    let mut table = Table::new(&["Durable changes", "per second", "against updates of single rows"]);
    table.row(["updates of single rows, 32 connections", &updates.to_string(), "1"]);
    chart.base("updates of single rows", *updates);
    for ((connections, samples), ratio) in CONNECTIONS.iter().zip(samples).zip(ratios) {
        let rate = samples.spread("delete", |sample| sample.rate);
        table.row([format!("DeleteImage, {connections} connections"), rate.to_string(), ratio.to_string()]);
        chart.bar(format!("DeleteImage, {connections} connections"), rate);
    }
    report.table("postgres", &table);
    report.chart("postgres", &chart);
    report.figure("postgres", ratios[0]);
}

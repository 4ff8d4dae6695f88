//! Where the time of requests goes, part by part.

use crate::Outcome;
use crate::measured::number;
use crate::profile::{parts, shares};
use crate::report::Report;
use crate::requests;
use crate::run::{Context, OWN};
use crate::table::Table;
use crate::work::{Load, Work, once, warm};
use crate::workloads::requests::SIZE;

/// Requests of a repetition, so that it takes about a second.
const COUNT: u64 = 30_000;
const COUNT_OF_DELETES: u64 = 15_000;

/// Measures what each part takes: its share of the samples, of what the request takes when nobody looks.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let installation = context.catalogues.fresh(SIZE, "profile")?;
    let server = installation.server(&context.binary, OWN).await?;
    let (count, deletes) = (context.count(COUNT), context.count(COUNT_OF_DELETES));
    let works = [
        Work::new("no-op", 2 * count, requests::no_op),
        Work::new("describing one", count, requests::describe),
        Work::new("not found", count, requests::delete_missing),
        Work::new("in use", count, requests::delete_used),
        Work::new("accepted", deletes, requests::delete),
    ];
    let load = Load::over(64);
    let mut columns = Vec::new();
    for work in &works {
        warm(&server, work, load).await?;
        let cpu_us = once(&server, work, load).await?.cpu_us;
        let Some(shares) = shares(&server, work, load, &context.folder).await? else {
            return Err("there is no perf".to_owned());
        };
        columns.push((cpu_us, shares));
    }
    server.stop().await?;
    let mut head = vec!["CPU in µs"];
    head.extend(works.iter().map(|work| work.name));
    let mut table = Table::new(&head);
    for (place, part) in parts().enumerate() {
        let cells = columns.iter().map(|(cpu_us, shares)| match shares[place] {
            share if share > 0.0 => format!("{:.1}", cpu_us * share),
            _ => String::new(),
        });
        table.row([part.to_owned()].into_iter().chain(cells));
    }
    let sums = columns.iter().map(|(cpu_us, _)| number(*cpu_us));
    table.row(["all".to_owned()].into_iter().chain(sums));
    report.table("profile", &table);
    Ok(())
}

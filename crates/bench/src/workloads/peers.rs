//! Deletes here and at Glance and moto, in turns, in one run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{fill, requests};
use crate::Outcome;
use crate::calls::Signing;
use crate::catalogue::{REGIONS, Set, Size, object_key};
use crate::chart::Bars;
use crate::disk::written_bytes;
use crate::installation::failed;
use crate::load::{self, Answered, Pace, Requests};
use crate::measured::{Sample, Samples, number};
use crate::peers::Peer;
use crate::peers::glance::{Glance, IMAGE_BYTES};
use crate::peers::moto::Moto;
use crate::peers::python::Python;
use crate::report::Report;
use crate::requests::delete;
use crate::run::Context;
use crate::server::Server;
use crate::table::Table;
use crate::work::{Load, Work, once, quiet, warm};

/// Turns, and deletes of each in a turn.
const ROUNDS: u64 = 3;
const OURS: u64 = 20_000;
const ERASED: u64 = 3_000;
const GLANCE: u64 = 500;
const MOTO: u64 = 3_000;

const CONNECTIONS: [usize; 2] = [64, 16];

/// Deletes that nobody counts, so that every thread and connection is there.
const FIRST: u64 = 64;

/// What a server does after its last answer counts for so long.
const PAUSE: Duration = Duration::from_millis(200);

/// What each is called in samples and in the document.
const NAMES: [(&str, &str); 4] = [
    ("delete", "Calotype"),
    ("erased", "Calotype, until the last byte is erased"),
    ("Glance", "Glance with PostgreSQL"),
    ("moto", "moto (in memory)"),
];

/// Measures deletes. The servers and the load share all processors.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    context.load_anywhere()?;
    let python = Python::below(&context.folder)?;
    let glance = Glance::start(&python, context.catalogues.empty("glance")?)?;
    let moto = Moto::start(&python, context.catalogues.empty("moto")?)?;
    let peers: [(&dyn Peer, u64); 2] = [(&glance, GLANCE), (&moto, MOTO)];
    for (peer, _) in peers {
        load::send(peer.address(), CONNECTIONS[0], peer.images(FIRST)?, Pace::Closed).await?;
    }
    for connections in CONNECTIONS {
        let samples = turns(context, &peers, connections).await?;
        if connections == CONNECTIONS[0] {
            report.table("peers", &table(&samples));
            figures(report, &samples);
        } else {
            report.table(format!("peers_{connections}"), &table(&samples));
        }
    }
    let (syncs, commits) = durable(&glance).await?;
    report.value("glance_syncs", number(syncs));
    report.value("glance_commits", number(commits));
    for (peer, _) in peers {
        report.value(peer.name(), peer.version());
    }
    Ok(())
}

async fn turns(context: &Context, peers: &[(&dyn Peer, u64)], connections: usize) -> Outcome<Samples> {
    let kept = context.catalogues.fresh(requests::SIZE, "kept")?;
    let server = kept.server(&context.binary, &context.all()).await?;
    let size = Size { own: ERASED * ROUNDS, used: 0, others: 0 };
    let erased = context.catalogues.fresh(size, "erased")?;
    let eraser = erased.server_with(&context.binary, &context.all(), "0s").await?;
    let (work, load) = (Work::new("delete", OURS, delete), Load::over(connections));
    warm(&server, &work, load).await?;
    let mut samples = Samples::default();
    for round in 0..ROUNDS {
        for (peer, count) in peers {
            let sample = peer_once(context, *peer, *count, connections).await?;
            println!("{} over {connections}: {sample:?}", peer.name());
            samples.push(peer.name(), sample);
        }
        samples.push(work.name, once(&server, &work, load).await?);
        samples.push("erased", erase(&eraser, &erased.data, round * ERASED, connections).await?);
    }
    eraser.stop().await?;
    server.stop().await?;
    Ok(samples)
}

async fn peer_once(context: &Context, peer: &dyn Peer, count: u64, connections: usize) -> Outcome<Sample> {
    let deletes = peer.images(count)?;
    let (written, before) = (written_bytes(&context.folder)?, peer.cpu()?);
    let answered = load::send(peer.address(), connections, deletes, Pace::Closed)
        .await
        .map_err(|error| format!("{}: {error}", peer.name()))?;
    tokio::time::sleep(PAUSE).await;
    let cpu = peer.cpu()?.saturating_sub(before);
    Ok(sample(&answered, answered.elapsed, cpu, written_bytes(&context.folder)? - written))
}

/// Deletes over a server without a grace, from the first one until all bytes are gone and that is recorded.
async fn erase(server: &Server, data: &Path, first: u64, connections: usize) -> Outcome<Sample> {
    let folder = data.join("objects").join(REGIONS[0]);
    let mut bytes = vec![0; IMAGE_BYTES];
    for number in first..first + ERASED {
        let path = folder.join(object_key(Set::Own, number));
        fill(&mut bytes, number);
        fs::write(&path, &bytes).map_err(|error| failed(&path, &error))?;
    }
    let signed = |number| {
        let (operation, status) = delete(number);
        (operation.request(server.address, Signing::V1), status)
    };
    let deletes: Requests = (first..first + ERASED).map(signed).collect();
    let (written, before) = (written_bytes(data)?, server.cpu()?);
    let began = Instant::now();
    let answered = load::send(server.address, connections, deletes, Pace::Closed).await?;
    server.wait_for("calotype_deletions_pending", "", |pending| pending < 1.0).await?;
    let elapsed = began.elapsed();
    let cpu = quiet(server).await?.saturating_sub(before);
    let written = written_bytes(data)? - written;
    let is_left = |number| folder.join(object_key(Set::Own, number)).exists();
    if (first..first + ERASED).any(is_left) {
        return Err("not all bytes are erased".to_owned());
    }
    Ok(sample(&answered, elapsed, cpu, written))
}

fn sample(answered: &Answered, elapsed: Duration, cpu: Duration, written: f64) -> Sample {
    let count = answered.latencies.len() as f64;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    Sample {
        rate: count / elapsed.as_secs_f64(),
        cpu_us: micros(cpu) / count,
        written: written / count,
        p50_us: micros(answered.quantile(0.5)),
        p99_us: micros(answered.quantile(0.99)),
    }
}

/// How often Glance's database waits for the disk, and commits, for one delete.
async fn durable(glance: &Glance) -> Outcome<(f64, f64)> {
    let deletes = glance.images(GLANCE)?;
    let before = glance.postgres.syncs_and_commits()?;
    load::send(glance.address(), CONNECTIONS[0], deletes, Pace::Closed).await?;
    let after = glance.postgres.syncs_and_commits()?;
    Ok(((after.0 - before.0) / GLANCE as f64, (after.1 - before.1) / GLANCE as f64))
}

fn table(samples: &Samples) -> Table {
    let mut table = Table::new(&[
        "Service",
        "deletes per second",
        "CPU of a delete in µs",
        "Calotype's rate against it",
        "its CPU against Calotype's",
        "p50 in ms",
        "p99 in ms",
        "written in B",
    ]);
    for (work, name) in NAMES {
        let spread = |figure: fn(&Sample) -> f64| samples.spread(work, figure);
        table.row([
            name.to_owned(),
            spread(|sample| sample.rate).to_string(),
            spread(|sample| sample.cpu_us).to_string(),
            samples.ratio("delete", work, |sample| sample.rate).to_string(),
            samples.ratio(work, "delete", |sample| sample.cpu_us).to_string(),
            number(spread(|sample| sample.p50_us / 1e3).median),
            number(spread(|sample| sample.p99_us / 1e3).median),
            number(spread(|sample| sample.written).median),
        ]);
    }
    table
}

fn figures(report: &mut Report, samples: &Samples) {
    let against = |peer| samples.ratio("delete", peer, |sample| sample.rate);
    report.figure("glance", against("Glance"));
    report.figure("moto", against("moto"));
    let mut rate = Bars::new("Deletes per second, 64 connections");
    let mut cost = Bars::new("CPU of a delete in µs, 64 connections");
    for (work, name) in NAMES {
        let per_second = samples.spread(work, |sample| sample.rate);
        let cpu = samples.spread(work, |sample| sample.cpu_us);
        if matches!(work, "delete" | "erased") {
            rate.bar(name, per_second);
            cost.bar(name, cpu);
        } else {
            rate.base(name, per_second);
            cost.base(name, cpu);
        }
    }
    report.chart("peers_rate", &rate);
    report.chart("peers_cpu", &cost);
}

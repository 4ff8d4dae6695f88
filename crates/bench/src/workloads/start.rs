//! A start, the memory of an idle server, and a check, with 1,000,000 images.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::time::Instant;

use crate::Outcome;
use crate::catalogue::{OBJECT_BYTES, REGIONS, Set, object_key};
use crate::installation::{failed, remove};
use crate::measured::Spread;
use crate::report::Report;
use crate::run::{Context, OWN};
use crate::server::{Server, Setup, on_processors};
use crate::table::Table;
use crate::work::ROUNDS;
use crate::workloads::list::SIZE;

/// A server counts as idle after this.
const IDLE: Duration = Duration::from_secs(2);

/// A file can have so many names, and some more.
const NAMES_MAX: u64 = 60_000;

/// Measures starts, memory and a check.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    let data = with_objects(context).await?;
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        let server = start(context, &data).await?;
        starts.push(server.started_in.as_secs_f64());
        tokio::time::sleep(IDLE).await;
        memory.push(server.resident_bytes()? as f64 / f64::from(1 << 20));
        server.stop().await?;
    }
    let (starts, memory) = (Spread::of(starts), Spread::of(memory));
    report.figure("start", starts);
    report.figure("idle_memory", memory);
    let server = start(context, &data).await?;
    let mut checks = Vec::new();
    for _ in 0..2 {
        checks.push(check(context, &data)?);
    }
    server.stop().await?;
    let table = Table::new(&["With 1,010,000 images", ""])
        .with(["from the start of the process to its first answer, in s", &starts.to_string()])
        .with(["resident memory after two seconds, in MiB", &memory.to_string()])
        .with(["`calotype check` beside the server, in s", &Spread::of(checks).to_string()]);
    report.table("start", &table);
    Ok(())
}

async fn start(context: &Context, data: &Path) -> Outcome<Server> {
    Server::start(&Setup { binary: &context.binary, data, processors: OWN, database: None, grace: "1h" })
        .await
}

/// Every record is compared with an object, as long as it should be; nothing is wrong.
fn check(context: &Context, data: &Path) -> Outcome<f64> {
    let began = Instant::now();
    let mut command = on_processors(&context.binary, &context.all());
    command.arg("check").arg("--config").arg(data.join("calotype.toml"));
    let checked = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let elapsed = began.elapsed().as_secs_f64();
    match checked {
        Ok(status) if status.success() => Ok(elapsed),
        _ => Err("the check finds something, or fails".to_owned()),
    }
}

/// A data folder that is kept from run to run: the catalogue, and an object for each image. They are few files with
/// many names, without bytes on the disk.
async fn with_objects(context: &Context) -> Outcome<std::path::PathBuf> {
    let data = context.catalogues.folder(SIZE, "-objects");
    if data.exists() {
        return Ok(data);
    }
    println!("writing objects for a check");
    let unfinished = context.catalogues.folder(SIZE, "-objects-unfinished");
    remove(&unfinished)?;
    let installation = context.catalogues.fresh(SIZE, "objects")?;
    // A server makes the folder of the region, and marks it.
    installation.server(&context.binary, OWN).await?.stop().await?;
    let region = installation.data.join("objects").join(REGIONS[0]);
    for (set, count) in [(Set::Own, SIZE.own), (Set::Used, SIZE.used), (Set::Others, SIZE.others)] {
        for number in 0..count {
            let first = number - number % NAMES_MAX;
            let path = region.join(object_key(set, number));
            let made = if number == first {
                File::create(&path).and_then(|file| file.set_len(OBJECT_BYTES))
            } else {
                fs::hard_link(region.join(object_key(set, first)), &path)
            };
            made.map_err(|error| failed(&path, &error))?;
        }
    }
    fs::rename(&installation.data, &unfinished).map_err(|error| failed(&unfinished, &error))?;
    fs::rename(&unfinished, &data).map_err(|error| failed(&data, &error))?;
    Ok(data)
}

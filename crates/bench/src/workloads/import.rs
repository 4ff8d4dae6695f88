//! An import of 4 GiB, beside reading, hashing and writing as many bytes.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use calotype_core::qcow2;
use ring::digest::{Context as Digest, SHA256};
use tokio::time::Instant;

use crate::Outcome;
use crate::calls::Signing;
use crate::disk::sync;
use crate::installation::failed;
use crate::load;
use crate::measured::Spread;
use crate::report::Report;
use crate::requests;
use crate::run::Context;
use crate::table::Table;

/// The size of the imported disk.
const DISK_BYTES: u64 = 4 << 30;

/// The room that is needed for it, its copy, and what is written beside them.
const FREE_BYTES: u64 = 14 << 30;

/// How often it is imported.
const ROUNDS: usize = 3;

/// What is read or written at once.
const PART_BYTES: usize = 4 << 20;

const CLUSTER: u64 = qcow2::CLUSTER_BYTES as u64;
const ENTRIES: u64 = CLUSTER / 8;

/// What one repetition gave, in seconds and bytes.
struct Round {
    read: f64,
    hash: f64,
    write: f64,
    import: f64,
    memory: f64,
}

/// Measures imports.
///
/// # Errors
/// A text.
pub async fn measure(context: &Context, report: &mut Report) -> Outcome {
    if super::free_bytes(&context.folder) < FREE_BYTES {
        return Err("there are less than 14 GiB free, so nothing of 4 GiB is imported".to_owned());
    }
    let installation = context.catalogues.empty("import")?;
    let bucket = installation.data.join("buckets/golden");
    fs::create_dir_all(&bucket).map_err(|error| failed(&bucket, &error))?;
    let disk = bucket.join("disk.qcow2");
    write_disk(&disk).map_err(|error| failed(&disk, &error))?;
    let server = installation.server(&context.binary, &context.all()).await?;
    context.load_anywhere()?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let copy = installation.data.join("copy");
        let [read, hash, write] = floor(&disk, &copy).map_err(|error| failed(&disk, &error))?;
        fs::remove_file(&copy).map_err(|error| failed(&copy, &error))?;
        sync()?;
        let filled = server.filled().await?;
        let idle = server.resident_bytes()?;
        server.forget_peak()?;
        let began = Instant::now();
        let (operation, _) = requests::import("golden", "disk.qcow2");
        load::ask(server.address, &operation.request(server.address, Signing::V1)).await?;
        server.until_filled(filled + 1.0).await?;
        let import = began.elapsed().as_secs_f64();
        let memory = server.peak_bytes()?.saturating_sub(idle) as f64 / f64::from(1 << 20);
        rounds.push(Round { read, hash, write, import, memory });
        println!("read {read:.2} hash {hash:.2} write {write:.2} import {import:.2} s, {memory:.1} MiB");
    }
    server.stop().await?;
    tell(report, &rounds);
    Ok(())
}

fn tell(report: &mut Report, rounds: &[Round]) {
    let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    let against = spread(|round| round.import / round.read.max(round.hash).max(round.write));
    let memory = spread(|round| round.memory);
    let mut table = Table::new(&["4 GiB", "in s"]);
    for (name, seconds) in [
        ("read, from the page cache", spread(|round| round.read)),
        ("hashed on one thread", spread(|round| round.hash)),
        ("written and synced", spread(|round| round.write)),
        ("imported, from the request until it is recorded as there", spread(|round| round.import)),
    ] {
        table.row([name.to_owned(), seconds.to_string()]);
    }
    table.row(["import against the slowest of the three, times".to_owned(), against.to_string()]);
    table.row(["greatest resident memory above idle, in MiB".to_owned(), memory.to_string()]);
    report.table("import", &table);
    report.figure("import", against);
    report.figure("import_memory", memory);
}

/// The times of reading, hashing and writing all bytes, each by itself.
fn floor(disk: &Path, copy: &Path) -> std::io::Result<[f64; 3]> {
    let mut part = vec![0; PART_BYTES];
    let mut parts = || -> std::io::Result<f64> {
        let (mut source, began) = (File::open(disk)?, Instant::now());
        while source.read(&mut part)? > 0 {}
        Ok(began.elapsed().as_secs_f64())
    };
    let read = parts()?;
    let count = fs::metadata(disk)?.len() / PART_BYTES as u64;
    let (mut digest, began) = (Digest::new(&SHA256), Instant::now());
    (0..count).for_each(|_| digest.update(&part));
    digest.finish();
    let hash = began.elapsed().as_secs_f64();
    let (mut target, began) = (File::create(copy)?, Instant::now());
    (0..count).try_for_each(|_| target.write_all(&part))?;
    target.sync_all()?;
    Ok([read, hash, began.elapsed().as_secs_f64()])
}

/// Writes a disk whose every cluster has data that looks like chance.
fn write_disk(path: &Path) -> std::io::Result<()> {
    let clusters = DISK_BYTES / CLUSTER;
    let tables = clusters / ENTRIES;
    // An empty disk, which is made full: its first table gets tables, and they the clusters that follow them.
    let mut head = qcow2::minimal(DISK_BYTES);
    let tables_at = head.len() as u64;
    let data_at = tables_at + tables * CLUSTER;
    let l1 = head.len() - CLUSTER as usize;
    let entry = |place: u64| (place | 1 << 63).to_be_bytes();
    for table in 0..tables {
        let at = l1 + 8 * table as usize;
        head[at..at + 8].copy_from_slice(&entry(tables_at + table * CLUSTER));
    }
    let mut file = File::create(path)?;
    file.write_all(&head)?;
    let l2: Vec<u8> = (0..clusters).flat_map(|cluster| entry(data_at + cluster * CLUSTER)).collect();
    file.write_all(&l2)?;
    let mut part = vec![0; PART_BYTES];
    for number in 0..DISK_BYTES / PART_BYTES as u64 {
        super::fill(&mut part, number);
        file.write_all(&part)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_table_is_the_last_cluster_of_an_empty_disk() {
        let empty = qcow2::minimal(DISK_BYTES);
        let header = qcow2::Header::parse(&empty).unwrap();
        assert_eq!(header.l1_range().start, empty.len() as u64 - CLUSTER);
    }
}

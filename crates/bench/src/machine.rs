//! On what it was measured, and with which programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use calotype::clock::Clock;
use calotype_store::db::{Db, Options, Place, StoreError};

use crate::report::Report;

/// How many processors there are.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Adds what the document says about the machine and the programs.
pub fn describe(report: &mut Report, folder: &Path, processors: usize) {
    let processor = line(&text("/proc/cpuinfo"), "model name");
    let kib: f64 = line(&text("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
    let folder = folder.to_string_lossy().into_owned();
    for (name, value) in [
        ("processor", processor),
        ("processors", processors.to_string()),
        ("memory", format!("{:.0} GiB", kib / f64::from(1 << 20))),
        ("kernel", text("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("file_system", output("findmnt", &["-n", "-o", "FSTYPE", "-T", &folder])),
        ("rustc", output("rustc", &["--version"])),
        ("calotype", env!("CARGO_PKG_VERSION").to_owned()),
        ("commit", commit()),
        ("date", Clock::System.now().to_string().chars().take(10).collect()),
    ] {
        report.value(name, value);
    }
}

fn commit() -> String {
    let changed = output("git", &["status", "--porcelain", "--", "crates"]);
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    if changed == "-" { commit } else { format!("{commit}, with changes") }
}

fn line(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or("-", |(_, value)| value.trim()).to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a program prints, or a dash.
#[must_use]
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned())
}

/// The version that a database says it has.
pub async fn database_version(place: Place) -> String {
    let sql = match place {
        Place::Sqlite(_) => "SELECT sqlite_version()",
        Place::Postgres(_) => "SELECT current_setting('server_version')",
    };
    let ask = async {
        let db = Db::open(&Options::new(place)).await?;
        let rows = db.read().await?.query(sql, &[]).await?;
        Ok::<_, StoreError>(rows.first().and_then(|row| row.text(0).ok().map(str::to_owned)))
    };
    ask.await.ok().flatten().unwrap_or_else(|| "-".to_owned())
}

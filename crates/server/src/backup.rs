//! The commands that save the embedded metadata and bring it back.
//!
//! They are about records only. The bytes of images lie in the stores of the regions, which have backups of their
//! own or need none: what of them is no longer there is found by a check.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use calotype_store::backup;
use calotype_store::db::Place;

use crate::app::{Command, hold, take_folder};
use crate::clock::Clock;
use crate::config::Config;

/// The time that a restore takes at least: the keys of objects after it begin with its second, which no other
/// restore may have.
const RESTORE_TAKES: Duration = Duration::from_secs(1);

/// The file of the metadata, if they are in one.
fn embedded(config: &Config) -> Result<&Path, Box<dyn Error>> {
    match &config.metadata {
        Place::Sqlite(path) => Ok(path),
        Place::Postgres(_) => {
            Err("the metadata is in PostgreSQL, whose own tools save it: see docs/operating.md".into())
        }
    }
}

/// Writes the metadata as it is now into a new file. A server may run.
///
/// # Errors
/// If it cannot be written whole; then there is no such file.
pub fn save(config: &Config, file: &Path) -> Result<(), Box<dyn Error>> {
    let _held = hold(&config.data, Command::Look)?;
    backup::save(embedded(config)?, file)?;
    let bytes = std::fs::metadata(file)?.len();
    println!("the metadata is saved in {}: {bytes} bytes", file.display());
    Ok(())
}

/// Puts a backup in the place of the metadata. No server may run.
///
/// # Errors
/// If a process uses the data folder, or the backup is not one.
pub async fn restore(config: &Config, file: &Path) -> Result<(), Box<dyn Error>> {
    let _folder = take_folder(&config.data)?;
    let _held = hold(&config.data, Command::Restore)?;
    let kept = backup::restore(file, embedded(config)?, Clock::System.now()).await?;
    tokio::time::sleep(RESTORE_TAKES).await;
    println!("the metadata is that of {}", file.display());
    if let Some(kept) = kept {
        println!("what was there before is kept in {}", kept.display());
    }
    println!("start the server, then run `calotype check --repair`: bytes have changed since the backup");
    Ok(())
}

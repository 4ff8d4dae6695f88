//! The commands that save the metadata, bring it back, and take it elsewhere.
//!
//! They are about records only. The bytes of images lie in the stores of the regions, which have backups of their
//! own or need none: what of them is no longer there is found by a check.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use calotype_store::backup;
use calotype_store::db::transfer::transfer;
use calotype_store::db::{Db, Options, Place};

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

/// Puts a backup in the place of the metadata, or settles what came after one that PostgreSQL's own tools have brought
/// back. No server may run.
///
/// # Errors
/// If a process uses the data folder, or the backup is not one.
pub async fn restore(config: &Config, file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let _folder = take_folder(&config.data)?;
    let _held = hold(&config.data, Command::Restore)?;
    let now = Clock::System.now();
    match (&config.metadata, file) {
        (Place::Sqlite(path), Some(file)) => {
            let kept = backup::restore(file, path, now).await?;
            println!("the metadata is that of {}", file.display());
            if let Some(kept) = kept {
                println!("what was there before is kept in {}", kept.display());
            }
        }
        (Place::Postgres(_), None) => {
            let db = Db::attach(&Options::new(config.metadata.clone())).await?;
            backup::make_ready(&db, now).await?;
            println!("the metadata is that of a backup from now on");
        }
        (Place::Sqlite(_), None) => return Err("name the saved file".into()),
        (Place::Postgres(_), Some(_)) => {
            return Err(
                "bring the backup back with PostgreSQL's own tools, then call this without a file".into()
            );
        }
    }
    tokio::time::sleep(RESTORE_TAKES).await;
    println!("start the server, then run `calotype check --repair`: bytes have changed since the backup");
    Ok(())
}

/// Takes the metadata from a file to an empty database. No server may run.
///
/// # Errors
/// If a process uses the data folder, or not every row arrives; then the database is as empty as before.
pub async fn migrate(config: &Config, from: &Place, to: &Place) -> Result<(), Box<dyn Error>> {
    let _folder = take_folder(&config.data)?;
    let _held = hold(&config.data, Command::Restore)?;
    let (Place::Sqlite(file), Place::Postgres(address)) = (from, to) else {
        return Err("metadata goes from sqlite:PATH to postgres://USER@HOST/NAME".into());
    };
    for taken in transfer(file, address).await? {
        println!("{:>10} {}", taken.rows, taken.table);
    }
    println!("the metadata is in the database, row for row; {} is as it was", file.display());
    println!("set metadata.url, start the servers, and run `calotype check`");
    Ok(())
}

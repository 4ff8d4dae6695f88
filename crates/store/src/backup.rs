//! Backups of the embedded metadata, and bringing one back.
//!
//! A backup is the state of one moment. What happened after it did happen: bytes were written and erased, and
//! requests carried out. So a restore does more than put a file in its place: keys of objects that may have been
//! used since are not used again, and requests that may have been carried out since are not carried out again.

use std::path::{Path, PathBuf};

use calotype_core::time::Timestamp;

use crate::db::sqlite::files::{self, FileError};
use crate::db::{CommitMode, Db, Options, StoreError};
use crate::{exports, replicas, stores};

/// Why a backup cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The files are not as they must be.
    #[error(transparent)]
    File(#[from] FileError),
    /// The backup cannot be made ready; the metadata is as it was.
    #[error("the backup cannot be made ready")]
    Store(#[from] StoreError),
}

/// Writes the metadata of one moment into a new file. The metadata may be in use.
///
/// # Errors
/// [`FileError`]; then there is no such file.
pub fn save(metadata: &Path, backup: &Path) -> Result<(), FileError> {
    files::copy(metadata, backup)
}

/// Puts a backup in the place of the metadata, which nobody may use meanwhile. What was there is kept beside it;
/// gives its name.
///
/// No two restores may happen in one second.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(
    backup: &Path,
    metadata: &Path,
    now: Timestamp,
) -> Result<Option<PathBuf>, RestoreError> {
    let prepared = files::prepare(backup, metadata)?;
    let restored = match make_ready_file(&prepared, now).await {
        Ok(()) => files::replace(metadata, &prepared).map_err(RestoreError::from),
        Err(error) => Err(error.into()),
    };
    if restored.is_err() {
        files::abandon(&prepared);
    }
    restored
}

async fn make_ready_file(prepared: &Path, now: Timestamp) -> Result<(), StoreError> {
    let options = Options { commit: CommitMode::Alone, ..Options::new(prepared.to_owned()) };
    make_ready(&Db::open(&options).await?, now).await
}

/// Settles what came after a backup that was brought back. Nobody may use the database meanwhile.
///
/// # Errors
/// Any [`StoreError`].
pub async fn make_ready(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    // Seconds: more than any replica was ever written, and more than at every earlier restore.
    let first_write = u32::try_from(now.as_millis() / 1_000).unwrap_or(u32::MAX);
    replicas::records::skip_writes(&mut tx, first_write).await?;
    // The processes that held them are gone.
    replicas::release_leases(&mut tx, now).await?;
    exports::release_leases(&mut tx, now).await?;
    stores::record_restored(&mut tx, now).await?;
    tx.commit().await
}

//! What this installation knows of itself: its id, when its metadata was restored, and the stores of objects
//! that are its own.

use calotype_core::ids::RegionId;
use calotype_core::time::Timestamp;

use crate::db::{Db, Result, StoreError, Tx};
use crate::objects::{ObjectError, Objects};

/// Why a region's store cannot be used for the first time.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The metadata did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store did not, or it belongs to another installation.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// The id of this installation: `fresh`, if it has none. Processes that ask at the same time agree.
///
/// # Errors
/// Any [`StoreError`].
pub async fn installation(db: &Db, fresh: &str) -> Result<String> {
    if let Some(id) = value(&mut db.read().await?, "id").await? {
        return Ok(id);
    }
    let mut tx = db.begin().await?;
    tx.execute(
        "INSERT INTO installation (name, value) VALUES ('id', $1) ON CONFLICT DO NOTHING",
        &[fresh.into()],
    )
    .await?;
    tx.commit().await?;
    // What another process has written is not seen before.
    let id = value(&mut db.read().await?, "id").await?;
    id.ok_or_else(|| StoreError::Corrupt("the installation has no id".to_owned()))
}

/// Gives a region's store with the marker that it must have. A store that is used for the first time is made
/// and marked; one that was used before need not be there now: each call looks for the marker.
///
/// # Errors
/// [`ClaimError`], only for a store that was never used.
pub async fn claim(
    db: &Db,
    installation: &str,
    region: &RegionId,
    objects: &Objects,
) -> std::result::Result<Objects, ClaimError> {
    if !objects.needs_marker() {
        return Ok(objects.clone());
    }
    if let Some(token) = token(&mut db.read().await?, region).await? {
        return Ok(objects.marked(&token));
    }
    // The same for every process of this installation, and again if this one ends halfway.
    let token = format!("{installation} {region}");
    let objects = objects.marked(&token);
    objects.make()?;
    objects.mark().await?;
    let mut tx = db.begin().await?;
    tx.execute(
        "INSERT INTO stores (region, token) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        &[region.as_str().into(), (&token).into()],
    )
    .await?;
    tx.commit().await?;
    Ok(objects)
}

/// What the store of a region is marked with; `None` if it was never used.
///
/// # Errors
/// Any [`StoreError`].
pub async fn token(tx: &mut Tx, region: &RegionId) -> Result<Option<String>> {
    let row = tx.query_opt("SELECT token FROM stores WHERE region = $1", &[region.as_str().into()]).await?;
    row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// When the metadata was last restored from a backup.
///
/// # Errors
/// Any [`StoreError`].
pub async fn restored(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let Some(text) = value(tx, "restored_ms").await? else { return Ok(None) };
    let millis = text.parse().map_err(|_| StoreError::Corrupt("when it was restored".to_owned()))?;
    Ok(Some(Timestamp::from_millis(millis)))
}

/// Writes that the metadata is restored from a backup.
///
/// # Errors
/// Any [`StoreError`].
pub async fn record_restored(tx: &mut Tx, now: Timestamp) -> Result<()> {
    tx.execute_one(
        "INSERT INTO installation (name, value) VALUES ('restored_ms', $1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[(&now.as_millis().to_string()).into()],
    )
    .await
}

/// How often servers were told to read their configuration again.
///
/// # Errors
/// Any [`StoreError`].
pub async fn reloads(tx: &mut Tx) -> Result<i64> {
    let text = value(tx, "reloads").await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Tells every server to read its configuration again; gives how often they were told now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn ask_to_reload(tx: &mut Tx) -> Result<i64> {
    tx.execute(
        "INSERT INTO installation (name, value) VALUES ('reloads', '1') ON CONFLICT (name) \
         DO UPDATE SET value = CAST(CAST(installation.value AS BIGINT) + 1 AS TEXT)",
        &[],
    )
    .await?;
    reloads(tx).await
}

async fn value(tx: &mut Tx, name: &'static str) -> Result<Option<String>> {
    let row = tx.query_opt("SELECT value FROM installation WHERE name = $1", &[name.into()]).await?;
    row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

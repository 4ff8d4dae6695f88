//! Versions of App Streaming images.

use calotype_core::ids::{ImageId, VersionId};
use calotype_core::time::Timestamp;

use crate::db::{Result, Tx};

/// A version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Its name, such as `v0.1.0`.
    pub name: String,
}

/// Writes a new version of an image.
///
/// # Errors
/// [`crate::db::StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, image: &ImageId, version: &Version, now: Timestamp) -> Result<()> {
    tx.execute_one(
        "INSERT INTO versions (id, image_id, name, created_ms) VALUES ($1, $2, $3, $4)",
        &[version.id.as_str().into(), image.as_str().into(), (&version.name).into(), now.as_millis().into()],
    )
    .await
}

/// The versions of an image, the oldest first.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn of_image(tx: &mut Tx, image: &ImageId) -> Result<Vec<Version>> {
    let rows = tx
        .query("SELECT id, name FROM versions WHERE image_id = $1 ORDER BY id", &[image.as_str().into()])
        .await?;
    rows.iter()
        .map(|row| Ok(Version { id: VersionId::trusted(row.text(0)?), name: row.text(1)?.to_owned() }))
        .collect()
}

/// Removes every version of an image that is being deleted.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn remove_all(tx: &mut Tx, image: &ImageId) -> Result<()> {
    tx.execute("DELETE FROM versions WHERE image_id = $1", &[image.as_str().into()]).await?;
    Ok(())
}

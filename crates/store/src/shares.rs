//! Shares: which accounts an owner lets use an image.

use calotype_core::ids::{AccountId, ImageId};
use calotype_core::time::Timestamp;

use crate::db::{Query, Result, Row, Tx};

/// The accounts that an image is shared with, in the order of their ids.
pub fn of_image(image: &ImageId) -> Query<'_, Vec<AccountId>> {
    Query::new(
        "SELECT account_id FROM shares WHERE image_id = $1 ORDER BY account_id",
        &[image.as_str().into()],
        |rows| rows.iter().map(|row| Ok(AccountId::trusted(row.text(0)?))).collect(),
    )
}

/// The accounts that an image is shared with, in the order of their ids, and since when.
pub fn since(image: &ImageId) -> Query<'_, Vec<(AccountId, Timestamp)>> {
    Query::new(
        "SELECT account_id, since_ms FROM shares WHERE image_id = $1 ORDER BY account_id",
        &[image.as_str().into()],
        |rows| {
            let share =
                |row: &Row| Ok((AccountId::trusted(row.text(0)?), Timestamp::from_millis(row.integer(1)?)));
            rows.iter().map(share).collect()
        },
    )
}

/// Shares an image with an account; nothing changes if it is shared already.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn add(tx: &mut Tx, image: &ImageId, account: &AccountId, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO shares (image_id, account_id, since_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[image.as_str().into(), account.as_str().into(), now.as_millis().into()],
    )
    .await?;
    Ok(())
}

/// Takes a share back; nothing changes if there is none.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn remove(tx: &mut Tx, image: &ImageId, account: &AccountId) -> Result<()> {
    tx.execute(
        "DELETE FROM shares WHERE image_id = $1 AND account_id = $2",
        &[image.as_str().into(), account.as_str().into()],
    )
    .await?;
    Ok(())
}

/// Takes every share of an image back.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn remove_all(tx: &mut Tx, image: &ImageId) -> Result<()> {
    tx.send("DELETE FROM shares WHERE image_id = $1", &[image.as_str().into()]).await
}

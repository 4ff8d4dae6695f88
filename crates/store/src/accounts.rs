//! Whole accounts: what is theirs, and its end.

use calotype_core::delete_image::DeletePlan;
use calotype_core::ids::{AccountId, DeletionId, ImageId, InstanceId, SnapshotId};
use calotype_core::time::Timestamp;

use crate::db::{Lock, Result, StoreError, Tx};
use crate::deletions::{DeletionAct, Kept};
use crate::{images, instances, replicas, shares, snapshots, usages};

/// The images of the account `$1`, and those that it had.
macro_rules! own_images {
    () => {
        "(SELECT id FROM images WHERE owner = $1 AND deleted_ms IS NULL \
         UNION ALL SELECT image_id FROM deletions WHERE owner = $1)"
    };
}

/// Removes everything that an account has, and whatever of others stands on its images: what runs them, and the
/// templates and bundles that reference them. Its bytes are to be erased from now on.
///
/// # Errors
/// Any [`StoreError`].
pub async fn remove(
    tx: &mut Tx,
    account: &AccountId,
    request_id: &str,
    now: Timestamp,
    mut fresh: impl FnMut() -> DeletionId,
) -> Result<()> {
    let owner = &[account.as_str().into()];
    let found = tx
        .query("SELECT id, product FROM images WHERE owner = $1 AND deleted_ms IS NULL ORDER BY id", owner)
        .await?;
    let mut own = Vec::with_capacity(found.len());
    for row in &found {
        let id = ImageId::trusted(row.text(0)?);
        images::lock(tx, &id, Lock::Alone);
        let product = images::product_from_text(row.text(1)?)?;
        let view = tx.ask(images::load(product, &id, account)).await?;
        own.push(view.ok_or(StoreError::Conflict)?.image);
    }
    release_consumers(tx, account).await?;
    for sql in [
        concat!("DELETE FROM bundles WHERE owner = $1 OR image_id IN ", own_images!()),
        concat!("DELETE FROM templates WHERE owner = $1 OR image_id IN ", own_images!()),
        "DELETE FROM shares WHERE account_id = $1",
        concat!("DELETE FROM exports WHERE image_id IN ", own_images!()),
        "DELETE FROM sessions WHERE account = $1",
    ] {
        tx.execute(sql, owner).await?;
    }
    for row in &tx.query("SELECT id FROM snapshots WHERE owner = $1 ORDER BY id", owner).await? {
        snapshots::delete(tx, &SnapshotId::trusted(row.text(0)?), now).await?;
    }
    for image in own {
        let kept = Kept { shares: tx.ask(shares::since(&image.id)).await?, ..Kept::default() };
        let plan = DeletePlan {
            deletion: fresh(),
            accepted: now,
            erase_from: now,
            shares: tx.ask(shares::of_image(&image.id)).await?,
            replicas: tx
                .ask(replicas::of_image(&image.id))
                .await?
                .into_iter()
                .map(|entry| entry.id)
                .collect(),
            templates_go: true,
            image,
        };
        let act = DeletionAct { caller: account.as_str(), request_id, reason: None, kept: &kept };
        images::apply_delete(tx, &plan, &act).await?;
    }
    // What was deleted before does not wait for the end of its grace period.
    tx.execute(
        concat!(
            "UPDATE replicas SET due_ms = $2 WHERE state = 'erasing' AND lease_owner IS NULL AND due_ms > $2 \
             AND holder_id IN ",
            own_images!()
        ),
        &[account.as_str().into(), now.as_millis().into()],
    )
    .await?;
    tx.execute(
        "UPDATE deletions SET erase_from_ms = $2 WHERE owner = $1 AND completed_ms IS NULL AND erase_from_ms > $2",
        &[account.as_str().into(), now.as_millis().into()],
    )
    .await?;
    Ok(())
}

/// Releases what is the account's and runs images, and what runs images that are the account's.
async fn release_consumers(tx: &mut Tx, account: &AccountId) -> Result<()> {
    let consumers = tx
        .query(
            "SELECT kind, id FROM instances WHERE owner = $1 UNION \
             SELECT u.consumer_kind, u.consumer_id FROM usages u JOIN images i ON i.id = u.image_id \
             WHERE i.owner = $1 AND i.deleted_ms IS NULL",
            &[account.as_str().into()],
        )
        .await?;
    for row in &consumers {
        let kind = usages::kind_from_text(row.text(0)?)?;
        instances::release(tx, kind, &InstanceId::trusted(row.text(1)?)).await?;
    }
    Ok(())
}

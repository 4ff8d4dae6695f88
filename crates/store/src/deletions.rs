//! Deletions: one row for each accepted delete. It outlives the image.

use calotype_core::delete_image::DeletePlan;
use calotype_core::ids::{AccountId, ImageId};
use calotype_core::time::Timestamp;

use crate::db::{Result, Tx};

/// Writes the deletion of a plan.
pub(crate) async fn insert(
    tx: &mut Tx,
    plan: &DeletePlan,
    product: &'static str,
    caller: &str,
    request_id: &str,
) -> Result<()> {
    let shares = plan.shares.iter().map(AccountId::as_str).collect::<Vec<_>>().join(",");
    tx.execute_one(
        "INSERT INTO deletions (id, image_id, product, owner, caller, request_id, shares, accepted_ms, \
         erase_from_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            plan.deletion.as_str().into(),
            plan.image.id.as_str().into(),
            product.into(),
            plan.image.owner.as_str().into(),
            caller.into(),
            request_id.into(),
            (&shares).into(),
            plan.accepted.as_millis().into(),
            plan.erase_from.as_millis().into(),
        ],
    )
    .await
}

/// Completes the deletion of an image whose replicas are all erased; does nothing if one is not.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn complete_if_erased(tx: &mut Tx, image: &ImageId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE deletions SET completed_ms = $2 WHERE image_id = $1 AND completed_ms IS NULL AND NOT EXISTS \
         (SELECT 1 FROM replicas r WHERE r.holder_id = $1 AND r.state <> 'erased')",
        &[image.as_str().into(), now.as_millis().into()],
    )
    .await?;
    Ok(())
}

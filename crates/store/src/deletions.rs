//! Deletions: one row for each accepted delete. It outlives the image.

use calotype_core::delete_image::DeletePlan;
use calotype_core::ids::{AccountId, ImageId, TemplateId};
use calotype_core::time::Timestamp;

use crate::db::{Result, Tx};

/// Who did it, and what went with the image that the ladder does not ask for.
#[derive(Clone, Copy, Debug)]
pub struct DeletionAct<'a> {
    /// The ARN of the caller.
    pub caller: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// The templates that went with it.
    pub templates: &'a [TemplateId],
}

/// Writes the deletion of a plan.
pub(crate) async fn insert(
    tx: &mut Tx,
    plan: &DeletePlan,
    product: &'static str,
    act: &DeletionAct<'_>,
) -> Result<()> {
    let shares = plan.shares.iter().map(AccountId::as_str).collect::<Vec<_>>().join(",");
    let templates = act.templates.iter().map(TemplateId::as_str).collect::<Vec<_>>().join(",");
    tx.execute_one(
        "INSERT INTO deletions (id, image_id, product, owner, caller, request_id, shares, accepted_ms, \
         erase_from_ms, templates) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            plan.deletion.as_str().into(),
            plan.image.id.as_str().into(),
            product.into(),
            plan.image.owner.as_str().into(),
            act.caller.into(),
            act.request_id.into(),
            (&shares).into(),
            plan.accepted.as_millis().into(),
            plan.erase_from.as_millis().into(),
            (&templates).into(),
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

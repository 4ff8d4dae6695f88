//! Deletes an image.

use calotype_core::delete_image::{DeleteImage, DeleteRefusal, DeleteRules, decide};
use calotype_core::ids::{DeletionId, ImageId};
use calotype_core::image::Product;
use calotype_core::time::Timestamp;
use calotype_store::images;

use super::{Caller, ServiceError, begin};
use crate::app::App;
use crate::clock::id_chance;

/// Deletes the image, with all that goes with it, or changes nothing. When this returns the delete is
/// durable; the bytes are erased later, by the workers.
///
/// # Errors
/// [`ServiceError`], refused with the first [`DeleteRefusal`] of the ladder.
pub async fn delete_image(
    app: &App,
    caller: &Caller,
    product: Product,
    rules: &DeleteRules,
    image: ImageId,
    now: Timestamp,
) -> Result<(), ServiceError<DeleteRefusal>> {
    let authorized = caller.authorize_one("image", image.as_str())?;
    let deletion = DeletionId::fresh(now, id_chance());
    let command = DeleteImage { image, deletion, grace_ms: app.settings.grace_ms };

    let mut tx = begin(app, caller).await?;
    let view = images::load_delete_view(&mut tx, product, &command.image, caller.account()).await?;
    let plan = decide(&authorized, &command, rules, &view, now).map_err(|refusal| {
        tracing::info!(request_id = caller.request_id, image = %command.image, %refusal, blockers = ?refusal, "delete refused");
        ServiceError::Refused(refusal)
    })?;
    images::apply_delete(&mut tx, &plan, authorized.caller(), &caller.request_id).await?;
    tx.commit().await?;

    tracing::info!(
        request_id = caller.request_id,
        image = %plan.image.id,
        deletion = %plan.deletion,
        caller = authorized.caller(),
        replicas = plan.replicas.len(),
        shares = plan.shares.len(),
        "image deleted"
    );
    app.wake.erasures.notify_one();
    Ok(())
}

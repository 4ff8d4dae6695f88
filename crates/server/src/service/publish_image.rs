//! Publishes images for everybody, and withdraws them.

use std::collections::BTreeSet;

use calotype_core::ids::ImageId;
use calotype_core::image::{NotChangeable, Product, Unusable, changeable, usable};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::images;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Why an image is not published or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// The caller cannot change the image.
    #[error(transparent)]
    Image(#[from] NotChangeable),
    /// The image is not available.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The image was derived from one that is deleted: a community image always has its parent (D35).
    #[error("the parent is gone")]
    ParentGone,
}

/// Makes an image of the caller's a community image, or an ordinary one again. To do so twice changes
/// nothing.
///
/// # Errors
/// [`ServiceError`].
pub async fn publish_image(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    publish: bool,
    now: Timestamp,
) -> Result<(), ServiceError<PublishRefusal>> {
    caller.authorize_one("image", image.as_str())?;
    let refused = |refusal| ServiceError::Refused(refusal);
    let mut tx = begin(app, caller).await?;
    let before = tx.ask(images::load(Product::AppStreaming, image, caller.account())).await?;
    let parent = before.and_then(|view| view.image.parent);
    // In the order of their ids, so that two such transactions do not wait for each other. A parent stays one.
    for locked in parent.iter().chain([image]).collect::<BTreeSet<_>>() {
        images::lock(&mut tx, locked, if locked == image { Lock::Alone } else { Lock::Shared });
    }
    let view = tx.ask(images::load(Product::AppStreaming, image, caller.account())).await?;
    let found = changeable(view.as_ref()).map_err(|refusal| refused(refusal.into()))?;
    if publish {
        usable(view.as_ref()).map_err(|refusal| refused(refusal.into()))?;
    }
    // A published child keeps its parent from being deleted.
    if let (Some(parent), true) = (&parent, publish)
        && tx.ask(images::load(Product::AppStreaming, parent, caller.account())).await?.is_none()
    {
        return Err(refused(PublishRefusal::ParentGone));
    }
    let published = publish.then(|| found.published.unwrap_or(now));
    images::set_published(&mut tx, image, published).await?;
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, %image, publish, "publication changed");
    Ok(())
}

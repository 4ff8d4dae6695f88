//! Deletes several images at once.

use std::collections::BTreeSet;

use calotype_core::delete_image::{DeleteRefusal, DeleteRules};
use calotype_core::ids::{BundleId, ImageId};
use calotype_core::image::Product;
use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, Tx};
use calotype_store::{bundles, images};

use super::delete_image::{DeleteImageError, command, delete_in};
use super::{Caller, begin};
use crate::app::App;

/// Why images were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteImagesError {
    /// One of them could not be deleted.
    #[error(transparent)]
    Image(DeleteImageError),
    /// These bundles of the caller's reference one of them.
    #[error("{} bundles reference the image", .0.len())]
    Bundled(Vec<BundleId>),
}

impl<E: Into<DeleteImageError>> From<E> for DeleteImagesError {
    fn from(error: E) -> Self {
        Self::Image(error.into())
    }
}

/// Deletes App Streaming images in one transaction, all or none, in the order given: each as
/// [`super::delete_image::delete_image`] does. The caller's bundles that reference one of them go with it
/// if `bundles_go`, or else keep it.
///
/// # Errors
/// [`DeleteImagesError`]: of the first image that is refused, the first [`DeleteRefusal`] of the ladder,
/// its bundles last.
pub async fn delete_images(
    app: &App,
    caller: &Caller,
    rules: &DeleteRules,
    ids: Vec<ImageId>,
    bundles_go: bool,
    now: Timestamp,
) -> Result<(), DeleteImagesError> {
    let authorized = caller.authorize_all()?;
    let mut tx = begin::<DeleteRefusal>(app, caller).await?;
    // In the order of their ids, so that two such transactions do not wait for each other.
    for image in ids.iter().collect::<BTreeSet<_>>() {
        images::lock(&mut tx, image, Lock::Alone).await?;
    }
    let mut deleted = Vec::with_capacity(ids.len());
    for image in ids {
        let command = command(app, image, now);
        let product = Product::AppStreaming;
        deleted.push(delete_in(&mut tx, caller, &authorized, product, rules, &command, now).await?);
        delete_bundles(&mut tx, caller, &command.image, bundles_go).await?;
    }
    tx.commit().await?;
    for deleted in &deleted {
        deleted.log(caller);
    }
    app.wake.erasures.notify_one();
    Ok(())
}

/// Deletes the caller's bundles that reference the image, or refuses because of them. What was applied
/// before a refusal has not happened: the transaction ends without a commit.
async fn delete_bundles(
    tx: &mut Tx,
    caller: &Caller,
    image: &ImageId,
    bundles_go: bool,
) -> Result<(), DeleteImagesError> {
    let found = bundles::of_image(tx, image, caller.account()).await?;
    if found.is_empty() {
        return Ok(());
    }
    let request_id = &caller.request_id;
    if !bundles_go {
        tracing::info!(request_id, %image, blockers = ?found, "delete refused");
        return Err(DeleteImagesError::Bundled(found));
    }
    bundles::delete_of_image(tx, image, caller.account()).await?;
    tracing::info!(request_id, %image, bundles = ?found, "bundles go with the image");
    Ok(())
}

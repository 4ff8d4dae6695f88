//! Deletes several images at once.

use std::collections::BTreeSet;

use calotype_core::delete_image::DeleteRules;
use calotype_core::ids::{BundleId, ImageId};
use calotype_core::image::Product;
use calotype_core::template::Bundle;
use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, Tx};
use calotype_store::{bundles, images};

use super::delete_image::{DeleteImageError, apply_in, command, decide_in};
use super::{Caller, begin};
use crate::app::App;
use crate::audit::{Ending, Matter, Refusal};

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

impl DeleteImagesError {
    fn ending(&self) -> Ending<'_> {
        match self {
            Self::Image(error) => error.ending(),
            Self::Bundled(bundles) => Ending::Refused(Refusal::bundled(bundles.len())),
        }
    }
}

/// Deletes App Streaming images in one transaction, all or none, in the order given: each as
/// [`super::delete_image::delete_image`] does. The caller's bundles that reference one of them go with it
/// if `bundles_go`, or else keep it.
///
/// # Errors
/// [`DeleteImagesError`]: of the first image that is refused, the first refusal of the ladder,
/// its bundles last.
pub async fn delete_images(
    app: &App,
    caller: &Caller,
    rules: &DeleteRules,
    ids: Vec<ImageId>,
    bundles_go: bool,
    now: Timestamp,
) -> Result<(), DeleteImagesError> {
    let product = Product::AppStreaming;
    let mut audit = caller.audit(app, Matter::Delete(product), &ids);
    let delete = async {
        let authorized = caller.authorize_all()?;
        let mut tx = begin(app, caller).await?;
        // In the order of their ids, so that two such transactions do not wait for each other.
        for image in ids.iter().collect::<BTreeSet<_>>() {
            images::lock(&mut tx, image, Lock::Alone);
        }
        let mut changes = Vec::with_capacity(ids.len());
        for image in &ids {
            audit.looks_at(image);
            let command = command(app, image.clone(), now);
            let planned = decide_in(&mut tx, caller, &authorized, product, rules, &command, now).await?;
            let bundles = delete_bundles(&mut tx, caller, image, bundles_go).await?;
            changes.push(apply_in(&mut tx, caller, planned, bundles, None).await?);
        }
        audit.commits(changes);
        tx.commit().await?;
        Ok(())
    };
    let deleted = delete.await;
    audit.end(deleted.as_ref().err().map_or(Ending::Accepted, DeleteImagesError::ending));
    deleted?;
    app.wake.erasures.ring();
    Ok(())
}

/// Deletes the caller's bundles that reference the image, and gives them, or refuses because of them.
async fn delete_bundles(
    tx: &mut Tx,
    caller: &Caller,
    image: &ImageId,
    bundles_go: bool,
) -> Result<Vec<Bundle>, DeleteImagesError> {
    let found = bundles::of_image(tx, image, caller.account()).await?;
    if found.is_empty() {
        return Ok(found);
    }
    if !bundles_go {
        return Err(DeleteImagesError::Bundled(found.into_iter().map(|bundle| bundle.id).collect()));
    }
    bundles::delete_of_image(tx, image, caller.account()).await?;
    Ok(found)
}

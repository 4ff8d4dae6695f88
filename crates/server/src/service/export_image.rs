//! Exports an image to an object of a bucket.

use calotype_core::export_image::{Export, ExportRefusal, ExportState, ExportTarget, decide};
use calotype_core::ids::{ImageId, RegionId};
use calotype_core::image::Product;
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::{exports, images};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: write this image's bytes to a bucket.
#[derive(Clone, Debug)]
pub struct ExportImage {
    /// The image.
    pub image: ImageId,
    /// The bucket.
    pub bucket: String,
    /// What the object's key begins with; must be well-formed.
    pub prefix: String,
    /// The region that the caller says the bucket is in.
    pub region: RegionId,
}

/// Why an export is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportImageRefusal {
    /// There is no such bucket.
    #[error("no such bucket")]
    NoBucket,
    /// There is no such region, or the bucket is in another one.
    #[error("the bucket is in another region")]
    OtherRegion,
    /// The image cannot be exported.
    #[error(transparent)]
    Image(ExportRefusal),
}

/// Accepts the export of an image of the caller's and gives the object that it goes to. From now on the image
/// cannot be deleted, until the workers have written the object or given it up.
///
/// # Errors
/// [`ServiceError`].
pub async fn export_image(
    app: &App,
    caller: &Caller,
    command: &ExportImage,
    now: Timestamp,
) -> Result<ExportTarget, ServiceError<ExportImageRefusal>> {
    let refused = ServiceError::Refused;
    caller.authorize_one("image", command.image.as_str())?;
    let bucket = app.places.bucket(&command.bucket).ok_or(refused(ExportImageRefusal::NoBucket))?;
    let known = app.places.region(&command.region).is_some();
    if !known || bucket.region.is_some_and(|region| region != command.region) {
        return Err(refused(ExportImageRefusal::OtherRegion));
    }
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, &command.image, Lock::Shared);
    let view = tx.ask(images::load(Product::Ens, &command.image, caller.account())).await?;
    let latest = tx.ask(exports::latest(&command.image)).await?;
    let image = decide(view.as_ref(), latest.as_ref())
        .map_err(|refusal| refused(ExportImageRefusal::Image(refusal)))?;
    let target = ExportTarget::of(&command.bucket, &command.prefix, &image.id);
    let export = Export { image: image.id.clone(), target, state: ExportState::Exporting, since: now };
    exports::begin(&mut tx, &export, now.plus_millis(app.settings.image_ms)).await?;
    tx.commit().await?;

    tracing::info!(
        request_id = caller.request_id,
        image = %export.image,
        target = %export.target,
        "export accepted"
    );
    app.wake.exports.notify_one();
    Ok(export.target)
}

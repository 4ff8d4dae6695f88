//! Imports an image from an object of a bucket.

use calotype_core::ids::{ImageId, RegionId, ReplicaId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product, Stage};
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::time::Timestamp;
use calotype_store::{images, replicas};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: make an image from this object.
#[derive(Clone, Debug)]
pub struct ImportImage {
    /// The name of the image.
    pub name: String,
    /// What the owner says about it.
    pub labels: ImageLabels,
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub object: String,
    /// The region for the bytes; the bucket's, or else the first, if absent.
    pub region: Option<RegionId>,
}

/// Why an import is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// There is no such bucket.
    #[error("no such bucket")]
    NoBucket,
    /// There is no such region.
    #[error("no such region")]
    NoRegion,
}

/// Accepts the import and gives the id of the image, which is being made. The object is read, checked
/// and copied by the workers.
///
/// # Errors
/// [`ServiceError`].
pub async fn import_image(
    app: &App,
    caller: &Caller,
    command: ImportImage,
    now: Timestamp,
) -> Result<ImageId, ServiceError<ImportRefusal>> {
    let authorized = caller.authorize_all()?;
    let bucket = app.places.bucket(&command.bucket).ok_or(ServiceError::Refused(ImportRefusal::NoBucket))?;
    let region = command.region.or(bucket.region).unwrap_or_else(|| app.default_region.clone());
    if app.places.region(&region).is_none() {
        return Err(ServiceError::Refused(ImportRefusal::NoRegion));
    }
    let image = Image {
        id: ImageId::fresh_ens(now, app.chance.id()),
        product: Product::Ens,
        owner: authorized.account().clone(),
        kind: ImageKind::Custom,
        state: ImageState::Making(Stage::Creating),
        name: command.name,
        labels: command.labels,
        region: region.clone(),
        virtual_size_bytes: None,
        stored_size_bytes: None,
        source_instance: None,
        source_snapshot: None,
        parent: None,
        base: None,
        published: None,
        created: now,
        modified: now,
    };
    let replica = NewReplica {
        id: ReplicaId::fresh(now, app.chance.id()),
        holder: Holder::Image(image.id.clone()),
        version: None,
        region,
        source: Source::Bucket { bucket: command.bucket, object: command.object },
    };

    let mut tx = begin(app, caller).await?;
    images::insert(&mut tx, &image).await?;
    replicas::insert(&mut tx, &replica, now.plus_millis(app.settings.image_ms)).await?;
    tx.commit().await?;

    tracing::info!(request_id = caller.request_id, image = %image.id, "import accepted");
    app.wake.fills.ring();
    Ok(image.id)
}

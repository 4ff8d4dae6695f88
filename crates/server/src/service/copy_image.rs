//! Copies an image to another region, as an image of its own.

use calotype_core::distribute_image::{DistributeImage, DistributeRefusal, DistributeView, decide};
use calotype_core::ids::{ImageId, RegionId, ReplicaId, VersionId};
use calotype_core::image::{Image, ImageState, Product, Stage};
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, StoreError};
use calotype_store::versions::Version;
use calotype_store::{images, replicas, versions};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: copy the newest version of this image.
#[derive(Clone, Debug)]
pub struct CopyImage {
    /// The image.
    pub image: ImageId,
    /// The region to copy from.
    pub source: RegionId,
    /// The region to copy to.
    pub destination: RegionId,
    /// The name of the copy.
    pub name: String,
    /// What changes of the details that it takes over.
    pub details: Vec<(String, String)>,
}

/// Accepts the command and gives the id of the copy, which is being made. It has bytes of its own, so the image may
/// be deleted as soon as this returns.
///
/// # Errors
/// [`ServiceError`].
pub async fn copy_image(
    app: &App,
    caller: &Caller,
    command: CopyImage,
    now: Timestamp,
) -> Result<ImageId, ServiceError<DistributeRefusal>> {
    let authorized = caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, &command.image, Lock::Shared);
    let existing = versions::of_image(&mut tx, &command.image).await?;
    let view = DistributeView {
        image: tx.ask(images::load(Product::AppStreaming, &command.image, caller.account())).await?,
        versions: existing.iter().map(|version| version.id.clone()).collect(),
        entries: tx.ask(replicas::of_image(&command.image)).await?,
    };
    let distribute =
        DistributeImage { version: None, source: Some(command.source), destinations: Vec::new() };
    let plan = decide(&distribute, &view).map_err(ServiceError::Refused)?;
    let copied = existing.into_iter().find(|version| version.id == plan.version);
    let (Some(view), Some(copied)) = (view.image, copied) else {
        return Err(StoreError::Corrupt("a plan about another image".to_owned()).into());
    };
    let mut image = Image {
        id: ImageId::fresh_app_streaming(now, app.chance.id()),
        owner: authorized.account().clone(),
        state: ImageState::Making(Stage::Creating),
        name: command.name,
        region: command.destination.clone(),
        virtual_size_bytes: None,
        stored_size_bytes: None,
        published: None,
        created: now,
        modified: now,
        // Its parents are those of the image: it is not derived from it, but the same.
        ..view.image
    };
    for (name, value) in command.details {
        image.labels.details.retain(|(other, _)| *other != name);
        image.labels.details.push((name, value));
    }
    let version = Version { id: VersionId::fresh(now, app.chance.id()), name: copied.name };
    let replica = NewReplica {
        id: ReplicaId::fresh(now, app.chance.id()),
        holder: Holder::Image(image.id.clone()),
        version: Some(version.id.clone()),
        region: command.destination,
        source: Source::Replica(plan.source),
    };
    images::insert(&mut tx, &image).await?;
    versions::insert(&mut tx, &image.id, &version, now).await?;
    replicas::insert(&mut tx, &replica, now.plus_millis(app.settings.image_ms)).await?;
    tx.commit().await?;

    tracing::info!(
        request_id = caller.request_id,
        image = %command.image,
        copy = %image.id,
        region = %replica.region,
        "copy accepted"
    );
    app.wake.fills.ring();
    Ok(image.id)
}

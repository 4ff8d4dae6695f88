//! Copies an image to further regions.

use calotype_core::distribute_image::{DistributeImage, DistributeRefusal, DistributeView, decide};
use calotype_core::ids::{ImageId, ReplicaId};
use calotype_core::image::Product;
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::{images, replicas, versions};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Begins to copy an image of the caller's to the regions that do not have it. The bytes are copied by
/// the workers, from store to store.
///
/// # Errors
/// [`ServiceError`].
pub async fn distribute_image(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    command: &DistributeImage,
    now: Timestamp,
) -> Result<(), ServiceError<DistributeRefusal>> {
    caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    // Alone: two of them must not copy to one region.
    images::lock(&mut tx, image, Lock::Alone);
    let versions = versions::of_image(&mut tx, image).await?;
    let view = DistributeView {
        image: tx.ask(images::load(Product::AppStreaming, image, caller.account())).await?,
        versions: versions.into_iter().map(|version| version.id).collect(),
        entries: tx.ask(replicas::of_image(image)).await?,
    };
    let plan = decide(command, &view).map_err(ServiceError::Refused)?;
    let due = now.plus_millis(app.settings.image_ms);
    replicas::refill(&mut tx, &plan.refilled, &plan.source, due).await?;
    for region in &plan.destinations {
        let replica = NewReplica {
            id: ReplicaId::fresh(now, app.chance.id()),
            holder: Holder::Image(image.clone()),
            version: Some(plan.version.clone()),
            region: region.clone(),
            source: Source::Replica(plan.source.clone()),
        };
        replicas::insert(&mut tx, &replica, due).await?;
    }
    tx.commit().await?;
    tracing::info!(
        request_id = caller.request_id,
        %image,
        regions = plan.destinations.len() + plan.refilled.len(),
        "distribution accepted"
    );
    app.wake.fills.ring();
    Ok(())
}

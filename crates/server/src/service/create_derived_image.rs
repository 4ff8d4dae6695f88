//! Makes an App Streaming image of a workstation or a delivery group.

use calotype_core::ids::{ImageId, InstanceId, RegionId, ReplicaId, VersionId};
use calotype_core::image::{Image, ImageKind, ImageState, Product, Stage};
use calotype_core::instance::{Activity, Instance};
use calotype_core::replica::{EntryState, Holder, NewReplica, RegionEntry, Source};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;
use calotype_store::db::{Lock, StoreError, Tx};
use calotype_store::tags::{self, Tag};
use calotype_store::versions::{self, Version};
use calotype_store::{images, instances, replicas};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The name of an image's first version.
const FIRST_VERSION: &str = "v0.1.0";

/// The command: make an image of what this consumer runs.
#[derive(Clone, Debug)]
pub struct DeriveImage {
    /// What kind of consumer it is.
    pub kind: ConsumerKind,
    /// The consumer.
    pub consumer: InstanceId,
    /// A parameter of its launch that must have this value, if any must.
    pub condition: Option<(&'static str, &'static str)>,
    /// The name of the image.
    pub name: String,
    /// What the image is for.
    pub product_type: &'static str,
    /// What changes of the details that it takes over from its parent.
    pub details: Vec<(String, String)>,
    /// Tags, keys with values.
    pub tags: Vec<(String, String)>,
}

/// Why an image is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveRefusal {
    /// The account has no such consumer, or not one that meets the condition.
    #[error("no such consumer")]
    NoInstance,
    /// The consumer is on the way to another state.
    #[error("the consumer is in another state")]
    InstanceStatus,
}

/// An image that is being made.
#[derive(Clone, Debug)]
pub struct DerivedImage {
    /// The image.
    pub image: ImageId,
    /// Its first version.
    pub version: VersionId,
}

type Result<T> = std::result::Result<T, ServiceError<DeriveRefusal>>;

/// Accepts the command. The bytes are copied by the workers, within the region of the consumer.
///
/// # Errors
/// [`ServiceError`].
pub async fn derive_image(
    app: &App,
    caller: &Caller,
    command: DeriveImage,
    now: Timestamp,
) -> Result<DerivedImage> {
    let authorized = caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    let (instance, parent, source) = load(&mut tx, caller, &command, now).await?;
    let version = Version { id: VersionId::fresh(now, app.chance.id()), name: FIRST_VERSION.to_owned() };
    let mut labels = parent.labels.clone();
    labels.product_type = command.product_type.to_owned();
    let parent_version = source.version.as_ref().map_or_else(String::new, ToString::to_string);
    let base_version = match parent.kind {
        ImageKind::System => parent_version.clone(),
        ImageKind::Custom => detail(&labels.details, "BaseImageVersion"),
    };
    let versions = [("ParentImageVersion", parent_version), ("BaseImageVersion", base_version)];
    let changed = versions.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(command.details);
    for (name, value) in changed {
        labels.details.retain(|(other, _)| *other != name);
        labels.details.push((name, value));
    }
    let region =
        app.places.region(&source_region(&instance)).map_or(source.region, |_| source_region(&instance));
    let image = Image {
        id: ImageId::fresh_app_streaming(now, app.chance.id()),
        product: Product::AppStreaming,
        owner: authorized.account().clone(),
        kind: ImageKind::Custom,
        state: ImageState::Making(Stage::Creating),
        name: command.name,
        labels,
        region: region.clone(),
        virtual_size_bytes: None,
        stored_size_bytes: None,
        source_instance: Some(instance.id),
        source_snapshot: None,
        base: parent.base.or((parent.kind == ImageKind::System).then(|| parent.id.clone())),
        parent: Some(parent.id),
        published: None,
        created: now,
        modified: now,
    };
    let replica = NewReplica {
        id: ReplicaId::fresh(now, app.chance.id()),
        holder: Holder::Image(image.id.clone()),
        version: Some(version.id.clone()),
        region,
        source: Source::Replica(source.id),
    };
    images::insert(&mut tx, &image).await?;
    versions::insert(&mut tx, &image.id, &version, now).await?;
    replicas::insert(&mut tx, &replica, now.plus_millis(app.settings.image_ms)).await?;
    for (key, value) in command.tags {
        tags::put(&mut tx, tags::IMAGE_KIND, &Tag { resource: image.id.to_string(), key, value }).await?;
    }
    tx.commit().await?;

    tracing::info!(request_id = caller.request_id, image = %image.id, "image creation accepted");
    app.wake.fills.ring();
    Ok(DerivedImage { image: image.id, version: version.id })
}

/// The consumer, its image, and the image's bytes, in the consumer's region if they are there.
async fn load(
    tx: &mut Tx,
    caller: &Caller,
    command: &DeriveImage,
    now: Timestamp,
) -> Result<(Instance, Image, RegionEntry)> {
    let refused = ServiceError::Refused;
    instances::lock(tx, &command.consumer);
    let instance = instances::load(tx, command.kind, &command.consumer, caller.account()).await?;
    let meets = |instance: &Instance| {
        command.condition.is_none_or(|(name, value)| {
            instance.labels.echo.iter().any(|(other, given)| other == name && given == value)
        })
    };
    let instance = instance.filter(meets).ok_or(refused(DeriveRefusal::NoInstance))?;
    match instance.activity(now) {
        Activity::Settled(_) => {}
        Activity::Moving(_) | Activity::Reinitialising => return Err(refused(DeriveRefusal::InstanceStatus)),
    }
    images::lock(tx, &instance.image, Lock::Shared);
    let view = tx.ask(images::load(Product::AppStreaming, &instance.image, caller.account())).await?;
    let mut entries = tx.ask(replicas::of_image(&instance.image)).await?;
    entries.retain(|entry| entry.state == EntryState::Available);
    let near = entries.iter().position(|entry| entry.region.as_str() == instance.labels.region).unwrap_or(0);
    match (view, entries.into_iter().nth(near)) {
        (Some(view), Some(entry)) => Ok((instance, view.image, entry)),
        _ => Err(StoreError::Corrupt(format!("{} uses an image without bytes", instance.id)).into()),
    }
}

fn source_region(instance: &Instance) -> RegionId {
    RegionId::trusted(instance.labels.region.clone())
}

fn detail(details: &[(String, String)], name: &str) -> String {
    details.iter().find(|(other, _)| other == name).map_or_else(String::new, |(_, value)| value.clone())
}

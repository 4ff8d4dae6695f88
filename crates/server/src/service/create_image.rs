//! Makes an image of an instance or of a snapshot.

use calotype_core::ids::{ImageId, InstanceId, RegionId, ReplicaId, SnapshotId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product, Stage};
use calotype_core::instance::Activity;
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::snapshot::SnapshotState;
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;
use calotype_store::db::{Lock, StoreError, Tx};
use calotype_store::{images, instances, replicas, snapshots};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The system disk of an instance, which is the content of its image.
    Instance(InstanceId),
    /// A snapshot.
    Snapshot(SnapshotId),
}

/// The command: make an image of this.
#[derive(Clone, Debug)]
pub struct CreateImage {
    /// The name of the image.
    pub name: String,
    /// What it is made of.
    pub origin: Origin,
    /// The region for the bytes; that of the bytes it is made of, if absent.
    pub region: Option<RegionId>,
}

/// Why an image is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateImageRefusal {
    /// The account has no such instance.
    #[error("no such instance")]
    NoInstance,
    /// The account has no such snapshot, or it is not available.
    #[error("no such snapshot")]
    NoSnapshot,
    /// The instance is on the way to another state.
    #[error("the instance is in another state")]
    InstanceStatus,
    /// There is no such region.
    #[error("no such region")]
    NoRegion,
}

type Result<T> = std::result::Result<T, ServiceError<CreateImageRefusal>>;

/// The bytes that an image is made of, and what is known about them.
struct Bytes {
    replica: ReplicaId,
    region: RegionId,
    labels: ImageLabels,
    instance: Option<InstanceId>,
    snapshot: Option<SnapshotId>,
}

/// Accepts the command and gives the id of the image, which is being made. The bytes are copied by the
/// workers; until they are, those that they are copied from outlive a delete of their own image.
///
/// # Errors
/// [`ServiceError`].
pub async fn create_image(
    app: &App,
    caller: &Caller,
    command: CreateImage,
    now: Timestamp,
) -> Result<ImageId> {
    let authorized = caller.authorize_all()?;
    if command.region.as_ref().is_some_and(|region| app.places.region(region).is_none()) {
        return Err(ServiceError::Refused(CreateImageRefusal::NoRegion));
    }

    let mut tx = begin(app, caller).await?;
    let bytes = load_bytes(&mut tx, caller, &command.origin, now).await?;
    let region = command.region.unwrap_or(bytes.region);
    let image = Image {
        id: ImageId::fresh_ens(now, app.chance.id()),
        product: Product::Ens,
        owner: authorized.account().clone(),
        kind: ImageKind::Custom,
        state: ImageState::Making(Stage::Creating),
        name: command.name,
        labels: bytes.labels,
        region: region.clone(),
        virtual_size_bytes: None,
        stored_size_bytes: None,
        source_instance: bytes.instance,
        source_snapshot: bytes.snapshot,
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
        source: Source::Replica(bytes.replica),
    };
    images::insert(&mut tx, &image).await?;
    replicas::insert(&mut tx, &replica, now.plus_millis(app.settings.image_ms)).await?;
    tx.commit().await?;

    tracing::info!(request_id = caller.request_id, image = %image.id, "image creation accepted");
    app.wake.fills.ring();
    Ok(image.id)
}

async fn load_bytes(tx: &mut Tx, caller: &Caller, origin: &Origin, now: Timestamp) -> Result<Bytes> {
    match origin {
        Origin::Instance(id) => load_instance(tx, caller, id, now).await,
        Origin::Snapshot(id) => load_snapshot(tx, caller, id).await,
    }
}

async fn load_instance(tx: &mut Tx, caller: &Caller, id: &InstanceId, now: Timestamp) -> Result<Bytes> {
    let refused = ServiceError::Refused;
    instances::lock(tx, id);
    let instance = instances::load(tx, ConsumerKind::Instance, id, caller.account()).await?;
    let instance = instance.ok_or(refused(CreateImageRefusal::NoInstance))?;
    match instance.activity(now) {
        Activity::Settled(_) => {}
        Activity::Moving(_) | Activity::Reinitialising => {
            return Err(refused(CreateImageRefusal::InstanceStatus));
        }
    }
    images::lock(tx, &instance.image, Lock::Shared);
    let view = tx.ask(images::load(Product::Ens, &instance.image, caller.account())).await?;
    let bytes = replicas::available(tx, instance.image.as_str()).await?;
    let (Some(view), Some((replica, region))) = (view, bytes) else {
        return Err(StoreError::Corrupt(format!("instance {id} uses an image without bytes")).into());
    };
    let labels = view.image.labels;
    Ok(Bytes { replica, region, labels, instance: Some(id.clone()), snapshot: None })
}

async fn load_snapshot(tx: &mut Tx, caller: &Caller, id: &SnapshotId) -> Result<Bytes> {
    snapshots::lock(tx, id, Lock::Shared);
    let snapshot = snapshots::load(tx, id, caller.account()).await?;
    let available = snapshot.filter(|snapshot| snapshot.state == SnapshotState::Available);
    let snapshot = available.ok_or(ServiceError::Refused(CreateImageRefusal::NoSnapshot))?;
    let bytes = replicas::available(tx, id.as_str()).await?;
    let (replica, region) =
        bytes.ok_or_else(|| StoreError::Corrupt(format!("snapshot {id} is available without bytes")))?;
    Ok(Bytes {
        replica,
        region,
        labels: snapshot.labels,
        instance: Some(snapshot.instance),
        snapshot: Some(id.clone()),
    })
}

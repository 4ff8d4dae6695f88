//! Takes a snapshot of a disk.

use calotype_core::ids::{DiskId, ReplicaId, SnapshotId};
use calotype_core::image::Product;
use calotype_core::instance::DiskKind;
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::snapshot::{Snapshot, SnapshotState};
use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, StoreError};
use calotype_store::{images, instances, replicas, snapshots};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: take a snapshot of this disk.
#[derive(Clone, Debug)]
pub struct CreateSnapshot {
    /// The disk.
    pub disk: DiskId,
    /// The node, which must be the one of the disk.
    pub ens_region: String,
    /// The name; the id, if absent.
    pub name: Option<String>,
    /// What the owner says about it.
    pub description: String,
}

/// Why a snapshot is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotRefusal {
    /// The account has no such disk.
    #[error("no such disk")]
    NoDisk,
    /// Data disks have no content here: an instance is a record, its system disk is its image.
    #[error("a data disk has no content")]
    DataDisk,
    /// The disk is on another node.
    #[error("the disk is on another node")]
    OtherNode,
}

/// Accepts the command and gives the id of the snapshot, which is being made. It gets bytes of its own,
/// so it outlives the instance and the image.
///
/// # Errors
/// [`ServiceError`].
pub async fn create_snapshot(
    app: &App,
    caller: &Caller,
    command: CreateSnapshot,
    now: Timestamp,
) -> Result<SnapshotId, ServiceError<SnapshotRefusal>> {
    let authorized = caller.authorize_one("disk", command.disk.as_str())?;
    let refused = ServiceError::Refused;

    let mut tx = begin(app, caller).await?;
    let found = instances::load_by_disk(&mut tx, &command.disk, caller.account()).await?;
    let found = found.ok_or(refused(SnapshotRefusal::NoDisk))?;
    instances::lock(&mut tx, &found.id);
    // What it runs is known for certain only under the lock.
    let instance = instances::load(&mut tx, found.kind, &found.id, caller.account()).await?;
    let instance = instance.ok_or(refused(SnapshotRefusal::NoDisk))?;
    let disk = instance.disks.iter().find(|disk| disk.id == command.disk);
    let disk = disk.ok_or(refused(SnapshotRefusal::NoDisk))?;
    if disk.kind == DiskKind::Data {
        return Err(refused(SnapshotRefusal::DataDisk));
    }
    if instance.labels.region != command.ens_region {
        return Err(refused(SnapshotRefusal::OtherNode));
    }
    images::lock(&mut tx, &instance.image, Lock::Shared);
    let view = tx.ask(images::load(Product::Ens, &instance.image, caller.account())).await?;
    let bytes = replicas::available(&mut tx, instance.image.as_str()).await?;
    let (Some(view), Some((source, region))) = (view, bytes) else {
        let text = format!("instance {} uses an image without bytes", instance.id);
        return Err(StoreError::Corrupt(text).into());
    };
    let id = SnapshotId::fresh(now, app.chance.id());
    let snapshot = Snapshot {
        owner: authorized.account().clone(),
        state: SnapshotState::Creating,
        name: command.name.unwrap_or_else(|| id.to_string()),
        description: command.description,
        disk: disk.id.clone(),
        instance: instance.id.clone(),
        ens_region: instance.labels.region.clone(),
        disk_category: disk.category.clone(),
        size_gib: disk.size_gib,
        labels: view.image.labels,
        created: now,
        id,
    };
    let replica = NewReplica {
        id: ReplicaId::fresh(now, app.chance.id()),
        holder: Holder::Snapshot(snapshot.id.clone()),
        version: None,
        region,
        source: Source::Replica(source),
    };
    snapshots::insert(&mut tx, &snapshot).await?;
    replicas::insert(&mut tx, &replica, now.plus_millis(app.settings.image_ms)).await?;
    tx.commit().await?;

    tracing::info!(request_id = caller.request_id, snapshot = %snapshot.id, "snapshot accepted");
    app.wake.fills.ring();
    Ok(snapshot.id)
}

//! Snapshots of disks: bytes of their own, from which images are made.

use crate::ids::{AccountId, DiskId, InstanceId, SnapshotId};
use crate::image::ImageLabels;
use crate::time::Timestamp;

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// Its bytes are being copied.
    Creating,
    /// Ready.
    Available,
    /// Copying its bytes failed.
    Error,
}

/// A snapshot that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// The account it belongs to.
    pub owner: AccountId,
    /// Its state.
    pub state: SnapshotState,
    /// Its name.
    pub name: String,
    /// What the owner says about it.
    pub description: String,
    /// The disk it was taken from, which may be gone.
    pub disk: DiskId,
    /// The instance the disk belonged to, which may be gone.
    pub instance: InstanceId,
    /// The node it was taken on.
    pub ens_region: String,
    /// The category of the disk.
    pub disk_category: String,
    /// The size of the disk in GiB.
    pub size_gib: i64,
    /// What is said about the image that the disk held; images made of the snapshot take it over.
    pub labels: ImageLabels,
    /// When it was asked for.
    pub created: Timestamp,
}

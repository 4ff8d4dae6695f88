//! Replicas: the bytes of an image, or of a snapshot, in one region. The row of a replica is the task
//! that fills or empties it.

use crate::ids::{ImageId, RegionId, ReplicaId, SnapshotId, VersionId};

/// What a replica's bytes belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An image.
    Image(ImageId),
    /// A snapshot.
    Snapshot(SnapshotId),
}

/// Where a replica's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An object of a bucket, which nobody has checked yet.
    Bucket {
        /// The name of the bucket.
        bucket: String,
        /// The key of the object.
        object: String,
    },
    /// Another replica, checked when it was filled.
    Replica(ReplicaId),
    /// An empty disk of this many GiB, for system images that come without a file.
    Blank {
        /// The size of the disk in GiB.
        size_gib: u64,
    },
}

/// The bytes of a filled replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// Their length.
    pub size_bytes: u64,
    /// Their SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
    /// The size of the disk they describe.
    pub virtual_size_bytes: u64,
}

/// A replica to be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReplica {
    /// Its id.
    pub id: ReplicaId,
    /// What it belongs to.
    pub holder: Holder,
    /// The version of the image that the bytes are.
    pub version: Option<VersionId>,
    /// Where its bytes will lie.
    pub region: RegionId,
    /// Where they come from.
    pub source: Source,
}

/// How far the bytes of one version are in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionEntry {
    /// The replica.
    pub id: ReplicaId,
    /// The version.
    pub version: Option<VersionId>,
    /// The region.
    pub region: RegionId,
    /// The state.
    pub state: EntryState,
}

/// The state of a replica of a live image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// To be filled.
    Waiting,
    /// Being filled; so many hundredths are done.
    Copying(u8),
    /// Filled.
    Available,
    /// Filling it failed for good.
    Failed,
}

impl EntryState {
    /// Tells whether the replica is still to be filled.
    #[must_use]
    pub fn is_making(self) -> bool {
        matches!(self, Self::Waiting | Self::Copying(_))
    }
}

/// The longest pause between two attempts, in milliseconds.
pub const BACKOFF_MS_MAX: i64 = 5 * 60 * 1000;

/// The first pause, in milliseconds.
const BACKOFF_MS_FIRST: i64 = 250;

/// How long to wait after the `attempt`th failure (from 1): doubling from a quarter of a second to
/// [`BACKOFF_MS_MAX`], then spread by `chance` (0 to 255) over the upper half, so that failures of one
/// cause do not all come back at once. Milliseconds.
#[must_use]
pub fn backoff_ms(attempt: u32, chance: u8) -> i64 {
    let doubled = BACKOFF_MS_FIRST.saturating_mul(1_i64 << attempt.saturating_sub(1).min(20));
    let whole = doubled.min(BACKOFF_MS_MAX);
    whole / 2 + (whole / 2) * i64::from(chance) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_cap_and_stays_within_it() {
        assert_eq!(backoff_ms(1, 255), 250);
        assert_eq!(backoff_ms(2, 255), 500);
        assert_eq!(backoff_ms(u32::MAX, 255), BACKOFF_MS_MAX);
        for attempt in 1..40 {
            assert!(backoff_ms(attempt, 0) * 2 <= backoff_ms(attempt, 255) + 1);
            assert!(backoff_ms(attempt, 255) <= BACKOFF_MS_MAX);
        }
    }
}

//! Inspects qcow2 files, and makes small valid ones.
//!
//! An uploaded image is hostile until the contrary is shown. Whoever opens one in good faith can be made
//! to read files of the host: through a backing file (CVE-2011-3147, CVE-2015-5163), an external data file
//! (CVE-2024-32498), another format that names files, such as vmdk (CVE-2022-47951), or a file that is one
//! format to one reader and another to the next (CVE-2026-27211). This module refuses all of these, and
//! files that are cut short.
//!
//! It is pure: the caller feeds bytes, a piece at a time, in this order:
//!
//! 1. [`Header::parse`] on the first [`HEADER_BYTES`] of the file;
//! 2. [`Header::check_length`] once the length of the file is known;
//! 3. [`Header::check_refcounts`] on the bytes at [`Header::refcount_range`];
//! 4. [`Header::l2_offsets`] on the bytes at [`Header::l1_range`];
//! 5. [`Header::check_l2`] on the bytes at [`Header::l2_range`] of each of those offsets.
//!
//! It must never follow a name that it finds in a file, print what a file holds, or take more memory than
//! its constants say. It does not look at guest data, at the counts in refcount blocks, nor at what lies
//! behind the directories of internal snapshots and bitmaps: a reader gets there only if it is told to.
//!
//! Source: `docs/interop/qcow2.txt` of QEMU.

mod extensions;
mod format;
mod header;
mod refusal;
mod tables;
mod write;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use format::Format;
pub use refusal::{Part, Refusal};
pub use write::{CLUSTER_BYTES, minimal, with_data};

/// How many leading bytes of a file [`Header::parse`] looks at: 64 KiB.
///
/// The header cluster may be as long as 2 MiB, but what real files put there takes less than 1 KiB.
pub const HEADER_BYTES: usize = 64 << 10;

/// The largest virtual disk that is accepted, in bytes: 64 TiB.
pub const VIRTUAL_SIZE_BYTES_MAX: u64 = 64 << 40;

/// The largest level 1 table that is accepted, in bytes: 32 MiB, as in QEMU.
pub const L1_BYTES_MAX: u64 = 32 << 20;

/// The largest refcount table that is accepted, in bytes: 8 MiB, as in QEMU.
pub const REFCOUNT_TABLE_BYTES_MAX: u64 = 8 << 20;

/// The most internal snapshots that are accepted, as in QEMU.
pub const SNAPSHOTS_MAX: u32 = 65_536;

/// The most header extensions that are accepted, the end mark included; QEMU writes at most six.
pub const EXTENSIONS_MAX: usize = 64;

/// The header of a qcow2 file that names nothing outside the file and is consistent in itself.
///
/// Only [`Header::parse`] makes one. It takes less than 4 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    version: u32,
    virtual_size_bytes: u64,
    cluster_bits: u32,
    extended_l2: bool,
    snapshots: u32,
    l1: Range<u64>,
    refcounts: Range<u64>,
    /// The snapshot table and the bitmap directory, where there are any.
    directories: Vec<(Part, Range<u64>)>,
}

impl Header {
    /// The version of the format: 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The size of the disk that the guest sees, in bytes: 1 to [`VIRTUAL_SIZE_BYTES_MAX`].
    #[must_use]
    pub fn virtual_size_bytes(&self) -> u64 {
        self.virtual_size_bytes
    }

    /// The size of a cluster, in bytes: a power of two from 512 to 2 MiB.
    #[must_use]
    pub fn cluster_bytes(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// The number of internal snapshots: 0 to [`SNAPSHOTS_MAX`]. What they hold is not checked.
    #[must_use]
    pub fn snapshots(&self) -> u32 {
        self.snapshots
    }

    /// Where the level 1 table lies: 8 to [`L1_BYTES_MAX`] bytes.
    #[must_use]
    pub fn l1_range(&self) -> Range<u64> {
        self.l1.clone()
    }

    /// Where the refcount table lies: a whole number of clusters, at most [`REFCOUNT_TABLE_BYTES_MAX`].
    #[must_use]
    pub fn refcount_range(&self) -> Range<u64> {
        self.refcounts.clone()
    }

    /// Where the level 2 table lies that starts at `offset`: one cluster.
    #[must_use]
    pub fn l2_range(&self, offset: u64) -> Range<u64> {
        offset..offset.saturating_add(self.cluster_bytes())
    }

    /// Every table that the header names, each at a cluster boundary of its own.
    fn tables(&self) -> impl Iterator<Item = (Part, &Range<u64>)> {
        let directories = self.directories.iter().map(|(part, range)| (*part, range));
        [(Part::L1Table, &self.l1), (Part::RefcountTable, &self.refcounts)].into_iter().chain(directories)
    }
}

/// The big-endian number at `at`, or `None` where the bytes end before it does.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|number| u32::from_be_bytes(*number))
}

/// The big-endian number at `at`, or `None` where the bytes end before it does.
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|number| u64::from_be_bytes(*number))
}

//! Makes small valid files: for the demo, for system images without a source, and for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use super::VIRTUAL_SIZE_BYTES_MAX;

/// The cluster size of the files made here, in bytes: 64 KiB, QEMU's default.
pub const CLUSTER_BYTES: usize = 1 << CLUSTER_BITS;

const CLUSTER_BITS: u32 = 16;
/// "Referred to once", which is true of every cluster made here.
const COPIED: u64 = 1 << 63;

/// Makes a version 3 file whose disk reads as zeros: 256 KiB for disks of up to 4 TiB.
///
/// # Panics
/// If the size is zero or above [`VIRTUAL_SIZE_BYTES_MAX`].
#[must_use]
pub fn minimal(virtual_size_bytes: u64) -> Vec<u8> {
    with_data(virtual_size_bytes, &[])
}

/// Makes a version 3 file with data in some clusters of its disk; the rest reads as zeros.
///
/// `clusters` is (index of the guest cluster, its bytes), in any order. A cluster has at most
/// [`CLUSTER_BYTES`], and zeros follow what is given. Of two with one index the later counts.
///
/// # Panics
/// If the size is zero or above [`VIRTUAL_SIZE_BYTES_MAX`], a cluster lies beyond the disk or is too long,
/// or the file would be larger than 2 GiB.
#[must_use]
pub fn with_data(virtual_size_bytes: u64, clusters: &[(u64, &[u8])]) -> Vec<u8> {
    write(CLUSTER_BITS, virtual_size_bytes, clusters)
}

/// The same with any cluster size, so that tests can have small files.
///
/// The file is header, refcount table, one refcount block, level 1 table, level 2 tables, data.
pub(super) fn write(cluster_bits: u32, virtual_size_bytes: u64, clusters: &[(u64, &[u8])]) -> Vec<u8> {
    assert!((1..=VIRTUAL_SIZE_BYTES_MAX).contains(&virtual_size_bytes), "the virtual size is out of range");
    let cluster_bytes = 1_u64 << cluster_bits;
    let l2_entries = cluster_bytes / 8;
    let l1_entries = virtual_size_bytes.div_ceil(cluster_bytes * l2_entries);

    let data: BTreeMap<u64, &[u8]> = clusters.iter().copied().collect();
    let l2_tables: BTreeSet<u64> = data.keys().map(|guest| guest / l2_entries).collect();
    let within = data.keys().all(|guest| *guest < virtual_size_bytes.div_ceil(cluster_bytes));
    assert!(within, "a cluster lies beyond the disk");

    let l2_first = 3 + (l1_entries * 8).div_ceil(cluster_bytes);
    let data_first = l2_first + l2_tables.len() as u64;
    let file_clusters = data_first + data.len() as u64;
    assert!(file_clusters <= cluster_bytes / 2, "one refcount block must do");
    let l2_places: BTreeMap<u64, u64> = l2_tables.into_iter().zip(l2_first..).collect();
    let data_places: BTreeMap<u64, u64> = data.keys().copied().zip(data_first..).collect();
    let entry = |place: Option<&u64>| place.map_or(0, |cluster| (cluster * cluster_bytes) | COPIED);

    let mut file = ClusterWriter { cluster_bytes: 1 << cluster_bits, bytes: Vec::new() };
    file.cluster(header(cluster_bits, virtual_size_bytes, l1_entries));
    file.cluster((2 * cluster_bytes).to_be_bytes());
    file.cluster((0..file_clusters).flat_map(|_| 1_u16.to_be_bytes()));
    file.cluster((0..l1_entries).flat_map(|index| entry(l2_places.get(&index)).to_be_bytes()));
    for index in l2_places.keys() {
        let guests = index * l2_entries..(index + 1) * l2_entries;
        file.cluster(guests.flat_map(|guest| entry(data_places.get(&guest)).to_be_bytes()));
    }
    for content in data.values() {
        assert!(content.len() as u64 <= cluster_bytes, "a cluster is too long");
        // An empty one takes its place too.
        file.cluster(content.iter().copied().chain(iter::repeat(0)).take(file.cluster_bytes));
    }
    file.bytes
}

/// The 104 bytes of a version 3 header; the zeros that follow are the end mark of its extensions.
fn header(cluster_bits: u32, virtual_size_bytes: u64, l1_entries: u64) -> Vec<u8> {
    let cluster_bytes = 1_u64 << cluster_bits;
    let words: [u64; 13] = [
        0x5146_49fb_0000_0003, // magic, version
        0,                     // no backing file
        u64::from(cluster_bits),
        virtual_size_bytes,
        l1_entries, // no encryption
        3 * cluster_bytes,
        cluster_bytes,
        1 << 32, // one cluster of refcount table, no snapshots
        0,
        0, // no features of any kind
        0,
        0,
        (4 << 32) + 104, // refcounts of 16 bits, length of the header
    ];
    words.into_iter().flat_map(u64::to_be_bytes).collect()
}

struct ClusterWriter {
    cluster_bytes: usize,
    bytes: Vec<u8>,
}

impl ClusterWriter {
    /// Appends `content`, then zeros up to the next cluster boundary.
    fn cluster(&mut self, content: impl IntoIterator<Item = u8>) {
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(self.cluster_bytes), 0);
    }
}

//! The objects that images are imported from, and the stores of regions.

use std::sync::OnceLock;

use calotype_core::ids::RegionId;
use calotype_store::ingest::{self, Progress};
use calotype_store::objects::{Bucket, Location, ObjectKey, Objects, Places};

/// The bucket that all servers read.
pub const BUCKET: &str = "golden";

/// The bucket that images are exported to.
pub const OUTBOX: &str = "outbox";

/// The objects that can be imported.
pub const DISKS: [&str; 3] = ["one.qcow2", "two.qcow2", "three.qcow2"];

/// The bytes of a cluster of these disks: the least there is, so that no time goes into hashing.
const CLUSTER_BYTES: usize = 512;

/// A disk that reads as zeros, of so many clusters; four clusters long itself.
fn disk(clusters: u64) -> Vec<u8> {
    let cluster_bytes = CLUSTER_BYTES as u64;
    let header: [u64; 13] = [
        0x5146_49fb_0000_0003, // magic, version
        0,                     // no backing file
        u64::from(CLUSTER_BYTES.ilog2()),
        clusters * cluster_bytes,
        clusters.div_ceil(cluster_bytes / 8), // level 1 entries, no encryption
        3 * cluster_bytes,                    // level 1 table
        cluster_bytes,                        // refcount table
        1 << 32,                              // of one cluster, no snapshots
        0,
        0,
        0,
        0,
        (4 << 32) + 104, // refcounts of 16 bits, length of the header
    ];
    let refcounts = [1_u16; 4].into_iter().flat_map(u16::to_be_bytes).collect();
    let parts: [Vec<u8>; 4] = [
        header.into_iter().flat_map(u64::to_be_bytes).collect(),
        (2 * cluster_bytes).to_be_bytes().to_vec(),
        refcounts,
        Vec::new(),
    ];
    let padded = parts.into_iter().flat_map(|mut part| {
        part.resize(CLUSTER_BYTES, 0);
        part
    });
    padded.collect()
}

/// The bucket. It never changes, so all runs share it.
fn bucket() -> &'static Objects {
    static FILLED: OnceLock<Objects> = OnceLock::new();
    FILLED.get_or_init(|| {
        std::thread::spawn(|| {
            let folder = tempfile::tempdir().expect("a folder can be made");
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
            let bucket = Objects::open(&Location::Memory).expect("memory can be used");
            for (clusters, name) in (1..).zip(DISKS) {
                std::fs::write(folder.path().join(name), disk(1_024 * clusters)).expect("it can be written");
                let files = Objects::open_existing(folder.path()).expect("the folder is there");
                let (key, progress) = (ObjectKey::trusted(name), Progress::default());
                let taken = runtime.block_on(ingest::import(&files, name, &bucket, &key, &progress));
                taken.expect("the disks are good");
            }
            bucket
        })
        .join()
        .expect("the disks can be made")
    })
}

/// Fresh stores for these regions, and the buckets.
pub fn places(regions: &[String]) -> Places {
    let store = || Objects::open(&Location::Memory).expect("memory can be used");
    let region = RegionId::trusted(regions[0].as_str());
    let bucket = |objects| Bucket { region: Some(region.clone()), objects };
    let buckets = [(BUCKET, bucket(self::bucket().clone())), (OUTBOX, bucket(store()))];
    Places {
        regions: regions.iter().map(|id| (RegionId::trusted(id.as_str()), store())).collect(),
        buckets: buckets.map(|(name, bucket)| (name.to_owned(), bucket)).into(),
        bucket_root: None,
    }
}

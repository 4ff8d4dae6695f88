//! Files made by qemu-img 7.2, so that the tests do not only agree with the writer beside them.

use super::super::{Header, Part, Refusal};
use super::{inspect, slice};

/// `convert -c -o cluster_size=512,compression_type=zstd` of 16 KiB, five clusters of it compressed.
const ZSTD: &[u8] = include_bytes!("../fixtures/v3_zstd.qcow2");
/// `create -o compat=0.10,cluster_size=512`, a write, `snapshot -c`, another write.
const SNAPSHOT: &[u8] = include_bytes!("../fixtures/v2_snapshot.qcow2");
/// The first 512 bytes of `create -o extended_l2=on,lazy_refcounts=on` of 1 GiB.
const EXTENDED_L2: &[u8] = include_bytes!("../fixtures/v3_extended_l2.header");

#[test]
fn compressed_version_3_is_accepted() {
    let header = inspect(ZSTD).unwrap();
    assert_eq!((header.version(), header.virtual_size_bytes(), header.cluster_bytes()), (3, 16_384, 512));
    let offsets = header.l2_offsets(slice(ZSTD, &header.l1_range()), ZSTD.len() as u64).unwrap();
    assert_eq!(offsets.len(), 1);
}

#[test]
fn version_2_with_a_snapshot_is_accepted() {
    let header = inspect(SNAPSHOT).unwrap();
    assert_eq!((header.version(), header.snapshots()), (2, 1));
}

#[test]
fn extended_entries_and_feature_names_are_accepted() {
    let header = Header::parse(EXTENDED_L2).unwrap();
    assert!(header.extended_l2);
    assert_eq!(header.check_length(512), Err(Refusal::Truncated { part: Part::L1Table }));
}

#[test]
fn every_truncation_to_whole_clusters_is_refused() {
    for file in [ZSTD, SNAPSHOT] {
        for length in (0..file.len()).step_by(512) {
            assert!(inspect(&file[..length]).is_err(), "{length} of {}", file.len());
        }
    }
}

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::super::{Header, L1_BYTES_MAX, REFCOUNT_TABLE_BYTES_MAX};
use super::{inspect, put, small};

/// The bytes of the smallest valid file: nine clusters of 512 bytes.
const SMALL_BYTES: usize = 9 * 512;

/// What an accepted header promises to a caller that is about to read.
fn within_bounds(header: &Header, file_bytes: u64) -> bool {
    let (l1, refcounts) = (header.l1_range(), header.refcount_range());
    l1.end - l1.start <= L1_BYTES_MAX
        && refcounts.end - refcounts.start <= REFCOUNT_TABLE_BYTES_MAX
        && l1.end.max(refcounts.end) <= file_bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(version in 0..5_u32, mut bytes in vec(any::<u8>(), 8..2048)) {
        let _ = inspect(&bytes);
        put(&mut bytes, 0, b"QFI\xfb");
        put(&mut bytes, 4, &version.to_be_bytes());
        let _ = inspect(&bytes);
    }

    #[test]
    fn spoilt_files_never_panic(
        changes in vec((prop_oneof![0..136_usize, 0..SMALL_BYTES], any::<u8>()), 1..6),
        length in prop_oneof![Just(SMALL_BYTES), 0..=SMALL_BYTES],
    ) {
        let mut file = small(9);
        for (at, byte) in changes {
            put(&mut file, at, &[byte]);
        }
        file.truncate(length);
        if let Ok(header) = inspect(&file) {
            prop_assert!(within_bounds(&header, file.len() as u64));
        }
    }

    #[test]
    fn arbitrary_tables_never_panic(
        cluster_bits in 9..=21_u32,
        version in 2..=3_u32,
        extended_l2: bool,
        words in vec(any::<u64>(), 1..6),
        file_bytes: u64,
    ) {
        let template = inspect(&small(9)).unwrap();
        let l1 = 512..512 + 8 * words.len() as u64;
        let header = Header { version, cluster_bits, extended_l2, l1, ..template };
        let mut table: Vec<u8> = words.into_iter().flat_map(u64::to_be_bytes).collect();
        let offsets = header.l2_offsets(&table, file_bytes).unwrap_or_default();
        prop_assert!(offsets.iter().all(|offset| header.l2_range(*offset).end <= file_bytes));
        table.resize(1 << cluster_bits, 0);
        let _ = header.check_l2(&table, file_bytes);
        let _ = Header { refcounts: 0..1 << cluster_bits, ..header }.check_refcounts(&table, file_bytes);
    }

    /// The written files end with a whole data cluster, so every cut that reaches its start shows.
    #[test]
    fn every_truncation_shows(cluster_bits in 9..=12_u32, cut in any::<proptest::sample::Index>()) {
        let file = small(cluster_bits);
        let length = cut.index(file.len());
        let last_cluster_at = file.len() - (1 << cluster_bits);
        prop_assert_eq!(inspect(&file[..length]).is_err(), length <= last_cluster_at);
    }
}

use super::super::{CLUSTER_BYTES, Header, Part, Refusal, minimal, with_data};
use super::{inspect, or, put, small};

const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const CLUSTER: usize = 4096;
const FILE_BYTES: u64 = 9 * 4096;

#[test]
fn refcount_table_is_checked() {
    let spoilt = |entry: u64| {
        let mut file = small(12);
        put(&mut file, CLUSTER, &entry.to_be_bytes());
        inspect(&file).map(|_| ())
    };
    let part = Part::RefcountBlock;
    assert_eq!(spoilt(0), Ok(()));
    assert_eq!(spoilt(2 * 4096 + 1), Err(Refusal::ReservedBits { part }));
    assert_eq!(spoilt(2 * 4096 + 512), Err(Refusal::Misplaced { part }));
    assert_eq!(spoilt(4096), Err(Refusal::Overlap { part }));
    assert_eq!(spoilt(FILE_BYTES), Err(Refusal::Truncated { part }));
    assert_eq!(spoilt(0u64.wrapping_sub(4096)), Err(Refusal::Truncated { part }));
}

#[test]
fn level_1_table_is_checked() {
    let spoilt = |entry: u64| {
        let mut file = small(12);
        put(&mut file, 3 * CLUSTER, &entry.to_be_bytes());
        inspect(&file).map(|_| ())
    };
    let part = Part::L2Table;
    assert_eq!(spoilt(0), Ok(()));
    assert_eq!(spoilt(4 * 4096), Ok(()));
    for bit in (0..9).chain(56..63) {
        assert_eq!(spoilt((4 * 4096) | (1 << bit)), Err(Refusal::ReservedBits { part }));
    }
    assert_eq!(spoilt(4 * 4096 + 512), Err(Refusal::Misplaced { part }));
    assert_eq!(spoilt(COPIED), Err(Refusal::Misplaced { part }));
    assert_eq!(spoilt(3 * 4096), Err(Refusal::Overlap { part }));
    assert_eq!(spoilt(5 * 4096), Err(Refusal::Overlap { part }), "twice the same table");
    assert_eq!(spoilt(FILE_BYTES), Err(Refusal::Truncated { part }));
}

/// A header with the given entry size and version, and the check of one entry of its level 2 tables.
fn check_entry(header: &Header, entry: u64, subclusters: u64) -> Result<(), Refusal> {
    let mut l2 = vec![0; 1 << header.cluster_bits];
    put(&mut l2, 16, &entry.to_be_bytes());
    if header.extended_l2 {
        put(&mut l2, 24, &subclusters.to_be_bytes());
    }
    header.check_l2(&l2, 9 * header.cluster_bytes())
}

#[test]
fn standard_clusters_are_checked() {
    let header = inspect(&small(12)).unwrap();
    let v2 = Header { version: 2, ..header.clone() };
    let part = Part::DataCluster;
    let check = |entry| check_entry(&header, entry, 0);
    for valid in [0, 1, 8 * 4096, COPIED | (8 * 4096), COPIED | (8 * 4096) | 1] {
        assert_eq!(check(valid), Ok(()), "{valid:x}");
    }
    for bit in (1..9).chain(56..62) {
        assert_eq!(check((8 * 4096) | (1 << bit)), Err(Refusal::ReservedBits { part }));
    }
    assert_eq!(check_entry(&v2, 1, 0), Err(Refusal::ReservedBits { part }));
    assert_eq!(check(8 * 4096 + 512), Err(Refusal::Misplaced { part }));
    assert_eq!(check(COPIED), Err(Refusal::Misplaced { part }));
    assert_eq!(check(3 * 4096), Err(Refusal::Overlap { part }), "data in the level 1 table");
    assert_eq!(check(9 * 4096), Err(Refusal::Truncated { part }));
    assert_eq!(check((9 * 4096) | 1), Err(Refusal::Truncated { part }), "preallocated zeros");
}

#[test]
fn compressed_clusters_are_checked() {
    let header = inspect(&small(12)).unwrap();
    let part = Part::DataCluster;
    let check = |offset: u64, further_sectors: u64| {
        check_entry(&header, COMPRESSED | (further_sectors << 58) | offset, 0)
    };
    assert_eq!(check(8 * 4096 + 77, 0), Ok(()));
    assert_eq!(check(8 * 4096 + 77, 7), Ok(()));
    assert_eq!(check(8 * 4096 + 77, 8), Err(Refusal::Truncated { part }));
    assert_eq!(check(9 * 4096 - 1, 0), Ok(()));
    assert_eq!(check(9 * 4096, 0), Err(Refusal::Truncated { part }));
    assert_eq!(check(77, 0), Err(Refusal::Overlap { part }), "in the header");
    assert_eq!(check(3 * 4096 + 77, 0), Err(Refusal::Overlap { part }), "in the level 1 table");
    assert_eq!(check(2 * 4096 + 77, 8), Err(Refusal::Overlap { part }), "into the level 1 table");
    assert_eq!(check((8 * 4096) | (1 << 57), 0), Err(Refusal::ReservedBits { part }));
}

#[test]
fn extended_entries_are_checked() {
    let header = Header { extended_l2: true, ..inspect(&small(16)).unwrap() };
    let part = Part::DataCluster;
    let place = 8 << 16;
    assert_eq!(check_entry(&header, COPIED | place, 0xffff), Ok(()));
    assert_eq!(check_entry(&header, place, 0xffff_0000_0000), Ok(()));
    assert_eq!(check_entry(&header, 0, 0xffff_0000_0000), Ok(()));
    assert_eq!(check_entry(&header, 0, 1), Err(Refusal::Misplaced { part }), "allocated nowhere");
    assert_eq!(check_entry(&header, place, 0x1_0000_0001), Err(Refusal::ReservedBits { part }));
    assert_eq!(check_entry(&header, place | 1, 1), Err(Refusal::ReservedBits { part }));
    assert_eq!(check_entry(&header, 9 << 16, 1), Err(Refusal::Truncated { part }));
    assert_eq!(check_entry(&header, COMPRESSED | place, 0), Ok(()));
    assert_eq!(check_entry(&header, COMPRESSED | place, 1), Err(Refusal::ReservedBits { part }));
}

/// A caller that got fewer bytes than it asked for is told so.
#[test]
fn short_tables_are_refused() {
    let header = inspect(&small(12)).unwrap();
    let truncated = |part| Err(Refusal::Truncated { part });
    assert_eq!(header.check_refcounts(&[0; 4095], FILE_BYTES), truncated(Part::RefcountTable));
    assert_eq!(header.check_l2(&[0; 4088], FILE_BYTES), truncated(Part::L2Table));
    assert_eq!(header.l2_offsets(&[0; 24], FILE_BYTES).map(|_| ()), truncated(Part::L1Table));
}

#[test]
fn written_files_pass() {
    for virtual_size_bytes in [1, 512, 20 << 30, 4 << 40] {
        let file = minimal(virtual_size_bytes);
        assert_eq!(file.len(), 256 << 10);
        assert_eq!(inspect(&file).unwrap().virtual_size_bytes(), virtual_size_bytes);
    }
    assert!(inspect(&minimal(64 << 40)).is_ok());

    let full = vec![7; CLUSTER_BYTES];
    let file = with_data(20 << 30, &[(9000, &full), (1, b"one")]);
    assert!(inspect(&file).is_ok());
    assert_eq!(file.len(), 8 * 65_536, "header, refcounts, level 1, two level 2, two of data");
    assert_eq!(file[6 * 65_536..6 * 65_536 + 4], *b"one\0");
    assert_eq!(file[7 * 65_536..], full);
}

#[test]
#[should_panic(expected = "a cluster lies beyond the disk")]
fn data_beyond_the_disk_is_not_written() {
    let _ = with_data(3 * 65_536, &[(3, b"fourth of three")]);
}

#[test]
#[should_panic(expected = "a cluster is too long")]
fn data_longer_than_a_cluster_is_not_written() {
    let _ = with_data(1 << 30, &[(0, &vec![7; CLUSTER_BYTES + 1])]);
}

#[test]
fn widest_refcounts_are_accepted() {
    let mut file = small(12);
    put(&mut file, 96, &[0, 0, 0, 6]);
    assert!(inspect(&file).is_ok());
}

#[test]
fn dirty_and_unknown_harmless_bits_are_accepted() {
    let mut file = small(12);
    or(&mut file, 72, 1);
    or(&mut file, 80, u64::MAX);
    or(&mut file, 88, u64::MAX << 2);
    assert!(inspect(&file).is_ok());
}

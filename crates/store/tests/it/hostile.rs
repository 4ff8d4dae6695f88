//! Files that were made to harm, or are broken: refused, and nothing of them stays.

use calotype_core::image::Stage;
use calotype_core::qcow2::{self, CLUSTER_BYTES};
use calotype_store::ingest::FillError;

use crate::ingest::{Desk, key};
use crate::objects::names;

const AT_REFCOUNT_TABLE: usize = CLUSTER_BYTES;
const AT_L1: usize = 3 * CLUSTER_BYTES;
const AT_L2: usize = 4 * CLUSTER_BYTES;

/// A file of six clusters: header, refcount table and block, level 1 and 2 table, data.
fn good() -> Vec<u8> {
    let file = qcow2::with_data(1 << 20, &[(0, b"boot")]);
    assert_eq!(file.len(), 6 * CLUSTER_BYTES);
    file
}

fn put(file: &mut [u8], at: usize, content: &[u8]) {
    file[at..at + content.len()].copy_from_slice(content);
}

fn put_number(file: &mut [u8], at: usize, number: u64) {
    put(file, at, &number.to_be_bytes());
}

/// Imports a file and gives the text of its refusal; nothing stays once the key is erased.
async fn refused(file: &[u8]) -> (Desk, String) {
    let desk = Desk::new();
    desk.put(file);
    let error = desk.import().await.expect_err("it is refused");
    assert!(!error.is_passing(), "{error:?}");
    assert_eq!(error.stage(), Stage::Packing, "{error:?}");
    let FillError::Refused(text) = error else { panic!("{error:?}") };
    (desk, text)
}

async fn nothing_stays(desk: &Desk) {
    desk.region.erase(&key()).await.expect("it can be erased");
    assert_eq!(names(&desk.region_folder()), [""; 0]);
}

/// One way to spoil a good file, and a part of what is said about it.
type Spoil = (&'static str, fn(&mut Vec<u8>));

/// Seen in the header: not a byte is written.
const BY_HEADER: [Spoil; 14] = [
    ("backing file", |file| {
        put_number(file, 8, 512);
        put(file, 16, &11_u32.to_be_bytes());
        put(file, 512, b"/etc/passwd");
    }),
    ("external file", |file| put_number(file, 72, 1 << 2)),
    ("external file", |file| {
        put(file, 104, &0x4441_5441_u32.to_be_bytes());
        put(file, 108, &11_u32.to_be_bytes());
        put(file, 112, b"/etc/passwd");
    }),
    ("encrypted", |file| put(file, 32, &2_u32.to_be_bytes())),
    ("corrupt", |file| put_number(file, 72, 1 << 1)),
    ("not known here", |file| put_number(file, 72, 1 << 9)),
    ("version", |file| put(file, 4, &4_u32.to_be_bytes())),
    ("in one file", |file| put(file, 510, &[0x55, 0xaa])),
    ("detected vmdk", |file| put(file, 0, b"KDMV")),
    ("detected vmdk", |file| {
        put(file, 0, b"# Disk DescriptorFile\nRW 1 FLAT \"/etc/passwd\" 0\n");
    }),
    ("detected a compressed file", |file| put(file, 0, b"\x1f\x8b\x08\0")),
    ("an unknown format", |file| file.fill(b'x')),
    ("virtual size", |file| put_number(file, 24, u64::MAX)),
    ("level 1 table", |file| put(file, 36, &u32::MAX.to_be_bytes())),
];

#[tokio::test]
async fn what_the_header_betrays_is_refused_before_a_byte_is_written() {
    for (place, (part, spoil)) in BY_HEADER.into_iter().enumerate() {
        let mut file = good();
        spoil(&mut file);
        let (desk, text) = refused(&file).await;
        assert!(text.contains(part), "{place}: {text}");
        assert!(!text.contains("passwd"), "{place}: {text}");
        assert_eq!(names(&desk.region_folder()), [""; 0], "{place}");
        nothing_stays(&desk).await;
    }
}

/// Seen in the tables of the copy.
const BY_TABLES: [Spoil; 7] = [
    ("level 2 table", |file| put_number(file, AT_L1, 1 << 40)),
    ("overlaps", |file| put_number(file, AT_L1, AT_REFCOUNT_TABLE as u64)),
    ("reserved bits", |file| put_number(file, AT_L1, 1)),
    ("data cluster", |file| put_number(file, AT_L2, 1 << 40)),
    ("overlaps", |file| put_number(file, AT_L2, AT_L1 as u64)),
    ("refcount block", |file| put_number(file, AT_REFCOUNT_TABLE, 1 << 40)),
    ("refcount block", |file| put_number(file, AT_REFCOUNT_TABLE, 3)),
];

#[tokio::test]
async fn what_only_the_tables_betray_is_refused_and_can_be_erased() {
    for (place, (part, spoil)) in BY_TABLES.into_iter().enumerate() {
        let mut file = good();
        spoil(&mut file);
        let (desk, text) = refused(&file).await;
        assert!(text.contains(part), "{place}: {text}");
        nothing_stays(&desk).await;
    }
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_refused() {
    let file = good();
    for length in [
        0,
        1,
        4,
        71,
        72,
        103,
        104,
        105,
        4_096,
        CLUSTER_BYTES - 1,
        CLUSTER_BYTES,
        CLUSTER_BYTES + 1,
        AT_L1 - 1,
        AT_L1,
        AT_L1 + 7,
        AT_L2,
        AT_L2 + 1,
        5 * CLUSTER_BYTES - 1,
        5 * CLUSTER_BYTES,
    ] {
        let (desk, text) = refused(&file[..length]).await;
        assert!(!text.is_empty(), "{length}");
        nothing_stays(&desk).await;
    }
    // QEMU's own files may end within their last cluster of data.
    let desk = Desk::new();
    desk.put(&file[..=5 * CLUSTER_BYTES]);
    assert_eq!(desk.import().await.unwrap().size_bytes, 5 * CLUSTER_BYTES as u64 + 1);
}

#[tokio::test]
async fn the_good_file_is_good() {
    let desk = Desk::new();
    desk.put(&good());
    desk.import().await.unwrap();
}

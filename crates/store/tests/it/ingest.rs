//! The way in for bytes: what is taken arrives unchanged, and it is known what it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use calotype_core::image::Stage;
use calotype_core::qcow2::{self, CLUSTER_BYTES};
use calotype_core::replica::Bytes;
use calotype_store::ingest::{self, FillError, Progress};
use calotype_store::objects::{Location, ObjectError, ObjectKey, Objects};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

use crate::objects::names;
use crate::s3::one_of_each;
use crate::support::{child, handed_over, memory_peak_kib};

/// A bucket with files in it and the store of a region, in a folder that goes with them.
pub struct Desk {
    folder: TempDir,
    pub bucket: Objects,
    pub region: Objects,
}

impl Desk {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        fs::create_dir(folder.path().join("bucket")).expect("a bucket can be made");
        let bucket = Objects::open_existing(&folder.path().join("bucket")).expect("it opens");
        let region = Objects::open(&Location::File(folder.path().join("region"))).expect("it opens");
        Self { folder, bucket, region }
    }

    pub fn put(&self, content: &[u8]) {
        fs::write(self.source(), content).expect("a file can be written");
    }

    pub fn source(&self) -> PathBuf {
        self.folder.path().join("bucket").join("disk.qcow2")
    }

    pub fn region_folder(&self) -> PathBuf {
        self.folder.path().join("region")
    }

    pub async fn import(&self) -> Result<Bytes, FillError> {
        ingest::import(&self.bucket, "disk.qcow2", &self.region, &key(), &Progress::default()).await
    }
}

pub fn key() -> ObjectKey {
    ObjectKey::trusted("r-1.1")
}

async fn content(objects: &Objects) -> bytes::Bytes {
    objects.open_replica(&key()).await.expect("it is there").bytes().await.expect("it can be read")
}

fn sha256(content: &[u8]) -> String {
    let text = format!("{:?}", digest(&SHA256, content));
    text.strip_prefix("SHA256:").expect("the digest says what it is").to_owned()
}

/// Bytes that look like nothing in particular and do not repeat.
fn noise(cluster: u64) -> Vec<u8> {
    let mut state = cluster.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(CLUSTER_BYTES).collect()
}

/// Good files: empty, with a little, and with more than fits into two parts of an upload.
fn good_files() -> Vec<(u64, Vec<u8>)> {
    let clusters: Vec<(u64, Vec<u8>)> = (0..150).map(|place| (place * 7, noise(place))).collect();
    let clusters: Vec<(u64, &[u8])> =
        clusters.iter().map(|(place, data)| (*place, data.as_slice())).collect();
    vec![
        (1, qcow2::minimal(1)),
        (40 << 30, qcow2::minimal(40 << 30)),
        (1 << 20, qcow2::with_data(1 << 20, &[(3, b"boot")])),
        (1 << 30, qcow2::with_data(1 << 30, &clusters)),
    ]
}

#[tokio::test]
async fn an_imported_file_arrives_unchanged_and_is_described() {
    for (virtual_size_bytes, file) in good_files() {
        let desk = Desk::new();
        desk.put(&file);
        for target in [&desk.region].into_iter().chain(&one_of_each(&desk.folder)) {
            let progress = Progress::default();
            assert_eq!(progress.bytes(), 0);
            let filled = ingest::import(&desk.bucket, "disk.qcow2", target, &key(), &progress).await.unwrap();
            let size_bytes = file.len() as u64;
            assert_eq!(progress.bytes(), size_bytes);
            assert_eq!(filled, Bytes { size_bytes, sha256: sha256(&file), virtual_size_bytes });
            assert_eq!(content(target).await, file, "{target:?}");
        }
        assert_eq!(names(&desk.region_folder()), ["r-1.1"]);
        assert_eq!(fs::read(desk.source()).unwrap(), file, "the source is left alone");
    }
}

/// Longer than what is written between two syncs, and no whole number of pieces.
#[tokio::test]
async fn a_long_file_arrives_unchanged() {
    let clusters: Vec<_> = (0..1_100).map(|place| (place, noise(place))).collect();
    let clusters: Vec<_> = clusters.iter().map(|(place, data)| (*place, data.as_slice())).collect();
    let file = qcow2::with_data(1 << 30, &clusters);
    let desk = Desk::new();
    desk.put(&file);
    let filled = desk.import().await.unwrap();
    assert_eq!((filled.size_bytes, filled.sha256), (file.len() as u64, sha256(&file)));
    assert!(content(&desk.region).await == file);
    assert_eq!(names(&desk.region_folder()), ["r-1.1"]);
}

#[tokio::test]
async fn a_copy_is_the_same_between_all_kinds_of_stores() {
    let (_, file) = good_files().pop().unwrap();
    let desk = Desk::new();
    desk.put(&file);
    let bytes = desk.import().await.unwrap();
    let other = Desk::new();
    let from_each = one_of_each(&desk.folder);
    let to_each = one_of_each(&other.folder);
    let first = from_each.iter().map(|to| (&desk.region, to));
    let every = from_each.iter().flat_map(|from| to_each.iter().map(move |to| (from, to)));
    for (from, to) in first.chain(every).chain(to_each.iter().map(|from| (from, &other.region))) {
        let progress = Progress::default();
        assert_eq!(ingest::copy(from, &key(), &bytes, to, &key(), &progress).await.unwrap(), bytes);
        assert_eq!(progress.bytes(), bytes.size_bytes);
        assert_eq!(content(to).await, file);
    }
    assert_eq!(names(&other.region_folder()), ["r-1.1"]);
}

#[tokio::test]
async fn an_empty_disk_is_a_file_like_any_other() {
    for size_gib in [1, 40, 65_536] {
        let desk = Desk::new();
        let bytes = ingest::blank(size_gib, &desk.region, &key()).await.unwrap();
        let content = content(&desk.region).await;
        assert_eq!(bytes.virtual_size_bytes, size_gib << 30);
        assert_eq!((bytes.size_bytes, &bytes.sha256), (content.len() as u64, &sha256(&content)));
        desk.put(&content);
        assert_eq!(desk.import().await.unwrap(), bytes);
    }
}

/// Copies from one desk's region to another's.
async fn copy(from: &Desk, from_key: &ObjectKey, bytes: &Bytes, to: &Desk) -> Result<Bytes, FillError> {
    ingest::copy(&from.region, from_key, bytes, &to.region, &key(), &Progress::default()).await
}

fn refusal(error: &FillError) -> &str {
    let FillError::Refused(text) = error else { panic!("{error:?}") };
    assert!(!error.is_passing());
    assert_eq!(error.stage(), Stage::Packing);
    text
}

#[tokio::test]
async fn a_copy_whose_source_was_changed_is_refused_and_leaves_nothing() {
    let (_, file) = good_files().pop().unwrap();
    let spoil: [fn(&mut Vec<u8>); 5] = [
        |file| *file.last_mut().unwrap() ^= 1,
        |file| file[5_000_000] ^= 0x80,
        |file| file.truncate(file.len() - 1),
        |file| file.push(0),
        Vec::clear,
    ];
    for (place, spoil) in spoil.into_iter().enumerate() {
        let desk = Desk::new();
        desk.put(&file);
        let bytes = desk.import().await.unwrap();
        let mut spoilt = file.clone();
        spoil(&mut spoilt);
        fs::write(desk.region_folder().join("r-1.1"), &spoilt).unwrap();
        let other = Desk::new();
        let copied = copy(&desk, &key(), &bytes, &other).await;
        let error = copied.unwrap_err();
        let length_differs = spoilt.len() != file.len();
        assert_eq!(refusal(&error).contains("announced"), length_differs, "{place}: {error}");
        other.region.erase(&key()).await.unwrap();
        assert_eq!(names(&other.region_folder()), [""; 0], "{place}");
    }
}

#[tokio::test]
async fn a_copy_of_another_length_than_announced_is_refused() {
    let desk = Desk::new();
    desk.put(&qcow2::minimal(1));
    let bytes = desk.import().await.unwrap();
    for size_bytes in [0, bytes.size_bytes - 1, bytes.size_bytes + 1, u64::MAX] {
        let announced = Bytes { size_bytes, ..bytes.clone() };
        let other = Desk::new();
        let copied = copy(&desk, &key(), &announced, &other).await;
        assert!(refusal(&copied.unwrap_err()).contains("announced"));
        other.region.erase(&key()).await.unwrap();
        assert_eq!(names(&other.region_folder()), [""; 0]);
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_will_never_do() {
    let desk = Desk::new();
    let error = desk.import().await.unwrap_err();
    assert_eq!(refusal(&error), "the object does not exist");
    let bytes = Bytes { size_bytes: 1, sha256: String::new(), virtual_size_bytes: 1 };
    let gone = ObjectKey::trusted("r-9.1");
    let error = copy(&desk, &gone, &bytes, &desk).await.unwrap_err();
    assert!(matches!(error, FillError::Failed(Stage::Packing, ObjectError::NotFound)), "{error:?}");
    assert!(!error.is_passing());
    assert_eq!(names(&desk.region_folder()), [""; 0]);
}

/// What a store does not do now it may do later: the file is not to blame.
#[tokio::test]
async fn a_store_that_fails_is_tried_again() {
    let desk = Desk::new();
    desk.put(&qcow2::minimal(1));
    fs::remove_dir(desk.region_folder()).unwrap();
    // A file where the folder was: nothing can be made in it.
    fs::write(desk.region_folder(), "").unwrap();
    let error = desk.import().await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
    assert_eq!(error.stage(), Stage::Uploading);
    assert_eq!(error.to_string(), "the write to the store failed");

    let desk = Desk::new();
    fs::create_dir(desk.source()).unwrap();
    let error = desk.import().await.unwrap_err();
    assert_eq!(error.stage(), Stage::Packing, "{error:?}");
}

#[tokio::test]
async fn an_import_that_is_broken_off_leaves_nothing_once_it_is_erased() {
    let desk = Desk::new();
    sparse(&desk.source(), 256 << 20);
    let staged = desk.region_folder().join("r-1.1#1");
    tokio::select! {
        imported = desk.import() => panic!("too fast: {imported:?}"),
        () = async {
            while !staged.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } => {}
    }
    desk.region.erase(&key()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(names(&desk.region_folder()), [""; 0]);
}

/// A good image followed by nothing, which takes no room on the disk.
pub fn sparse(path: &Path, length: u64) {
    fs::write(path, qcow2::with_data(1 << 30, &[(0, b"boot")])).expect("a file can be written");
    fs::File::options().write(true).open(path).expect("it opens").set_len(length).expect("it grows");
}

/// Far more than the image may take of memory, in a process of its own, where nobody else takes any.
const LARGE_BYTES: u64 = 256 << 20;

#[test]
fn memory_does_not_grow_with_the_image() {
    let folder = TempDir::new().unwrap();
    let output = child(&[], "ingest::import_of_a_large_file", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "runs alone in its process as the child of another test"]
async fn import_of_a_large_file() {
    const KIB_MAX: u64 = 40 << 10;
    assert!(handed_over().is_dir());
    let desk = Desk::new();
    sparse(&desk.source(), LARGE_BYTES);
    let before = memory_peak_kib();
    let bytes = desk.import().await.unwrap();
    assert_eq!(bytes.size_bytes, LARGE_BYTES);
    let taken = memory_peak_kib() - before;
    assert!(taken < KIB_MAX, "{taken} KiB");
}

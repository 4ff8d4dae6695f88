//! Deliveries to buckets: an object appears whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use calotype_core::ids::ReplicaId;
use calotype_core::replica::Bytes;
use calotype_store::delivery::{DeliveryError, deliver};
use calotype_store::ingest::{self, Progress};
use calotype_store::objects::{Location, ObjectError, ObjectKey, Objects};
use calotype_store::replicas::Origin;
use tempfile::TempDir;

use crate::s3::one_of_each;
use crate::things::region;

const OBJECT: &str = "nightly/972/m-1.qcow2";

/// A region's store with the bytes of one replica, and a folder for a bucket beside it.
struct Place {
    region: Objects,
    origin: Origin,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("bucket")).unwrap();
        let objects = Objects::open(&Location::File(folder.path().join("region"))).unwrap();
        let key = ObjectKey::fresh(&ReplicaId::trusted("r-1"), 1);
        let bytes = ingest::blank(40, &objects, &key).await.unwrap();
        Self { region: objects, origin: Origin { region: region(), key, bytes }, folder }
    }

    fn bucket(&self) -> Objects {
        Objects::at(&Location::File(self.folder.path().join("bucket")))
    }

    fn source(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("region").join(self.origin.key.as_str())).unwrap()
    }

    /// Every file in the bucket, those that readers do not see included.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.folder.path().join("bucket"), "", &mut files);
        files
    }

    async fn deliver(&self, attempt: u32) -> Result<(), DeliveryError> {
        let progress = Progress::default();
        deliver(&self.region, &self.origin, &self.bucket(), OBJECT, attempt, &progress).await
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

fn only(name: &str, bytes: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([(name.to_owned(), bytes)])
}

#[tokio::test]
async fn the_object_has_exactly_the_bytes_of_the_replica() {
    let place = Place::new().await;
    let progress = Progress::default();
    deliver(&place.region, &place.origin, &place.bucket(), OBJECT, 1, &progress).await.unwrap();
    assert_eq!(place.files(), only(OBJECT, place.source()));
    assert_eq!(progress.bytes(), place.origin.bytes.size_bytes);
    let read = place.bucket().get(OBJECT).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, place.source());
}

#[tokio::test]
async fn every_kind_of_bucket_does_as_well() {
    let place = Place::new().await;
    for bucket in one_of_each(&place.folder) {
        deliver(&place.region, &place.origin, &bucket, OBJECT, 1, &Progress::default()).await.unwrap();
        let read = bucket.get(OBJECT).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, place.source(), "{bucket:?}");
        bucket.forget_delivery(OBJECT, 1).await.unwrap();
        assert!(bucket.get(OBJECT).await.is_ok());
    }
}

#[tokio::test]
async fn bytes_that_are_not_the_recorded_ones_leave_what_was_there_before() {
    let mut place = Place::new().await;
    place.deliver(1).await.unwrap();
    let right = place.origin.bytes.clone();
    for wrong in [
        Bytes { sha256: "00".repeat(32), ..right.clone() },
        Bytes { size_bytes: right.size_bytes + 1, ..right.clone() },
    ] {
        place.origin.bytes = wrong;
        let error = place.deliver(2).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Damaged) && !error.is_passing(), "{error}");
        assert_eq!(place.files(), only(OBJECT, place.source()));
    }
    for bucket in one_of_each(&place.folder) {
        deliver(&place.region, &place.origin, &bucket, OBJECT, 3, &Progress::default()).await.unwrap_err();
        assert!(matches!(bucket.get(OBJECT).await, Err(ObjectError::NotFound)), "{bucket:?}");
        assert_eq!(bucket.measure().await.unwrap().0, 0, "nothing half is left");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_written_now_may_be_later() {
    let place = Place::new().await;
    let gone = Origin { key: ObjectKey::trusted("r-2.1"), ..place.origin.clone() };
    let read = deliver(&place.region, &gone, &place.bucket(), OBJECT, 1, &Progress::default()).await;
    assert!(matches!(&read, Err(error @ DeliveryError::Source(_)) if error.is_passing()));
    assert!(place.files().is_empty());

    // The disk of the bucket is not mounted: nothing is made in its place.
    let folder = place.folder.path().join("bucket");
    fs::remove_dir(&folder).unwrap();
    let written = place.deliver(2).await;
    assert!(matches!(&written, Err(error @ DeliveryError::Bucket(_)) if error.is_passing()));
    assert!(!folder.exists());

    fs::create_dir(&folder).unwrap();
    // Something else has the name of the folder that the object goes to.
    fs::write(folder.join("nightly"), b"a file").unwrap();
    assert!(matches!(place.deliver(3).await, Err(DeliveryError::Bucket(_))));
    // Something else has the name of the object.
    fs::remove_file(folder.join("nightly")).unwrap();
    fs::create_dir_all(folder.join(OBJECT)).unwrap();
    assert!(matches!(place.deliver(4).await, Err(DeliveryError::Bucket(_))));
    assert!(place.files().is_empty(), "nothing half is left");
    fs::remove_dir(folder.join(OBJECT)).unwrap();
    place.deliver(5).await.unwrap();
}

#[tokio::test]
async fn a_bucket_without_the_right_to_write_stays_as_it_is() {
    let place = Place::new().await;
    let folder = place.folder.path().join("bucket");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // The administrator may write everywhere: then there is nothing to see.
    if fs::write(folder.join("probe"), b"").is_ok() {
        fs::remove_file(folder.join("probe")).unwrap();
        return;
    }
    assert!(matches!(place.deliver(1).await, Err(DeliveryError::Bucket(_))));
    assert!(place.files().is_empty());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    place.deliver(2).await.unwrap();
}

/// An attempt that was given up may still be writing when another one begins.
#[tokio::test]
async fn attempts_never_get_into_each_others_bytes() {
    let place = Place::new().await;
    let folder = place.folder.path().join("bucket/nightly/972");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("m-1.qcow2#1"), b"half of it").unwrap();
    place.deliver(2).await.unwrap();
    let files = place.files();
    assert_eq!(files[OBJECT], place.source());
    assert_eq!(files["nightly/972/m-1.qcow2#1"], b"half of it", "left for whoever knows whose it is");

    let bucket = place.bucket();
    assert!(matches!(bucket.get("nightly/972/m-1.qcow2#1").await, Err(ObjectError::NotFound)), "hidden");
    for _ in 0..2 {
        bucket.forget_delivery(OBJECT, 1).await.unwrap();
        assert_eq!(place.files(), only(OBJECT, place.source()));
    }
}

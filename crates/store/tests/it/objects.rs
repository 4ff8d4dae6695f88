//! Stores of objects: what is erased, what is read, and which folders are buckets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use calotype_core::ids::{RegionId, ReplicaId};
use calotype_store::ingest;
use calotype_store::objects::{Bucket, Location, ObjectError, ObjectKey, Objects, Places, is_bucket_name};
use tempfile::TempDir;

use crate::s3::one_of_each;

fn key(text: &str) -> ObjectKey {
    ObjectKey::trusted(text)
}

/// The names in a folder, in their order.
pub fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("a name in UTF-8")
    };
    let mut names: Vec<String> = fs::read_dir(folder).expect("a folder").map(name).collect();
    names.sort();
    names
}

fn region(folder: &TempDir) -> Objects {
    Objects::open(&Location::File(folder.path().to_owned())).unwrap()
}

#[test]
fn a_region_makes_its_folder_and_a_bucket_does_not() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("a").join("b");
    assert!(matches!(Objects::open_existing(&inner), Err(ObjectError::Failed(_))));
    Objects::open(&Location::File(inner.clone())).unwrap();
    assert!(inner.is_dir());
    assert!(Objects::open_existing(&inner).is_ok());
}

#[test]
fn keys_of_different_attempts_and_replicas_differ() {
    let fresh = |replica: &str, attempt| ObjectKey::fresh(&ReplicaId::trusted(replica), attempt);
    assert_eq!(fresh("r-1", 1).as_str(), "r-1.1");
    assert_ne!(fresh("r-1", 1), fresh("r-1", 11));
    assert_ne!(fresh("r-1", 1), fresh("r-11", 1));
}

#[tokio::test]
async fn erasing_takes_the_object_and_what_its_upload_left_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let objects = region(&folder);
    let all = ["r-1.1", "r-1.1#1", "r-1.10", "r-1.10#1", "r-1.1#10", "r-11.1", "r-2.1#1"];
    for name in all {
        fs::write(folder.path().join(name), name).unwrap();
    }
    objects.erase(&key("r-1.1")).await.unwrap();
    assert_eq!(names(folder.path()), ["r-1.1#10", "r-1.10", "r-1.10#1", "r-11.1", "r-2.1#1"]);
    objects.erase(&key("r-2.1")).await.unwrap();
    assert_eq!(names(folder.path()), ["r-1.1#10", "r-1.10", "r-1.10#1", "r-11.1"]);
    // What is not there is erased already.
    objects.erase(&key("r-1.1")).await.unwrap();
    objects.erase(&key("r-9.1")).await.unwrap();
    objects.sync().await.unwrap();
    assert_eq!(names(folder.path()).len(), 4);
}

#[tokio::test]
async fn every_kind_of_store_is_erased_and_measured_alike() {
    let folder = TempDir::new().unwrap();
    for objects in one_of_each(&folder) {
        assert_eq!(objects.measure().await.unwrap(), (0, 0));
        ingest::blank(1, &objects, &key("r-1.1")).await.unwrap();
        let bytes = ingest::blank(2, &objects, &key("r-1.2")).await.unwrap();
        assert_eq!(objects.measure().await.unwrap(), (2, 2 * bytes.size_bytes));
        objects.erase(&key("r-1.1")).await.unwrap();
        objects.erase(&key("r-1.1")).await.unwrap();
        objects.sync().await.unwrap();
        assert_eq!(objects.measure().await.unwrap(), (1, bytes.size_bytes), "{objects:?}");
        let gone = objects.open_replica(&key("r-1.1")).await;
        assert!(matches!(gone, Err(ObjectError::NotFound)));
        assert!(objects.open_replica(&key("r-1.2")).await.is_ok());
    }
}

#[tokio::test]
async fn many_objects_are_erased_at_once() {
    let folder = TempDir::new().unwrap();
    for objects in one_of_each(&folder) {
        let keys: Vec<_> = (1..=40).map(|write| key(&format!("r-1.{write}"))).collect();
        for key in keys.iter().step_by(4) {
            ingest::blank(1, &objects, key).await.unwrap();
        }
        ingest::blank(1, &objects, &key("r-2.1")).await.unwrap();
        // What is not there is erased already.
        for _ in 0..2 {
            let erased = objects.erase_all(&keys).await;
            assert_eq!(erased.len(), keys.len());
            assert!(erased.iter().all(Result::is_ok), "{objects:?}: {erased:?}");
            assert_eq!(objects.measure().await.unwrap().0, 1, "{objects:?}");
        }
        assert!(objects.erase_all(&[]).await.is_empty());
    }
}

/// Erasing finds nothing in a folder that is away, so that only the sync tells it from one that is empty.
#[tokio::test]
async fn a_folder_that_is_away_is_noticed_by_the_sync() {
    let folder = TempDir::new().unwrap();
    let away = folder.path().join("region");
    let objects = Objects::open(&Location::File(away.clone())).unwrap();
    ingest::blank(1, &objects, &key("r-1.1")).await.unwrap();
    fs::rename(&away, folder.path().join("elsewhere")).unwrap();
    let erased = objects.erase(&key("r-1.1")).await;
    let synced = objects.sync().await;
    assert!(erased.is_err() || matches!(synced, Err(ObjectError::Failed(_))));
    fs::rename(folder.path().join("elsewhere"), &away).unwrap();
    objects.erase(&key("r-1.1")).await.unwrap();
    objects.sync().await.unwrap();
    assert_eq!(names(&away), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_erased_is_an_error() {
    let folder = TempDir::new().unwrap();
    let objects = region(&folder);
    fs::create_dir_all(folder.path().join("r-1.1").join("inner")).unwrap();
    assert!(matches!(objects.erase(&key("r-1.1")).await, Err(ObjectError::Failed(_))));
    fs::create_dir(folder.path().join("r-2.1#1")).unwrap();
    assert!(matches!(objects.erase(&key("r-2.1")).await, Err(ObjectError::Failed(_))));
}

#[tokio::test]
async fn a_range_is_read_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    for objects in one_of_each(&folder) {
        let key = key("r-1.1");
        let length = ingest::blank(1, &objects, &key).await.unwrap().size_bytes;
        let whole = objects.open_replica(&key).await.unwrap().bytes().await.unwrap();
        assert_eq!(objects.read_range(&key, 20..32).await.unwrap(), whole[20..32]);
        assert_eq!(objects.read_range(&key, 0..length).await.unwrap(), whole);
        assert!(objects.read_range(&key, length..length + 1).await.is_err());
        assert!(objects.read_range(&key, 8..8).await.is_err());
        // The caller compares the length: a range over the end is cut.
        assert_eq!(objects.read_range(&key, length - 1..length + 9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_object_is_found_by_its_key_only_within_its_bucket() {
    let folder = TempDir::new().unwrap();
    let bucket = folder.path().join("bucket");
    fs::create_dir_all(bucket.join("a")).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    fs::write(bucket.join("a").join("b c%25.qcow2"), "good").unwrap();
    let objects = Objects::open_existing(&bucket).unwrap();
    assert_eq!(objects.get("a/b c%25.qcow2").await.unwrap().bytes().await.unwrap(), "good");
    let absolute = folder.path().join("secret").to_str().unwrap().to_owned();
    for outside in [
        "secret",
        "../secret",
        "a/../../secret",
        "./../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "..\\secret",
        "a/..",
        "..",
        ".",
        "a//b",
        "a/b c%.qcow2",
        "A/b c%25.qcow2",
        "missing",
        "",
        "/",
        &absolute,
    ] {
        let found = objects.get(outside).await;
        assert!(found.is_err(), "{outside:?}");
    }
}

/// A key that can never be there must not be looked for again and again.
#[tokio::test]
async fn a_key_that_no_store_can_hold_is_not_found() {
    let folder = TempDir::new().unwrap();
    for objects in one_of_each(&folder) {
        for never in ["a#1", "x/a#22", "", "/", "..", "a//b"] {
            let found = objects.get(never).await;
            assert!(matches!(found, Err(ObjectError::NotFound)), "{objects:?} {never:?}: {:?}", found.err());
        }
    }
}

#[test]
fn bucket_names_are_the_vendors() {
    for good in ["abc", "my-images", "0-9", &"x".repeat(63)] {
        assert!(is_bucket_name(good), "{good}");
    }
    for bad in [
        "",
        "ab",
        &"x".repeat(64),
        "..",
        "...",
        ".abc",
        "a/b",
        "a\\b",
        "a.b",
        "a_b",
        "Abc",
        "-ab",
        "ab-",
        "a b",
        "ab\u{e9}",
        "abc/",
        "/abc",
        "abc\0",
    ] {
        assert!(!is_bucket_name(bad), "{bad}");
    }
}

#[test]
fn every_folder_of_the_root_with_a_buckets_name_is_a_bucket() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    for name in ["good", "Bad-name", "x_y", "inner/deep"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::create_dir(folder.path().join("outside")).unwrap();
    fs::write(root.join("file"), "no folder").unwrap();
    std::os::unix::fs::symlink(folder.path().join("outside"), root.join("link")).unwrap();
    let places = Places { bucket_root: Some(root), ..Places::default() };
    for good in ["good", "inner", "link"] {
        assert!(places.bucket(good).is_some(), "{good}");
    }
    for bad in
        ["..", "../outside", "../root/good", ".", "", "/", "inner/deep", "Bad-name", "x_y", "file", "none"]
    {
        assert!(places.bucket(bad).is_none(), "{bad}");
    }
}

#[test]
fn a_named_bucket_comes_before_a_folder() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("good")).unwrap();
    let wuxi = RegionId::trusted("cn-wuxi");
    let objects = Objects::open(&Location::Memory).unwrap();
    let named = Bucket { region: Some(wuxi.clone()), objects: objects.clone() };
    let places = Places {
        regions: BTreeMap::from([(wuxi.clone(), objects)]),
        buckets: BTreeMap::from([("good".to_owned(), named)]),
        bucket_root: Some(folder.path().to_owned()),
    };
    assert_eq!(places.bucket("good").unwrap().region, Some(wuxi.clone()));
    assert!(places.region(&wuxi).is_some());
    assert!(places.region(&RegionId::trusted("cn-chengdu")).is_none());
    assert!(Places::default().bucket("good").is_none());
}

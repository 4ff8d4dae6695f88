//! Everything that lies in a store, as a check sees it.

use std::fs;

use calotype_core::ids::ReplicaId;
use calotype_core::time::Timestamp;
use calotype_store::ingest;
use calotype_store::objects::{Entry, EntryName, Location, MARKER, ObjectKey, Objects};
use futures::TryStreamExt as _;
use tempfile::TempDir;

use crate::objects::names;
use crate::s3::one_of_each;

const REPLICA: &str = "r-0123456789abcdefghijklmno";

async fn entries(objects: &Objects) -> Vec<Entry> {
    let batches: Vec<Vec<Entry>> = objects.entries().await.unwrap().try_collect().await.unwrap();
    let mut entries = batches.concat();
    entries.sort();
    entries
}

#[test]
fn names_of_our_form_are_told_from_all_others() {
    let fresh = ReplicaId::fresh(Timestamp::from_millis(1_700_000_000_000), [7; 10]);
    for (name, key, unfinished) in [
        (format!("{fresh}.1"), format!("{fresh}.1"), false),
        (format!("{fresh}.1#1"), format!("{fresh}.1"), true),
        (format!("{REPLICA}.4294967295#12"), format!("{REPLICA}.4294967295"), true),
    ] {
        let parsed = EntryName::parse(&name).unwrap();
        assert_eq!((parsed.key, parsed.unfinished), (ObjectKey::trusted(&key), unfinished));
        assert!(name.starts_with(parsed.replica.as_str()));
    }
    for foreign in [
        "",
        "notes.txt",
        "lost+found",
        REPLICA,
        "r-1.1",
        "r-0123456789abcdefghijklmnO.1",
        "r-0123456789abcdefghijklmno.0",
        "r-0123456789abcdefghijklmno.01",
        "r-0123456789abcdefghijklmno.+1",
        "r-0123456789abcdefghijklmno.4294967296",
        "r-0123456789abcdefghijklmno.1#",
        "r-0123456789abcdefghijklmno.1#x",
        "r-0123456789abcdefghijklmno.1.bak",
        "x/r-0123456789abcdefghijklmno.1",
    ] {
        assert_eq!(EntryName::parse(foreign), None, "{foreign}");
    }
}

#[tokio::test]
async fn a_folder_shows_everything_but_the_marker() {
    let folder = TempDir::new().unwrap();
    let objects = Objects::open(&Location::File(folder.path().to_owned())).unwrap();
    let unfinished = format!("{REPLICA}.1#1");
    for (name, length) in [("a", 0), (&unfinished, 7), (REPLICA, 3), (MARKER, 9), ("calotype-store#1", 2)] {
        fs::write(folder.path().join(name), "x".repeat(length)).unwrap();
    }
    fs::create_dir_all(folder.path().join("folder").join("below")).unwrap();
    let expected = [("a", Some(0)), ("folder", None), (REPLICA, Some(3)), (&unfinished, Some(7))];
    let entry = |(name, size_bytes): (&str, _)| Entry { name: name.to_owned(), size_bytes };
    assert_eq!(entries(&objects).await, expected.map(entry));
}

#[tokio::test]
async fn folders_of_any_size_are_read_whole() {
    let folder = TempDir::new().unwrap();
    let objects = Objects::open(&Location::File(folder.path().to_owned())).unwrap();
    for count in [0, 999, 1_000, 1_001, 10_500] {
        for number in 0..count {
            let path = folder.path().join(format!("{REPLICA}.{number}"));
            if !path.exists() {
                fs::write(path, "").unwrap();
            }
        }
        assert_eq!(entries(&objects).await.len(), count);
    }
}

#[tokio::test]
async fn every_kind_of_store_shows_its_objects() {
    let folder = TempDir::new().unwrap();
    for objects in one_of_each(&folder) {
        let name = format!("{REPLICA}.1");
        let bytes = ingest::blank(1, &objects, &ObjectKey::trusted(&name)).await.unwrap();
        let expected = [Entry { name: name.clone(), size_bytes: Some(bytes.size_bytes) }];
        assert_eq!(entries(&objects).await, expected, "{objects:?}");
        assert_eq!(objects.length(&name).await.unwrap(), Some(bytes.size_bytes));
        assert_eq!(objects.length("other").await.unwrap(), None);
        objects.erase_entry(&name).await.unwrap();
        assert_eq!(entries(&objects).await, []);
    }
}

#[tokio::test]
async fn an_unfinished_upload_is_erased_without_its_object_and_nothing_foreign_ever() {
    let folder = TempDir::new().unwrap();
    let objects = Objects::open(&Location::File(folder.path().to_owned())).unwrap();
    let all = ["1", "1#1", "1#2", "2", "2#1"].map(|suffix| format!("{REPLICA}.{suffix}"));
    for name in all.iter().map(String::as_str).chain(["notes", MARKER]) {
        fs::write(folder.path().join(name), name).unwrap();
    }
    objects.erase_entry(&format!("{REPLICA}.1#2")).await.unwrap();
    objects.erase_entry(&format!("{REPLICA}.1#1")).await.unwrap();
    objects.erase_entry(&format!("{REPLICA}.1#1")).await.unwrap();
    let left = |suffixes: &[&str]| {
        let ours = suffixes.iter().map(|suffix| format!("{REPLICA}.{suffix}"));
        [MARKER.to_owned(), "notes".to_owned()].into_iter().chain(ours).collect::<Vec<_>>()
    };
    assert_eq!(names(folder.path()), left(&["1", "2", "2#1"]));
    objects.erase_entry(&format!("{REPLICA}.2")).await.unwrap();
    for foreign in ["notes", MARKER, "../x", ""] {
        objects.erase_entry(foreign).await.unwrap();
    }
    assert_eq!(names(folder.path()), left(&["1"]));
}

#[tokio::test]
async fn a_digest_is_that_of_the_bytes() {
    let memory = Objects::open(&Location::Memory).unwrap();
    let key = ObjectKey::trusted("r-1.1");
    let bytes = ingest::blank(3, &memory, &key).await.unwrap();
    let progress = ingest::Progress::default();
    for round in 1..3 {
        let digest = ingest::digest(&memory, &key, &progress).await.unwrap();
        assert_eq!(digest, (bytes.size_bytes, bytes.sha256.clone()));
        assert_eq!(progress.bytes(), round * bytes.size_bytes);
    }
}

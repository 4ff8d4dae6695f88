//! The marker of a region's store: what it keeps from being counted as erased, written or gone.

use std::fs;
use std::path::{Path, PathBuf};

use calotype_core::ids::RegionId;
use calotype_store::ingest;
use calotype_store::objects::{Location, MARKER, ObjectError, ObjectKey, Objects};
use calotype_store::seam::{Effect, ObjectAction, Seam, Step};
use calotype_store::stores::{self, ClaimError};
use futures::future::BoxFuture;

use crate::objects::names;
use crate::support::{TestDb, number};
use crate::things::region;

/// A folder for a region, beside the database.
fn home(test: &TestDb) -> PathBuf {
    test.path().with_file_name("region")
}

async fn claim(test: &TestDb, folder: &Path) -> Result<Objects, ClaimError> {
    let installation = stores::installation(&test.db, "first").await?;
    let objects = Objects::at(&Location::File(folder.to_owned()));
    stores::claim(&test.db, &installation, &region(), &objects).await
}

/// Takes the folder away, as a disk that is not mounted, and puts an empty one in its place.
fn unmount(home: &Path) {
    fs::rename(home, home.with_extension("away")).unwrap();
    fs::create_dir(home).unwrap();
}

/// Brings the folder back over whatever is there.
fn mount(home: &Path) {
    fs::remove_dir_all(home).unwrap();
    fs::rename(home.with_extension("away"), home).unwrap();
}

fn key() -> ObjectKey {
    ObjectKey::trusted("r-1.1")
}

fn is_foreign<T>(claimed: &Result<T, ClaimError>) -> bool {
    matches!(claimed, Err(ClaimError::Objects(ObjectError::Foreign)))
}

#[tokio::test]
async fn a_store_is_marked_when_it_is_first_used_and_the_marker_is_no_object() {
    let test = TestDb::new().await;
    let home = home(&test);
    for _ in 0..2 {
        let objects = claim(&test, &home).await.unwrap();
        objects.verify().await.unwrap();
        assert_eq!(names(&home), [MARKER]);
        assert_eq!(objects.measure().await.unwrap(), (0, 0));
    }
    let marker = fs::read_to_string(home.join(MARKER)).unwrap();
    assert_eq!(marker.lines().next(), Some("first cn-chengdu"));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM stores").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_agree() {
    let test = TestDb::new().await;
    let home = home(&test);
    let start = async |name: &str| {
        let db = test.reopen().await;
        let installation = stores::installation(&db, name).await.unwrap();
        let objects = Objects::at(&Location::File(home.clone()));
        stores::claim(&db, &installation, &region(), &objects).await.unwrap()
    };
    let started = futures::join!(start("a"), start("b"), start("c"), start("d"));
    for objects in [started.0, started.1, started.2, started.3] {
        objects.verify().await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_that_was_interrupted_goes_on() {
    let test = TestDb::new().await;
    let home = home(&test);
    claim(&test, &home).await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("DELETE FROM stores", &[]).await.unwrap();
    tx.commit().await.unwrap();
    claim(&test, &home).await.unwrap().verify().await.unwrap();
}

#[tokio::test]
async fn nothing_counts_as_erased_where_the_disk_is_not_mounted() {
    let test = TestDb::new().await;
    let home = home(&test);
    let objects = claim(&test, &home).await.unwrap();
    ingest::blank(1, &objects, &key()).await.unwrap();
    unmount(&home);
    assert!(matches!(objects.verify().await, Err(ObjectError::Unmarked)));
    // What is not there is erased already, but not durably so.
    objects.erase(&key()).await.unwrap();
    assert!(matches!(objects.sync().await, Err(ObjectError::Unmarked)));
    mount(&home);
    assert_eq!(names(&home), [MARKER, "r-1.1"]);
    objects.erase(&key()).await.unwrap();
    objects.sync().await.unwrap();
    assert_eq!(names(&home), [MARKER]);
}

/// The negative control: without the marker, the same bytes count as erased and come back.
#[tokio::test]
async fn without_a_marker_the_empty_mount_point_counts_as_erased() {
    let test = TestDb::new().await;
    let home = home(&test);
    let objects = Objects::open(&Location::File(home.clone())).unwrap();
    ingest::blank(1, &objects, &key()).await.unwrap();
    unmount(&home);
    objects.verify().await.unwrap();
    objects.erase(&key()).await.unwrap();
    objects.sync().await.unwrap();
    mount(&home);
    assert_eq!(names(&home), ["r-1.1"], "erased, as it seemed");
}

#[tokio::test]
async fn nothing_is_written_or_gone_where_the_disk_is_not_mounted() {
    let test = TestDb::new().await;
    let home = home(&test);
    let objects = claim(&test, &home).await.unwrap();
    let bytes = ingest::blank(1, &objects, &key()).await.unwrap();
    unmount(&home);
    let other = ObjectKey::trusted("r-2.1");
    let error = ingest::blank(1, &objects, &other).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    let progress = ingest::Progress::default();
    let memory = Objects::open(&Location::Memory).unwrap();
    let error = ingest::copy(&objects, &key(), &bytes, &memory, &other, &progress).await.unwrap_err();
    assert!(error.is_passing(), "a copy of bytes that are away is tried again: {error}");
    assert!(matches!(objects.open_replica(&key()).await, Err(ObjectError::Unmarked)));
    assert!(matches!(objects.length("r-1.1").await, Err(ObjectError::Unmarked)));
    assert_eq!(names(&home), [""; 0]);
    mount(&home);
    assert!(matches!(objects.open_replica(&other).await, Err(ObjectError::NotFound)));
    assert_eq!(objects.length("r-2.1").await.unwrap(), None);
    assert_eq!(objects.length("r-1.1").await.unwrap(), Some(bytes.size_bytes));
}

/// The disk goes away in the middle of a write.
#[derive(Debug)]
struct Unmounting(PathBuf);

impl Seam for Unmounting {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        if matches!(step, Step::Object { action: ObjectAction::Finish, .. }) {
            let away = self.0.with_extension("away");
            fs::rename(&self.0, away).unwrap();
            fs::create_dir(&self.0).unwrap();
            // The upload goes on in the empty folder, as with a file system that is mounted lazily.
            for entry in fs::read_dir(self.0.with_extension("away")).unwrap() {
                let path = entry.unwrap().path();
                if path.to_string_lossy().contains('#') {
                    fs::copy(&path, self.0.join(path.file_name().unwrap())).unwrap();
                }
            }
        }
        Box::pin(std::future::ready(Effect::Go))
    }
}

#[tokio::test]
async fn bytes_that_were_finished_beside_the_store_do_not_count() {
    let test = TestDb::new().await;
    let home = home(&test);
    let objects = claim(&test, &home).await.unwrap();
    let seam: calotype_store::seam::MaybeSeam = Some(std::sync::Arc::new(Unmounting(home.clone())));
    let error = ingest::blank(1, &objects.behind("cn-chengdu", seam), &key()).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
}

#[tokio::test]
async fn the_store_of_another_installation_is_not_used() {
    let test = TestDb::new().await;
    let (home, other) = (home(&test), TestDb::new().await);
    claim(&test, &home).await.unwrap();
    let installation = stores::installation(&other.db, "second").await.unwrap();
    let objects = Objects::at(&Location::File(home.clone()));
    let never_used = stores::claim(&other.db, &installation, &region(), &objects).await;
    assert!(is_foreign(&never_used), "{never_used:?}");
    assert_eq!(number(&other.db, "SELECT COUNT(*) FROM stores").await, 0);

    // Nor that of another region of the same installation, by a mistake in the configuration.
    let wuxi = RegionId::trusted("cn-wuxi");
    let swapped = stores::claim(&test.db, "first", &wuxi, &objects).await;
    assert!(is_foreign(&swapped), "{swapped:?}");

    // One that was used before is only away.
    let own = home.with_file_name("own");
    let objects = Objects::at(&Location::File(own.clone()));
    stores::claim(&other.db, &installation, &region(), &objects).await.unwrap();
    fs::remove_dir_all(&own).unwrap();
    fs::rename(&home, &own).unwrap();
    let objects = stores::claim(&other.db, &installation, &region(), &objects).await.unwrap();
    assert!(matches!(objects.verify().await, Err(ObjectError::Foreign)));
    assert!(matches!(objects.sync().await, Err(ObjectError::Foreign)));
    assert!(ingest::blank(1, &objects, &key()).await.is_err());
    assert_eq!(names(&own), [MARKER]);
}

#[tokio::test]
async fn a_store_that_was_used_before_need_not_be_there_at_the_start() {
    let test = TestDb::new().await;
    let home = home(&test);
    claim(&test, &home).await.unwrap();
    fs::rename(&home, home.with_extension("away")).unwrap();
    let objects = claim(&test, &home).await.unwrap();
    assert!(!home.exists(), "nothing is made in its place");
    assert!(objects.verify().await.is_err());
    assert!(objects.erase(&key()).await.is_err());
    fs::rename(home.with_extension("away"), &home).unwrap();
    objects.verify().await.unwrap();
    ingest::blank(1, &objects, &key()).await.unwrap();

    fs::write(home.with_extension("file"), "").unwrap();
    let below_a_file = home.with_extension("file").join("region");
    let objects = Objects::at(&Location::File(below_a_file));
    let never_used = stores::claim(&test.db, "first", &RegionId::trusted("cn-wuxi"), &objects).await;
    assert!(matches!(never_used, Err(ClaimError::Objects(ObjectError::Failed(_)))));
}

#[tokio::test]
async fn memory_needs_no_marker() {
    let test = TestDb::new().await;
    let memory = Objects::open(&Location::Memory).unwrap();
    let objects = stores::claim(&test.db, "first", &region(), &memory).await.unwrap();
    objects.verify().await.unwrap();
    objects.sync().await.unwrap();
    assert_eq!(objects.measure().await.unwrap(), (0, 0));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM stores").await, 0);
}

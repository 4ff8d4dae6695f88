//! The marker of a region's store: what it keeps from being counted as erased, written or gone.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use calotype_core::ids::RegionId;
use calotype_store::ingest;
use calotype_store::objects::{Location, MARKER, ObjectError, ObjectKey, Objects};
use calotype_store::seam::{Effect, MaybeSeam, ObjectAction, Seam, Step};
use calotype_store::stores::{self, ClaimError};
use futures::future::BoxFuture;
use tempfile::TempDir;

use crate::objects::names;
use crate::s3::{Bucket, SECRET, free_port};
use crate::support::{TestDb, number};
use crate::things::region;

/// The place of a region's objects, each by its name in a folder, in which the S3 server keeps them as well.
struct Home {
    location: Location,
    folder: PathBuf,
    _kept: Option<TempDir>,
}

impl Home {
    /// A folder, and a bucket of an S3 store.
    fn each() -> [Self; 2] {
        let (kept, bucket) = (TempDir::new().unwrap(), Bucket::new());
        let folder = kept.path().join("region");
        [
            Self { location: Location::File(folder.clone()), folder, _kept: Some(kept) },
            Self { location: bucket.location(), folder: bucket.folder, _kept: None },
        ]
    }

    async fn claim(&self, test: &TestDb) -> Result<Objects, ClaimError> {
        let installation = stores::installation(&test.db, "first").await?;
        stores::claim(&test.db, &installation, &region(), &Objects::at(&self.location)).await
    }

    fn away(&self) -> PathBuf {
        self.folder.with_extension("away")
    }

    /// Takes the folder away, as a disk that is not mounted, and puts an empty one in its place. A bucket is made
    /// anew, without what it had.
    fn unmount(&self) {
        fs::rename(&self.folder, self.away()).unwrap();
        fs::create_dir(&self.folder).unwrap();
    }

    /// Brings the folder back over whatever is there.
    fn mount(&self) {
        fs::remove_dir_all(&self.folder).unwrap();
        fs::rename(self.away(), &self.folder).unwrap();
    }

    fn names(&self) -> Vec<String> {
        names(&self.folder)
    }
}

fn key() -> ObjectKey {
    ObjectKey::trusted("r-1.1")
}

fn is_foreign<T>(claimed: &Result<T, ClaimError>) -> bool {
    matches!(claimed, Err(ClaimError::Objects(ObjectError::Foreign)))
}

#[tokio::test]
async fn a_store_is_marked_when_it_is_first_used_and_the_marker_is_no_object() {
    for home in Home::each() {
        let test = TestDb::new().await;
        for _ in 0..2 {
            let objects = home.claim(&test).await.unwrap();
            objects.verify().await.unwrap();
            assert_eq!(home.names(), [MARKER]);
            assert_eq!(objects.measure().await.unwrap(), (0, 0));
            let marker = objects.get(MARKER).await.unwrap().bytes().await.unwrap();
            assert!(marker.starts_with(b"first cn-chengdu\n"), "{marker:?}");
        }
        assert_eq!(number(&test.db, "SELECT COUNT(*) FROM stores").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_agree() {
    for home in Home::each() {
        let test = TestDb::new().await;
        let start = async |name: &str| {
            let db = test.reopen().await;
            let installation = stores::installation(&db, name).await.unwrap();
            let objects = Objects::at(&home.location);
            stores::claim(&db, &installation, &region(), &objects).await.unwrap()
        };
        let started = futures::join!(start("a"), start("b"), start("c"), start("d"));
        for objects in [started.0, started.1, started.2, started.3] {
            objects.verify().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_claim_that_was_interrupted_goes_on() {
    for home in Home::each() {
        let test = TestDb::new().await;
        home.claim(&test).await.unwrap();
        let mut tx = test.db.begin().await.unwrap();
        tx.execute("DELETE FROM stores", &[]).await.unwrap();
        tx.commit().await.unwrap();
        home.claim(&test).await.unwrap().verify().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_counts_as_erased_where_the_disk_is_not_mounted() {
    for home in Home::each() {
        let test = TestDb::new().await;
        let objects = home.claim(&test).await.unwrap();
        ingest::blank(1, &objects, &key()).await.unwrap();
        home.unmount();
        assert!(matches!(objects.verify().await, Err(ObjectError::Unmarked)));
        // What is not there is erased already, but not durably so.
        objects.erase(&key()).await.unwrap();
        assert!(objects.erase_all(&[key()]).await.iter().all(Result::is_ok));
        assert!(matches!(objects.sync().await, Err(ObjectError::Unmarked)));
        home.mount();
        assert_eq!(home.names(), [MARKER, "r-1.1"]);
        objects.erase(&key()).await.unwrap();
        objects.sync().await.unwrap();
        assert_eq!(home.names(), [MARKER]);
    }
}

/// The negative control: without the marker, the same bytes count as erased and come back.
#[tokio::test]
async fn without_a_marker_the_empty_mount_point_counts_as_erased() {
    for home in Home::each() {
        let objects = Objects::open(&home.location).unwrap();
        ingest::blank(1, &objects, &key()).await.unwrap();
        home.unmount();
        objects.verify().await.unwrap();
        objects.erase(&key()).await.unwrap();
        objects.sync().await.unwrap();
        home.mount();
        assert_eq!(home.names(), ["r-1.1"], "erased, as it seemed");
    }
}

#[tokio::test]
async fn nothing_is_written_or_gone_where_the_disk_is_not_mounted() {
    for home in Home::each() {
        let test = TestDb::new().await;
        let objects = home.claim(&test).await.unwrap();
        let bytes = ingest::blank(1, &objects, &key()).await.unwrap();
        home.unmount();
        let other = ObjectKey::trusted("r-2.1");
        let error = ingest::blank(1, &objects, &other).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        let progress = ingest::Progress::default();
        let memory = Objects::open(&Location::Memory).unwrap();
        let error = ingest::copy(&objects, &key(), &bytes, &memory, &other, &progress).await.unwrap_err();
        assert!(error.is_passing(), "a copy of bytes that are away is tried again: {error}");
        assert!(matches!(objects.open_replica(&key()).await, Err(ObjectError::Unmarked)));
        assert!(matches!(objects.length("r-1.1").await, Err(ObjectError::Unmarked)));
        assert_eq!(home.names(), [""; 0]);
        home.mount();
        assert!(matches!(objects.open_replica(&other).await, Err(ObjectError::NotFound)));
        assert_eq!(objects.length("r-2.1").await.unwrap(), None);
        assert_eq!(objects.length("r-1.1").await.unwrap(), Some(bytes.size_bytes));
    }
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
    for home in Home::each() {
        let test = TestDb::new().await;
        let objects = home.claim(&test).await.unwrap();
        let seam: MaybeSeam = Some(Arc::new(Unmounting(home.folder.clone())));
        let error = ingest::blank(1, &objects.behind("cn-chengdu", seam), &key()).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
    }
}

#[tokio::test]
async fn the_store_of_another_installation_is_not_used() {
    for (home, own) in Home::each().into_iter().zip(Home::each()) {
        let (test, other) = (TestDb::new().await, TestDb::new().await);
        home.claim(&test).await.unwrap();
        let installation = stores::installation(&other.db, "second").await.unwrap();
        let objects = Objects::at(&home.location);
        let never_used = stores::claim(&other.db, &installation, &region(), &objects).await;
        assert!(is_foreign(&never_used), "{never_used:?}");
        assert_eq!(number(&other.db, "SELECT COUNT(*) FROM stores").await, 0);

        // Nor that of another region of the same installation, by a mistake in the configuration.
        let wuxi = RegionId::trusted("cn-wuxi");
        let swapped = stores::claim(&test.db, "first", &wuxi, &objects).await;
        assert!(is_foreign(&swapped), "{swapped:?}");

        // One that was used before is only away.
        let objects = Objects::at(&own.location);
        stores::claim(&other.db, &installation, &region(), &objects).await.unwrap();
        fs::remove_dir_all(&own.folder).unwrap();
        fs::rename(&home.folder, &own.folder).unwrap();
        let objects = stores::claim(&other.db, &installation, &region(), &objects).await.unwrap();
        assert!(matches!(objects.verify().await, Err(ObjectError::Foreign)));
        assert!(matches!(objects.sync().await, Err(ObjectError::Foreign)));
        assert!(ingest::blank(1, &objects, &key()).await.is_err());
        assert_eq!(own.names(), [MARKER]);
    }
}

#[tokio::test]
async fn a_store_that_was_used_before_need_not_be_there_at_the_start() {
    for home in Home::each() {
        let test = TestDb::new().await;
        home.claim(&test).await.unwrap();
        fs::rename(&home.folder, home.away()).unwrap();
        let objects = home.claim(&test).await.unwrap();
        assert!(!home.folder.exists(), "nothing is made in its place");
        assert!(objects.verify().await.is_err());
        assert!(objects.erase(&key()).await.is_err(), "{objects:?}");
        assert!(objects.erase_all(&[key()]).await.iter().all(Result::is_err), "{objects:?}");
        fs::rename(home.away(), &home.folder).unwrap();
        objects.verify().await.unwrap();
        ingest::blank(1, &objects, &key()).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_used_at_first_is_an_error() {
    let test = TestDb::new().await;
    let bucket = Bucket::new();
    let wrong_key = bucket.location_at(bucket.port, "", "not the secret");
    let nobody = bucket.location_at(free_port(), "", SECRET);
    fs::remove_dir(&bucket.folder).unwrap();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let below_a_file = Location::File(folder.path().join("file").join("region"));
    for location in [below_a_file, bucket.location(), wrong_key, nobody] {
        let objects = Objects::at(&location);
        let claimed = stores::claim(&test.db, "first", &RegionId::trusted("cn-wuxi"), &objects).await;
        let is_told =
            matches!(claimed, Err(ClaimError::Objects(ObjectError::Failed(_) | ObjectError::Denied(_))));
        assert!(is_told, "{location:?}: {claimed:?}");
    }
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

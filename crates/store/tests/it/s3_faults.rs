//! S3 stores that fail: what is told, how soon, and what is left.

use std::fs;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use calotype_core::qcow2;
use calotype_store::ingest::{self, Progress};
use calotype_store::objects::{Location, ObjectError, ObjectKey, Objects};
use futures::TryStreamExt as _;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::ingest::sparse;
use crate::s3::{Bucket, SECRET};
use crate::support::{child, handed_over, memory_peak_kib};

/// A little more than the time after which a call that hangs is given up.
const SOON: Duration = Duration::from_secs(25);

const REPLICA: &str = "r-0123456789abcdefghijklmno";

fn key() -> ObjectKey {
    ObjectKey::trusted(&format!("{REPLICA}.1"))
}

/// What stands between the client and the server, and stops at will.
#[derive(Debug)]
struct Between {
    port: u16,
    /// How many bytes still come through from the server; then nothing does.
    answers: Arc<AtomicU64>,
    /// Whether the connection ends then, and all is well again.
    ends: Arc<AtomicBool>,
    /// How many connections are cut before they are served.
    cut: Arc<AtomicU32>,
}

impl Between {
    fn new(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(AtomicU64::new(u64::MAX));
        let between = Self { port, answers, ends: Arc::default(), cut: Arc::default() };
        let (answers, ends) = (Arc::clone(&between.answers), Arc::clone(&between.ends));
        let cut = Arc::clone(&between.cut);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    drop(client.shutdown(Shutdown::Both));
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    pump(from, to, &AtomicU64::new(u64::MAX), &AtomicBool::new(false));
                });
                let (answers, ends) = (Arc::clone(&answers), Arc::clone(&ends));
                std::thread::spawn(move || pump(server, client, &answers, &ends));
            }
        });
        between
    }

    fn hang_after(&self, bytes: u64) {
        self.answers.store(bytes, Ordering::SeqCst);
    }

    fn go_on(&self) {
        self.answers.store(u64::MAX, Ordering::SeqCst);
    }
}

/// Hands over what comes, as much as may; keeps the rest, and the connection.
fn pump(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, ends: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let take = |left: u64| (left != u64::MAX).then(|| left.saturating_sub(count as u64));
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).unwrap_or(u64::MAX);
        let passed = usize::try_from(before).unwrap_or(usize::MAX).min(count);
        if passed > 0 && to.write_all(&buffer[..passed]).is_err() {
            break;
        }
        if passed < count && ends.load(Ordering::SeqCst) {
            left.store(u64::MAX, Ordering::SeqCst);
            drop(from.shutdown(Shutdown::Both));
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

async fn names(objects: &Objects) -> Vec<String> {
    let entries: Vec<_> = objects.entries().await.unwrap().try_collect::<Vec<_>>().await.unwrap().concat();
    entries.into_iter().map(|entry| entry.name).collect()
}

/// A bucket with one image, which fits into three parts of an upload.
fn source() -> (TempDir, Objects) {
    let folder = TempDir::new().unwrap();
    sparse(&folder.path().join("disk.qcow2"), 20 << 20);
    let objects = Objects::open_existing(folder.path()).unwrap();
    (folder, objects)
}

#[tokio::test]
async fn a_key_that_is_wrong_is_told_and_never_shown() {
    let bucket = Bucket::new();
    let wrong = "not-the-secret-at-all";
    let objects = Objects::open(&bucket.location_at(bucket.port, "", wrong)).unwrap();
    let error = timeout(SOON, ingest::blank(1, &objects, &key())).await.unwrap().unwrap_err();
    assert!(error.is_passing(), "the operator may mend it");
    let read = objects.get("x").await.unwrap_err();
    assert!(matches!(read, ObjectError::Denied(_)), "{read:?}");
    let erased = objects.erase_all(&[key()]).await.pop().unwrap().unwrap_err();
    assert!(matches!(erased, ObjectError::Denied(_)), "{erased:?}");
    let shown = format!("{error:?} {read:?} {erased:?} {objects:?}");
    assert!(!shown.contains(wrong) && !shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn what_is_asked_of_a_bucket_that_is_gone_is_not_answered_with_not_found() {
    let bucket = Bucket::new();
    let objects = Objects::open(&bucket.location()).unwrap();
    ingest::blank(1, &objects, &key()).await.unwrap();
    let away = bucket.folder.with_extension("away");
    fs::rename(&bucket.folder, &away).unwrap();
    let error = ingest::blank(1, &objects, &key()).await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
    assert!(matches!(objects.get("x").await, Err(ObjectError::Failed(_))));
    assert!(matches!(objects.erase(&key()).await, Err(ObjectError::Failed(_))));
    assert!(matches!(objects.erase_all(&[key()]).await[0], Err(ObjectError::Failed(_))));
    assert!(matches!(objects.measure().await, Err(ObjectError::Failed(_))));
    fs::rename(&away, &bucket.folder).unwrap();
    assert_eq!(objects.measure().await.unwrap().0, 1, "nothing is lost");
}

#[tokio::test]
async fn connections_that_are_cut_are_tried_again_a_few_times() {
    let bucket = Bucket::new();
    let between = Between::new(bucket.port);
    let objects = Objects::open(&bucket.location_at(between.port, "", SECRET)).unwrap();
    between.cut.store(2, Ordering::SeqCst);
    ingest::blank(1, &objects, &key()).await.unwrap();
    between.cut.store(u32::MAX, Ordering::SeqCst);
    let cut = Objects::open(&bucket.location_at(between.port, "", SECRET)).unwrap();
    assert!(timeout(SOON, ingest::blank(1, &cut, &key())).await.unwrap().is_err());
}

#[tokio::test]
async fn a_read_that_breaks_off_goes_on_where_it_was() {
    let bucket = Bucket::new();
    let between = Between::new(bucket.port);
    let (_folder, from) = source();
    let objects = Objects::open(&bucket.location_at(between.port, "", SECRET)).unwrap();
    let bytes = ingest::import(&from, "disk.qcow2", &objects, &key(), &Progress::default()).await.unwrap();
    between.ends.store(true, Ordering::SeqCst);
    let progress = Progress::default();
    for round in 1..4 {
        between.hang_after(round * (5 << 20));
        let digest = ingest::digest(&objects, &key(), &progress).await.unwrap();
        assert_eq!(digest, (bytes.size_bytes, bytes.sha256.clone()));
        assert_eq!(between.answers.load(Ordering::SeqCst), u64::MAX, "it was cut");
    }
}

#[tokio::test]
async fn every_call_to_an_endpoint_that_hangs_ends() {
    let bucket = Bucket::new();
    let (_folder, from) = source();
    let good = Objects::open(&bucket.location()).unwrap();
    let read = ObjectKey::trusted(&format!("{REPLICA}.2"));
    ingest::import(&from, "disk.qcow2", &good, &read, &Progress::default()).await.unwrap();
    // Each hangs at another place: before any answer, and amid the bytes that are read.
    let hangs = [0, 0, 0, 0, 1 << 20].map(|bytes| {
        let between = Between::new(bucket.port);
        between.hang_after(bytes);
        (Objects::open(&bucket.location_at(between.port, "", SECRET)).unwrap(), between)
    });
    let [write, erase, erase_all, list, stream] = &hangs;
    let (key, progress) = (key(), Progress::default());
    let calls = async {
        futures::join!(
            async { ingest::blank(1, &write.0, &key).await.is_err() },
            async { erase.0.erase(&key).await.is_err() },
            async { erase_all.0.erase_all(&[ObjectKey::trusted("r-1.1")]).await[0].is_err() },
            async { list.0.measure().await.is_err() },
            async { ingest::digest(&stream.0, &read, &progress).await.is_err() },
        )
    };
    assert_eq!(timeout(SOON * 2, calls).await.unwrap(), (true, true, true, true, true));
    for (objects, between) in &hangs {
        between.go_on();
        assert_eq!(objects.measure().await.unwrap().0, 1, "it is back");
    }
}

#[tokio::test]
async fn an_upload_that_fails_or_is_dropped_leaves_nothing() {
    let bucket = Bucket::new();
    let (folder, from) = source();
    let objects = Objects::open(&bucket.location()).unwrap();
    let bytes = ingest::import(&from, "disk.qcow2", &objects, &key(), &Progress::default()).await.unwrap();
    let origin = Objects::open(&bucket.location()).unwrap();

    // The source has other bytes than were recorded.
    let other = ObjectKey::trusted(&format!("{REPLICA}.2"));
    let wrong = calotype_core::replica::Bytes { size_bytes: bytes.size_bytes + 1, ..bytes };
    ingest::copy(&origin, &key(), &wrong, &objects, &other, &Progress::default()).await.unwrap_err();
    assert_eq!(names(&objects).await, [key().as_str()]);

    // Whoever wrote it was told to stop.
    sparse(&folder.path().join("large.qcow2"), 512 << 20);
    let progress = Progress::default();
    tokio::select! {
        imported = ingest::import(&from, "large.qcow2", &objects, &other, &progress) => {
            panic!("too fast: {imported:?}")
        }
        () = async {
            while progress.bytes() < 32 << 20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } => {}
    }
    let unfinished = format!("{}#1", other.as_str());
    timeout(SOON, async {
        while objects.length(&unfinished).await.unwrap().is_some() || names(&objects).await.len() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is thrown away by itself");
}

/// A process that is killed cannot give up what it was writing.
#[test]
fn what_a_killed_process_was_writing_is_seen_and_erased_with_its_key() {
    let bucket = Bucket::new();
    let (folder, from) = source();
    sparse(&folder.path().join("large.qcow2"), 512 << 20);
    for prefix in ["", "within/it"] {
        let location = bucket.location_at(bucket.port, prefix, SECRET);
        let runtime =
            || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let killed = runtime();
        let progress = Arc::new(Progress::default());
        killed.spawn({
            let (from, progress, objects) = (from.clone(), Arc::clone(&progress), Objects::at(&location));
            async move { ingest::import(&from, "large.qcow2", &objects, &key(), &progress).await }
        });
        while progress.bytes() < 32 << 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        killed.shutdown_background();
        runtime().block_on(async {
            let objects = Objects::open(&location).unwrap();
            let unfinished = format!("{}#1", key().as_str());
            assert_eq!(objects.length(&unfinished).await.unwrap(), Some(0), "{objects:?}");
            assert_eq!(names(&objects).await, [unfinished.as_str()]);
            // Another one with a longer name is none of it.
            let longer = ObjectKey::trusted(&format!("{REPLICA}.12"));
            ingest::blank(1, &objects, &longer).await.unwrap();
            objects.erase(&key()).await.unwrap();
            assert_eq!(objects.length(&unfinished).await.unwrap(), None);
            assert_eq!(names(&objects).await, [longer.as_str()]);
            objects.erase(&longer).await.unwrap();
        });
    }
}

#[tokio::test]
async fn only_a_certificate_that_is_trusted_is_spoken_to() {
    let folder = TempDir::new().unwrap();
    let (bucket, certificate) = Bucket::with_tls(folder.path());
    let trusting = Objects::open(&bucket.location_trusting(&certificate)).unwrap();
    ingest::blank(1, &trusting, &key()).await.unwrap();
    assert_eq!(trusting.measure().await.unwrap().0, 1);
    let of_the_machine = Objects::open(&bucket.location()).unwrap();
    let error = timeout(SOON, of_the_machine.measure()).await.unwrap().unwrap_err();
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    let gone = Objects::open(&bucket.location_trusting(&folder.path().join("gone.pem")));
    assert!(matches!(gone, Err(ObjectError::Failed(_))), "{gone:?}");
}

/// As much as an import may take of memory, however large the image: three parts, and what lies in buffers.
const KIB_MAX: u64 = 64 << 10;

#[test]
fn memory_does_not_grow_with_what_is_written_to_s3() {
    let folder = TempDir::new().unwrap();
    let output = child(&[], "s3_faults::import_of_a_gibibyte", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "runs alone in its process as the child of another test"]
async fn import_of_a_gibibyte() {
    let bucket = Bucket::new();
    let objects = Objects::open(&bucket.location()).unwrap();
    sparse(&handed_over().join("disk.qcow2"), 1 << 30);
    let from = Objects::open_existing(&handed_over()).unwrap();
    let before = memory_peak_kib();
    let bytes = ingest::import(&from, "disk.qcow2", &objects, &key(), &Progress::default()).await.unwrap();
    assert_eq!((bytes.size_bytes, bytes.virtual_size_bytes), (1 << 30, 1 << 30));
    let taken = memory_peak_kib() - before;
    println!("{taken} KiB");
    assert!(taken < KIB_MAX, "{taken} KiB");
}

/// A good image must not be told from one whose tables cannot be read back.
#[tokio::test]
async fn hostile_tables_are_read_back_from_s3() {
    let bucket = Bucket::new();
    let (folder, from) = source();
    let objects = Objects::open(&Location::clone(&bucket.location())).unwrap();
    let mut file = qcow2::with_data(1 << 20, &[(0, b"boot")]);
    let at_l2 = 4 * qcow2::CLUSTER_BYTES;
    file[at_l2..at_l2 + 8].copy_from_slice(&(1_u64 << 62 | 1 << 40).to_be_bytes());
    fs::write(folder.path().join("hostile.qcow2"), file).unwrap();
    let refused = ingest::import(&from, "hostile.qcow2", &objects, &key(), &Progress::default()).await;
    assert!(refused.is_err_and(|error| !error.is_passing()));
}

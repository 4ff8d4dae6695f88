//! Erasures: what may be erased, and when.

use calotype_core::ids::{ImageId, ReplicaId, SnapshotId};
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::snapshot::{Snapshot, SnapshotState};
use calotype_store::db::StoreError;
use calotype_store::objects::{Location, Objects};
use calotype_store::replicas::{self, EraseTask};
use calotype_store::{images, ingest, snapshots};
use tempfile::TempDir;

use crate::replicas::{claim, fill, lease, put};
use crate::support::{TestDb, rows};
use crate::things::{NOW, at, image, region, replica, snapshot};

const START: i64 = NOW.as_millis();

fn snapshot_replica(id: &str, source: Source) -> NewReplica {
    NewReplica { holder: Holder::Snapshot(SnapshotId::trusted("s-1")), source, ..replica(id, "m-none") }
}

/// A snapshot `s-1` with the replica `r-1`, which is due to be filled.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    let creating = Snapshot { state: SnapshotState::Creating, ..snapshot("s-1") };
    snapshots::insert(&mut tx, &creating).await.unwrap();
    tx.commit().await.unwrap();
    put(&test, &[snapshot_replica("r-1", Source::Blank { size_gib: 1 })]).await;
    test
}

async fn delete(test: &TestDb, now: i64) {
    let mut tx = test.db.begin().await.unwrap();
    snapshots::delete(&mut tx, &SnapshotId::trusted("s-1"), at(now)).await.unwrap();
    tx.commit().await.unwrap();
}

/// Claims erasures for 1000 ms.
async fn claim_erasures(test: &TestDb, owner: &str, now: i64) -> Vec<EraseTask> {
    let mut tx = test.db.begin().await.unwrap();
    let tasks =
        replicas::claim_erasures(&mut tx, &region(), at(now), &lease(owner, now + 1_000), 10).await.unwrap();
    tx.commit().await.unwrap();
    tasks
}

async fn record_erased(test: &TestDb, task: &EraseTask, owner: &str) -> Result<(), StoreError> {
    let mut tx = test.db.begin().await?;
    replicas::record_erased(&mut tx, &task.id, task.attempt, owner).await?;
    tx.commit().await
}

#[tokio::test]
async fn the_bytes_of_what_is_deleted_are_erased_once() {
    let test = stocked().await;
    let filled = claim(&test, "w", START).await.remove(0);
    fill(&test, &filled, "w").await.unwrap();
    assert!(claim_erasures(&test, "w", i64::MAX - 1_000).await.is_empty(), "the snapshot lives");
    delete(&test, START + 10).await;
    assert!(claim_erasures(&test, "w", START + 9).await.is_empty(), "not due yet");
    let task = claim_erasures(&test, "w", START + 10).await.remove(0);
    assert_eq!(task.keys, [filled.key]);
    assert_eq!((task.tries, &task.holder, &task.region), (1, &filled.holder, &filled.region));
    let held = claim_erasures(&test, "x", START + 1_009).await;
    assert!(held.is_empty());
    let mut tx = test.db.begin().await.unwrap();
    let early = replicas::record_erased(&mut tx, &task.id, task.attempt, "x").await;
    assert!(matches!(early, Err(StoreError::Conflict)), "somebody else's");
    drop(tx);
    record_erased(&test, &task, "w").await.unwrap();
    assert!(claim_erasures(&test, "w", i64::MAX - 1_000).await.is_empty());
    let mut tx = test.db.read().await.unwrap();
    assert!(replicas::records::page(&mut tx, "", 10).await.unwrap().is_empty());
    assert!(tx.ask(replicas::of_image(&ImageId::trusted("s-1"))).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_erasure_is_tried_until_it_is_done() {
    let test = stocked().await;
    let filled = claim(&test, "w", START).await.remove(0);
    fill(&test, &filled, "w").await.unwrap();
    delete(&test, START).await;
    for attempt in 1..=20 {
        let now = START + i64::from(attempt) * 1_000;
        let task = claim_erasures(&test, "w", now).await.remove(0);
        assert_eq!((task.tries, task.keys.as_slice()), (attempt, std::slice::from_ref(&filled.key)));
        if attempt % 2 == 0 {
            let mut tx = test.db.begin().await.unwrap();
            let due = at(now + 1_000);
            replicas::record_retry(&mut tx, &task.id, task.attempt, "w", "away", due).await.unwrap();
            tx.commit().await.unwrap();
            assert!(matches!(record_erased(&test, &task, "w").await, Err(StoreError::Conflict)));
        }
    }
    let former = claim_erasures(&test, "w", START + 30_000).await.remove(0);
    let task = claim_erasures(&test, "w", START + 31_000).await.remove(0);
    assert!(matches!(record_erased(&test, &former, "w").await, Err(StoreError::Conflict)));
    record_erased(&test, &task, "w").await.unwrap();
}

#[tokio::test]
async fn what_was_never_written_has_no_key_to_erase() {
    let test = stocked().await;
    delete(&test, START).await;
    let task = claim_erasures(&test, "w", START).await.remove(0);
    assert_eq!(task.keys, []);
    record_erased(&test, &task, "w").await.unwrap();
    assert!(claim(&test, "w", START + 9_000).await.is_empty(), "nothing is filled any more");
}

#[tokio::test]
async fn what_is_being_written_is_erased_when_the_lease_is_over() {
    let test = stocked().await;
    let writing = claim(&test, "w", START).await.remove(0);
    delete(&test, START + 10).await;
    let answer = fill(&test, &writing, "w").await;
    assert!(matches!(answer, Err(StoreError::Conflict)), "the bytes are nobody's");
    assert!(claim_erasures(&test, "w", START + 999).await.is_empty(), "may still be written");
    let task = claim_erasures(&test, "w", START + 1_000).await.remove(0);
    assert_eq!(task.keys, [writing.key]);
}

#[tokio::test]
async fn what_failed_or_waits_for_another_attempt_is_erased_too() {
    for failed in [true, false] {
        let test = stocked().await;
        let task = claim(&test, "w", START).await.remove(0);
        let mut tx = test.db.begin().await.unwrap();
        if failed {
            replicas::record_failed(&mut tx, &task.id, 1, "w", "hostile").await.unwrap();
        } else {
            replicas::record_retry(&mut tx, &task.id, 1, "w", "away", at(START + 9_000)).await.unwrap();
        }
        tx.commit().await.unwrap();
        delete(&test, START + 10).await;
        assert_eq!(claim_erasures(&test, "w", START + 10).await.remove(0).keys, [task.key]);
    }
}

/// A worker that has lost its task to an erasure by the same server, which counts attempts from 1 again.
#[tokio::test]
async fn a_former_filler_has_no_say_in_the_erasure() {
    let test = stocked().await;
    let writing = claim(&test, "w", START).await.remove(0);
    delete(&test, START + 10).await;
    let task = claim_erasures(&test, "w", START + 1_000).await.remove(0);
    let mut tx = test.db.begin().await.unwrap();
    let renewed = replicas::renew(&mut tx, &writing.id, writing.attempt, &lease("w", START + 9_000)).await;
    assert!(!renewed.unwrap());
    let retry = replicas::record_retry(&mut tx, &writing.id, writing.attempt, "w", "away", at(START)).await;
    assert!(matches!(retry, Err(StoreError::Conflict)));
    drop(tx);
    record_erased(&test, &task, "w").await.unwrap();
}

#[tokio::test]
async fn bytes_outlive_their_snapshot_while_they_are_copied() {
    for well in [true, false] {
        let test = stocked().await;
        let origin = claim(&test, "w", START).await.remove(0);
        fill(&test, &origin, "w").await.unwrap();
        let copy = NewReplica { source: Source::Replica(origin.id.clone()), ..replica("r-2", "m-2") };
        put(&test, &[copy]).await;
        delete(&test, START).await;
        assert!(claim_erasures(&test, "w", START + 5).await.is_empty(), "a copy is due");
        let copying = claim(&test, "w", START + 5).await.remove(0);
        assert_eq!(copying.origin.as_ref().map(|origin| &origin.key), Some(&origin.key));
        assert!(claim_erasures(&test, "w", i64::MAX - 1_000).await.is_empty(), "a copy is made");
        if well {
            fill(&test, &copying, "w").await.unwrap();
        } else {
            let mut tx = test.db.begin().await.unwrap();
            replicas::record_failed(&mut tx, &copying.id, 1, "w", "no room").await.unwrap();
            tx.commit().await.unwrap();
        }
        let task = claim_erasures(&test, "w", START + 6).await.remove(0);
        assert_eq!(task.id, origin.id);
        let copied = rows(&test.db, "SELECT state FROM replicas WHERE id = 'r-2'", &[]).await;
        assert_eq!(copied[0].text(0).unwrap(), if well { "available" } else { "failed" });
    }
}

/// What holds one erasure up does not hold up those behind it.
#[tokio::test]
async fn an_erasure_that_waits_lets_others_pass() {
    let test = stocked().await;
    put(&test, &[snapshot_replica("r-3", Source::Blank { size_gib: 1 })]).await;
    let copy = NewReplica { source: Source::Replica(ReplicaId::trusted("r-1")), ..replica("r-2", "m-2") };
    put(&test, &[copy]).await;
    delete(&test, START).await;
    let mut tx = test.db.begin().await.unwrap();
    let tasks =
        replicas::claim_erasures(&mut tx, &region(), NOW, &lease("w", START + 1_000), 1).await.unwrap();
    assert_eq!(tasks[0].id.as_str(), "r-3");
}

/// The third assertion of the same rule: whatever a row says, bytes of a live holder are not claimed.
#[tokio::test]
async fn bytes_of_a_live_holder_are_never_claimed() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    images::insert(&mut tx, &image("m-1")).await.unwrap();
    tx.commit().await.unwrap();
    put(&test, &[replica("r-2", "m-1")]).await;
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE replicas SET state = 'erasing'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(claim_erasures(&test, "w", i64::MAX - 1_000).await.is_empty());

    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1", &[]).await.unwrap();
    tx.execute("DELETE FROM snapshots", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim_erasures(&test, "w", START).await.len(), 2, "the control");
}

/// Two workers die, the first one after it has written, the second one before it could clean up.
#[tokio::test]
async fn nothing_is_left_of_workers_that_died() {
    let folder = TempDir::new().unwrap();
    let objects = Objects::open(&Location::File(folder.path().to_owned())).unwrap();
    let test = stocked().await;
    let first = claim(&test, "w", START).await.remove(0);
    ingest::blank(1, &objects, &first.key).await.unwrap();
    let second = claim(&test, "w", START + 1_000).await.remove(0);
    let third = claim(&test, "w", START + 2_000).await.remove(0);
    assert_eq!(third.stale_keys, [first.key.clone(), second.key.clone()]);
    for stale in &third.stale_keys {
        objects.erase(stale).await.unwrap();
    }
    ingest::blank(1, &objects, &third.key).await.unwrap();
    fill(&test, &third, "w").await.unwrap();
    delete(&test, START + 3_000).await;
    let task = claim_erasures(&test, "w", START + 3_000).await.remove(0);
    assert_eq!(task.keys, [first.key, second.key, third.key]);
    for key in &task.keys {
        objects.erase(key).await.unwrap();
    }
    assert_eq!(objects.measure().await.unwrap(), (0, 0));
}

/// Every attempt wrote something, and nobody cleaned up: the erasure is left with all of it.
#[tokio::test]
async fn an_erasure_after_several_writes_erases_every_key() {
    for filled in [true, false] {
        let folder = TempDir::new().unwrap();
        let objects = Objects::open(&Location::File(folder.path().to_owned())).unwrap();
        let test = stocked().await;
        let mut written = Vec::new();
        for attempt in 0..4 {
            let task = claim(&test, "w", START + attempt * 1_000).await.remove(0);
            ingest::blank(1, &objects, &task.key).await.unwrap();
            written.push(task);
        }
        if filled {
            fill(&test, &written[3], "w").await.unwrap();
        }
        delete(&test, START + 5_000).await;
        // However often the erasure itself is begun anew.
        for attempt in 1..=3 {
            let now = START + 5_000 + i64::from(attempt) * 1_000;
            let task = claim_erasures(&test, "w", now).await.remove(0);
            assert_eq!(task.tries, attempt);
            assert!(task.keys.iter().eq(written.iter().map(|task| &task.key)), "{:?}", task.keys);
            if attempt == 3 {
                for key in &task.keys {
                    objects.erase(key).await.unwrap();
                }
                record_erased(&test, &task, "w").await.unwrap();
            }
        }
        assert_eq!(objects.measure().await.unwrap(), (0, 0));
    }
}

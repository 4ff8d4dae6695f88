//! Replicas as records: what is written is what is read.

use calotype_core::ids::{ImageId, RegionId, ReplicaId, SnapshotId, VersionId};
use calotype_core::replica::{Bytes, EntryState, Holder, NewReplica, RegionEntry, Source};
use calotype_store::db::StoreError;
use calotype_store::objects::ObjectKey;
use calotype_store::replicas::records::{Record, RecordState};
use calotype_store::replicas::{self, FillTask, Lease};

use crate::support::TestDb;
use crate::things::{NOW, at, region, replica};

pub fn lease(owner: &str, until: i64) -> Lease {
    Lease { owner: owner.to_owned(), until: at(until) }
}

/// Writes replicas that are due from [`NOW`] on.
pub async fn put(test: &TestDb, things: &[NewReplica]) {
    let mut tx = test.db.begin().await.expect("begin");
    for replica in things {
        replicas::insert(&mut tx, replica, NOW).await.expect("insert");
    }
    tx.commit().await.expect("commit");
}

/// Claims up to ten replicas for filling at `now`, for 1000 ms.
pub async fn claim(test: &TestDb, owner: &str, now: i64) -> Vec<FillTask> {
    let mut tx = test.db.begin().await.expect("begin");
    let mut tasks = Vec::new();
    for region in [region(), RegionId::trusted("cn-wuxi")] {
        let lease = lease(owner, now + 1_000);
        tasks.extend(replicas::claim_fills(&mut tx, &region, at(now), &lease, 10).await.expect("claim"));
    }
    tx.commit().await.expect("commit");
    tasks
}

pub fn bytes() -> Bytes {
    Bytes { size_bytes: 262_144, sha256: "ab".repeat(32), virtual_size_bytes: 1 << 30 }
}

/// Records that a task is done.
pub async fn fill(test: &TestDb, task: &FillTask, owner: &str) -> Result<(), StoreError> {
    let mut tx = test.db.begin().await?;
    replicas::record_filled(&mut tx, &task.id, task.attempt, owner, &bytes()).await?;
    tx.commit().await
}

/// How [`replica`] is listed among the replicas of its image.
pub fn entry(id: &str, state: EntryState) -> RegionEntry {
    RegionEntry { id: ReplicaId::trusted(id), version: None, region: RegionId::trusted("cn-chengdu"), state }
}

pub async fn records(test: &TestDb) -> Vec<Record> {
    let mut tx = test.db.read().await.expect("read");
    replicas::records::page(&mut tx, "", 100).await.expect("records")
}

#[tokio::test]
async fn every_holder_and_source_comes_back() {
    let sources = [
        Source::Bucket { bucket: "my-bucket".to_owned(), object: "a/b//c 100%.qcow2".to_owned() },
        Source::Bucket { bucket: "my-bucket".to_owned(), object: "\u{955c}'\"".to_owned() },
        Source::Bucket { bucket: "my-bucket".to_owned(), object: String::new() },
        Source::Replica(ReplicaId::trusted("r-origin")),
        Source::Blank { size_gib: 0 },
        Source::Blank { size_gib: u64::MAX },
    ];
    let holders = [Holder::Image(ImageId::trusted("m-1")), Holder::Snapshot(SnapshotId::trusted("s-1"))];
    for holder in holders {
        for source in sources.clone() {
            let test = TestDb::new().await;
            let (region, version) = (RegionId::trusted("cn-wuxi"), Some(VersionId::trusted("iv-1")));
            let id = ReplicaId::trusted("r-1");
            let written = NewReplica {
                id: id.clone(),
                holder: holder.clone(),
                version,
                region,
                source: source.clone(),
            };
            put(&test, &[written]).await;
            let task = claim(&test, "w", NOW.as_millis()).await.remove(0);
            assert_eq!((task.id, task.holder, task.source), (id, holder.clone(), source));
            assert_eq!(task.region, RegionId::trusted("cn-wuxi"));
            assert!(task.origin.is_none() && task.stale_keys.is_empty());
        }
    }
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let mut tx = test.db.begin().await.unwrap();
    let again = replicas::insert(&mut tx, &replica("r-1", "m-2"), NOW).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
}

#[tokio::test]
async fn a_copy_knows_what_it_is_copied_from() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let origin_task = claim(&test, "w", NOW.as_millis()).await.remove(0);
    let copy = NewReplica { source: Source::Replica(origin_task.id.clone()), ..replica("r-2", "m-2") };
    put(&test, std::slice::from_ref(&copy)).await;
    // The bytes are not there yet.
    let task = claim(&test, "w", NOW.as_millis()).await.remove(0);
    assert!(task.origin.is_none());

    fill(&test, &origin_task, "w").await.unwrap();
    let task = claim(&test, "w", NOW.as_millis() + 1_000).await.remove(0);
    let origin = task.origin.unwrap();
    assert_eq!(origin.key, origin_task.key);
    assert_eq!(origin.region, origin_task.region);
    assert_eq!(origin.bytes, bytes());
}

#[tokio::test]
async fn a_filled_replica_is_found_and_recorded() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1"), replica("r-2", "m-1"), replica("r-3", "m-2")]).await;
    let mut tx = test.db.read().await.unwrap();
    assert_eq!(replicas::available(&mut tx, "m-1").await.unwrap(), None);
    drop(tx);
    let tasks = claim(&test, "w", NOW.as_millis()).await;
    let second = tasks.iter().find(|task| task.id.as_str() == "r-2").unwrap();
    fill(&test, second, "w").await.unwrap();

    let mut tx = test.db.read().await.unwrap();
    let found = replicas::available(&mut tx, "m-1").await.unwrap();
    assert_eq!(found, Some((ReplicaId::trusted("r-2"), RegionId::trusted("cn-chengdu"))));
    assert_eq!(replicas::available(&mut tx, "m-2").await.unwrap(), None);
    let of_image = tx.ask(replicas::of_image(&ImageId::trusted("m-1"))).await.unwrap();
    let expected = [("r-1", EntryState::Copying(0)), ("r-2", EntryState::Available)];
    assert_eq!(of_image, expected.map(|(id, state)| entry(id, state)));
    drop(tx);

    let records = records(&test).await;
    let expected = Record {
        id: ReplicaId::trusted("r-2"),
        holder: Holder::Image(ImageId::trusted("m-1")),
        version: None,
        region: RegionId::trusted("cn-chengdu"),
        state: RecordState::Available,
        key: Some(ObjectKey::trusted("r-2.1")),
        size_bytes: Some(262_144),
        sha256: Some("ab".repeat(32)),
    };
    assert_eq!(records[1], expected);
    assert_eq!([records[0].state, records[2].state], [RecordState::Copying; 2]);
}

#[tokio::test]
async fn records_come_page_by_page() {
    let test = TestDb::new().await;
    let things: Vec<NewReplica> = (0..7).map(|number| replica(&format!("r-{number}"), "m-1")).collect();
    put(&test, &things).await;
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE replicas SET state = 'erased' WHERE id = 'r-4'", &[]).await.unwrap();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = replicas::records::page(&mut tx, &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id.as_str().to_owned();
        seen.extend(page.into_iter().map(|record| record.id.as_str().to_owned()));
    }
    assert_eq!(seen, ["r-0", "r-1", "r-2", "r-3", "r-5", "r-6"]);
}

#[tokio::test]
async fn the_next_due_time_is_the_earliest_of_its_state() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    assert_eq!(replicas::next_due(&mut tx, &region(), "copying").await.unwrap(), None);
    for (id, due) in [("r-1", 30), ("r-2", 10), ("r-3", 20)] {
        replicas::insert(&mut tx, &replica(id, "m-1"), at(due)).await.unwrap();
    }
    assert_eq!(replicas::next_due(&mut tx, &region(), "copying").await.unwrap(), Some(at(10)));
    assert_eq!(replicas::next_due(&mut tx, &region(), "erasing").await.unwrap(), None);
    tx.execute("UPDATE replicas SET state = 'erasing' WHERE id = 'r-1'", &[]).await.unwrap();
    tx.execute("UPDATE replicas SET due_ms = NULL WHERE id = 'r-2'", &[]).await.unwrap();
    assert_eq!(replicas::next_due(&mut tx, &region(), "copying").await.unwrap(), Some(at(20)));
    assert_eq!(replicas::next_due(&mut tx, &region(), "erasing").await.unwrap(), Some(at(30)));
}

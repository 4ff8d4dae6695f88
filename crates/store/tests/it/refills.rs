//! Replicas that are filled after all, and how far filling is.

use std::collections::BTreeSet;

use calotype_core::ids::{ImageId, ReplicaId};
use calotype_core::replica::{EntryState, NewReplica, RegionEntry, Source};
use calotype_store::db::StoreError;
use calotype_store::replicas::{self, FillTask};

use crate::replicas::{bytes, claim, entry, fill, lease, put};
use crate::support::TestDb;
use crate::things::{NOW, at, region, replica};

const START: i64 = NOW.as_millis();

fn id(text: &str) -> ReplicaId {
    ReplicaId::trusted(text)
}

/// Claims the only task that is due.
async fn claim_one(test: &TestDb, now: i64) -> FillTask {
    let mut tasks = claim(test, "w", now).await;
    assert_eq!(tasks.len(), 1);
    tasks.remove(0)
}

async fn fail(test: &TestDb, task: &FillTask) {
    let mut tx = test.db.begin().await.unwrap();
    replicas::record_failed(&mut tx, &task.id, task.attempt, "w", "hostile").await.unwrap();
    tx.commit().await.unwrap();
}

async fn refill(test: &TestDb, ids: &[&str], now: i64) -> Result<(), StoreError> {
    let ids: Vec<ReplicaId> = ids.iter().map(|text| id(text)).collect();
    let mut tx = test.db.begin().await?;
    replicas::refill(&mut tx, &ids, &id("r-1"), at(now)).await?;
    tx.commit().await
}

async fn entries(test: &TestDb) -> Vec<RegionEntry> {
    let mut tx = test.db.read().await.unwrap();
    tx.ask(replicas::of_image(&ImageId::trusted("m-1"))).await.unwrap()
}

/// `r-1` is filled; `r-2` has failed at its second attempt, the first of which was lost.
async fn stocked() -> (TestDb, Vec<FillTask>) {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    fill(&test, &claim_one(&test, START).await, "w").await.unwrap();
    put(&test, &[replica("r-2", "m-1")]).await;
    let tasks = vec![claim_one(&test, START).await, claim_one(&test, START + 1_000).await];
    fail(&test, &tasks[1]).await;
    (test, tasks)
}

#[tokio::test]
async fn a_failed_replica_is_filled_from_another_under_a_key_of_its_own() {
    let (test, mut tasks) = stocked().await;
    // Again and again: it may fail after all.
    for round in 2..5 {
        let now = START + i64::from(round) * 10_000;
        assert_eq!(entries(&test).await[1], entry("r-2", EntryState::Failed));
        refill(&test, &["r-2"], now).await.unwrap();
        assert_eq!(entries(&test).await[1], entry("r-2", EntryState::Waiting));
        assert!(claim(&test, "w", now - 1).await.is_empty(), "not due yet");
        for (attempt, now) in [(1, now), (2, now + 1_000)] {
            let task = claim_one(&test, now).await;
            assert_eq!((task.tries, &task.source), (attempt, &Source::Replica(id("r-1"))));
            let origin = task.origin.as_ref().unwrap();
            assert_eq!((origin.key.as_str(), &origin.bytes), ("r-1.1", &bytes()));
            assert!(task.stale_keys.iter().eq(tasks.iter().map(|task| &task.key)), "every earlier one");
            tasks.push(task);
        }
        fail(&test, &tasks[tasks.len() - 1]).await;
    }
    let keys: BTreeSet<_> = tasks.iter().map(|task| &task.key).collect();
    assert_eq!(keys.len(), tasks.len(), "no key is used twice");
    refill(&test, &["r-2"], START + 90_000).await.unwrap();
    let last = claim_one(&test, START + 90_000).await;
    assert!(!keys.contains(&last.key));
    fill(&test, &last, "w").await.unwrap();
    assert_eq!(entries(&test).await[1], entry("r-2", EntryState::Available));
}

#[tokio::test]
async fn only_what_has_failed_is_refilled_all_or_nothing() {
    for state in ["copying", "available", "erasing", "erased"] {
        let (test, _) = stocked().await;
        put(&test, &[replica("r-3", "m-1")]).await;
        let mut tx = test.db.begin().await.unwrap();
        let sql = "UPDATE replicas SET state = $1, due_ms = NULL WHERE id = 'r-3'";
        tx.execute_one(sql, &[state.into()]).await.unwrap();
        tx.commit().await.unwrap();
        for wrong in ["r-3", "r-none"] {
            let answer = refill(&test, &["r-2", wrong], START).await;
            assert!(matches!(answer, Err(StoreError::Conflict)), "{wrong} {state}");
        }
        assert_eq!(entries(&test).await[1], entry("r-2", EntryState::Failed), "{state}");
    }
}

/// A worker that lost its attempt before the replica failed, and hears of it after the refill.
#[tokio::test]
async fn a_former_filler_has_no_say_in_the_refill() {
    let (test, tasks) = stocked().await;
    refill(&test, &["r-2"], START + 5_000).await.unwrap();
    let task = claim_one(&test, START + 5_000).await;
    let answer = fill(&test, &tasks[0], "w").await;
    assert!(matches!(answer, Err(StoreError::Conflict)), "its bytes are not under the key of the row");
    fill(&test, &task, "w").await.unwrap();
}

async fn progress(test: &TestDb, task: &FillTask, attempt: u32, copied_bytes: u64) -> EntryState {
    let mut tx = test.db.begin().await.unwrap();
    replicas::record_progress(&mut tx, &task.id, attempt, copied_bytes).await.unwrap();
    tx.commit().await.unwrap();
    entries(test).await.into_iter().find(|entry| entry.id == task.id).unwrap().state
}

#[tokio::test]
async fn a_copy_shows_how_far_it_is_and_is_whole_when_that_is_recorded() {
    let (test, _) = stocked().await;
    let all = bytes().size_bytes;
    let copy = NewReplica { source: Source::Replica(id("r-1")), ..replica("r-3", "m-1") };
    put(&test, &[copy]).await;
    assert_eq!(entries(&test).await[2], entry("r-3", EntryState::Waiting));
    let task = claim_one(&test, START).await;
    for (copied_bytes, hundredths) in
        [(0, 0), (all / 100, 0), (all / 2, 50), (all - 1, 99), (all, 99), (u64::MAX, 99), (all / 4, 25)]
    {
        let shown = progress(&test, &task, 1, copied_bytes).await;
        assert_eq!(shown, EntryState::Copying(hundredths), "{copied_bytes}");
    }
    assert_eq!(progress(&test, &task, 2, all / 2).await, EntryState::Copying(25), "another attempt's word");
    let again = claim_one(&test, START + 1_000).await;
    assert_eq!(entries(&test).await[2], entry("r-3", EntryState::Copying(0)), "begun anew");
    assert_eq!(progress(&test, &again, 1, all / 2).await, EntryState::Copying(0), "a former holder's word");
    fill(&test, &again, "w").await.unwrap();
    assert_eq!(progress(&test, &again, 2, 0).await, EntryState::Available);

    // What is not copied from a replica has no length until it is there.
    put(&test, &[replica("r-4", "m-1")]).await;
    let task = claim_one(&test, START + 1_000).await;
    assert_eq!(progress(&test, &task, 1, all / 2).await, EntryState::Copying(0));
}

/// What is refilled and then deleted is erased with every key that it ever had.
#[tokio::test]
async fn an_erasure_knows_the_keys_from_before_the_refill() {
    let (test, tasks) = stocked().await;
    refill(&test, &["r-2"], START + 5_000).await.unwrap();
    let refilled = claim_one(&test, START + 5_000).await;
    fill(&test, &refilled, "w").await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    let sql = "UPDATE replicas SET state = 'erasing', attempt = 0, due_ms = 0 WHERE id = 'r-2'";
    tx.execute_one(sql, &[]).await.unwrap();
    let erasures =
        replicas::claim_erasures(&mut tx, &region(), NOW, &lease("w", START + 9_000), 9).await.unwrap();
    assert_eq!(erasures[0].keys, [&tasks[0].key, &tasks[1].key, &refilled.key].map(Clone::clone));
}

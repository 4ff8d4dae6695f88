//! Claims of tasks: at most one worker has a task, and only it may say how the task ended.

use std::collections::BTreeSet;

use calotype_core::ids::ReplicaId;
use calotype_core::replica::NewReplica;
use calotype_store::db::{Db, StoreError};
use calotype_store::replicas::{self, FillTask};
use tokio::task::JoinSet;

use crate::replicas::{bytes, claim, fill, lease, put, records};
use crate::support::TestDb;
use crate::things::{NOW, at, region, replica};

const START: i64 = NOW.as_millis();

/// The ways in which a worker says how filling ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Filled,
    Failed,
    Retry,
}

const ENDS: [End; 3] = [End::Filled, End::Failed, End::Retry];

async fn record(test: &TestDb, task: &FillTask, owner: &str, end: End) -> Result<(), StoreError> {
    let mut tx = test.db.begin().await?;
    let (id, attempt) = (&task.id, task.attempt);
    match end {
        End::Filled => replicas::record_filled(&mut tx, id, attempt, owner, &bytes()).await?,
        End::Failed => replicas::record_failed(&mut tx, id, attempt, owner, "hostile").await?,
        End::Retry => replicas::record_retry(&mut tx, id, attempt, owner, "away", at(START + 50)).await?,
    }
    tx.commit().await
}

async fn renew(test: &TestDb, task: &FillTask, owner: &str, until: i64) -> bool {
    let mut tx = test.db.begin().await.unwrap();
    let held = replicas::renew(&mut tx, &task.id, task.attempt, &lease(owner, until)).await.unwrap();
    tx.commit().await.unwrap();
    held
}

/// Nobody else's word about the task counts.
async fn refused(test: &TestDb, task: &FillTask, owner: &str) {
    let before = records(test).await;
    for end in ENDS {
        let answer = record(test, task, owner, end).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{end:?} by {owner}");
    }
    assert!(!renew(test, task, owner, START + 9_000).await, "renewed by {owner}");
    assert_eq!(records(test).await, before);
}

#[tokio::test]
async fn tasks_are_claimed_when_they_are_due_the_longest_due_first() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for (id, due) in [("r-1", 30), ("r-2", 10), ("r-3", 20), ("r-4", 40)] {
        replicas::insert(&mut tx, &replica(id, "m-1"), at(due)).await.unwrap();
    }
    tx.commit().await.unwrap();
    for (now, limit, expected) in [(9, 5, &[][..]), (30, 2, &["r-2", "r-3"]), (30, 5, &["r-1"])] {
        let mut tx = test.db.begin().await.unwrap();
        let tasks =
            replicas::claim_fills(&mut tx, &region(), at(now), &lease("w", 1_000), limit).await.unwrap();
        tx.commit().await.unwrap();
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(ids, expected, "at {now}");
    }
}

#[tokio::test]
async fn a_claim_that_is_not_committed_is_none() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let mut tx = test.db.begin().await.unwrap();
    let tasks = replicas::claim_fills(&mut tx, &region(), NOW, &lease("a", START + 1_000), 10).await.unwrap();
    assert_eq!(tasks.len(), 1);
    drop(tx);
    let task = claim(&test, "b", START).await.remove(0);
    assert_eq!(task.attempt, 1);
    refused(&test, &task, "a").await;
    fill(&test, &task, "b").await.unwrap();
}

#[tokio::test]
async fn a_lease_that_ran_out_makes_the_task_due_again_under_another_key() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let mut keys = BTreeSet::new();
    let mut stale = Vec::new();
    for attempt in 1..=12 {
        let now = START + i64::from(attempt) * 1_000;
        let task = claim(&test, "w", now).await.remove(0);
        assert_eq!(task.attempt, attempt);
        assert_eq!(task.stale_keys, stale, "what every earlier attempt may have left");
        assert!(keys.insert(task.key.clone()), "{:?} again", task.key);
        assert!(claim(&test, "x", now + 999).await.is_empty(), "held");
        stale.push(task.key);
    }
}

/// One worker died, the other one was cut off by a start of the server: both may have left something.
#[tokio::test]
async fn after_two_lost_attempts_both_keys_are_stale() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1"), replica("r-10", "m-1")]).await;
    let first = claim(&test, "a", START).await.remove(0);
    assert_eq!(first.stale_keys, []);
    let second = claim(&test, "b", START + 1_000).await.remove(0);
    assert_eq!(second.stale_keys, std::slice::from_ref(&first.key));
    let mut tx = test.db.begin().await.unwrap();
    replicas::release_leases(&mut tx, at(START + 1_500)).await.unwrap();
    tx.commit().await.unwrap();
    let third = claim(&test, "c", START + 1_500).await.remove(0);
    assert_eq!((third.id, third.attempt), (first.id, 3));
    assert_eq!(third.stale_keys, [first.key, second.key]);
    assert!(!third.stale_keys.contains(&third.key));
}

#[tokio::test]
async fn a_retry_counts_on_and_waits_for_its_time() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let first = claim(&test, "w", START).await.remove(0);
    record(&test, &first, "w", End::Retry).await.unwrap();
    assert!(claim(&test, "w", START + 49).await.is_empty());
    let second = claim(&test, "w", START + 50).await.remove(0);
    assert_eq!((second.attempt, second.stale_keys), (2, vec![first.key.clone()]));
    assert_ne!(second.key, first.key);
}

#[tokio::test]
async fn a_task_that_ended_is_never_claimed_again() {
    for end in [End::Filled, End::Failed] {
        let test = TestDb::new().await;
        put(&test, &[replica("r-1", "m-1")]).await;
        let task = claim(&test, "w", START).await.remove(0);
        record(&test, &task, "w", end).await.unwrap();
        assert!(claim(&test, "w", i64::MAX - 1_000).await.is_empty(), "{end:?}");
        refused(&test, &task, "w").await;
    }
}

#[tokio::test]
async fn a_renewed_lease_holds_longer() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let task = claim(&test, "w", START).await.remove(0);
    assert!(renew(&test, &task, "w", START + 5_000).await);
    assert!(claim(&test, "x", START + 4_999).await.is_empty());
    assert_eq!(claim(&test, "x", START + 5_000).await.len(), 1);
}

#[tokio::test]
async fn a_former_holder_is_refused() {
    // Another worker has it; the same worker has it, later; nobody has it; the server was started anew.
    for next in [Some("b"), Some("a"), None] {
        let test = TestDb::new().await;
        put(&test, &[replica("r-1", "m-1")]).await;
        let former = claim(&test, "a", START).await.remove(0);
        if let Some(owner) = next {
            let task = claim(&test, owner, START + 1_000).await.remove(0);
            refused(&test, &former, "a").await;
            fill(&test, &task, owner).await.unwrap();
        } else {
            let mut tx = test.db.begin().await.unwrap();
            replicas::release_leases(&mut tx, at(START + 10)).await.unwrap();
            tx.commit().await.unwrap();
            refused(&test, &former, "a").await;
            let task = claim(&test, "b", START + 10).await.remove(0);
            assert_eq!(task.attempt, 2);
        }
        refused(&test, &former, "a").await;
    }
}

#[tokio::test]
async fn somebody_else_is_refused() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let task = claim(&test, "a", START).await.remove(0);
    refused(&test, &task, "b").await;
    let of_another = FillTask { id: ReplicaId::trusted("r-2"), ..task.clone() };
    refused(&test, &of_another, "a").await;
    let later = FillTask { attempt: 2, ..task.clone() };
    refused(&test, &later, "a").await;
    fill(&test, &task, "a").await.unwrap();
}

/// Claims until nothing is left; gives what it got.
async fn claim_all(db: Db, owner: String) -> Vec<String> {
    let mut got = Vec::new();
    loop {
        let mut tx = db.begin().await.expect("begin");
        let claimed = replicas::claim_fills(&mut tx, &region(), NOW, &lease(&owner, START + 1_000), 3).await;
        let tasks = claimed.expect("the fence leaves nothing to conflict with");
        if tasks.is_empty() {
            return got;
        }
        tx.commit().await.expect("commit");
        got.extend(tasks.iter().map(|task| task.id.as_str().to_owned()));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_never_have_one_task_twice() {
    let test = TestDb::new().await;
    let things: Vec<NewReplica> = (0..300).map(|number| replica(&format!("r-{number}"), "m-1")).collect();
    put(&test, &things).await;
    let mut workers = JoinSet::new();
    for worker in 0..40 {
        workers.spawn(claim_all(test.db.clone(), format!("w-{worker}")));
    }
    let got = workers.join_all().await;
    assert!(got.iter().filter(|tasks| !tasks.is_empty()).count() > 1, "several workers took part");
    let all: Vec<String> = got.into_iter().flatten().collect();
    assert_eq!(all.len(), things.len());
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), things.len());
}

/// The guard of the claim holds even where two workers have seen the same due task.
#[tokio::test]
async fn without_the_fence_the_second_claim_meets_the_guard() {
    let test = TestDb::unfenced_file().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    let (mut one, mut other) = (test.db.begin().await.unwrap(), test.db.begin().await.unwrap());
    for tx in [&mut one, &mut other] {
        assert_eq!(
            replicas::next_due(tx, &region(), "copying").await.unwrap(),
            Some(NOW),
            "has its snapshot"
        );
    }
    let tasks =
        replicas::claim_fills(&mut one, &region(), NOW, &lease("a", START + 1_000), 10).await.unwrap();
    one.commit().await.unwrap();
    let second = replicas::claim_fills(&mut other, &region(), NOW, &lease("b", START + 1_000), 10).await;
    assert!(matches!(second, Err(StoreError::Conflict)));
    drop(other);
    fill(&test, &tasks[0], "a").await.unwrap();
}

#[tokio::test]
async fn a_start_frees_every_lease_and_nothing_else() {
    let test = TestDb::new().await;
    put(&test, &[replica("r-1", "m-1"), replica("r-2", "m-1")]).await;
    let tasks = claim(&test, "w", START).await;
    fill(&test, &tasks[0], "w").await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    replicas::insert(&mut tx, &replica("r-3", "m-1"), at(START + 500)).await.unwrap();
    replicas::release_leases(&mut tx, at(START + 10)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(claim(&test, "x", START + 9).await.is_empty());
    let freed = claim(&test, "x", START + 10).await;
    assert_eq!(freed.iter().map(|task| &task.id).collect::<Vec<_>>(), [&tasks[1].id]);
}

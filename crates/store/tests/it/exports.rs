//! Exports: at most one worker has one, only it may say how it ended, and the bytes stay until then.

use calotype_core::export_image::{Export, ExportState, ExportTarget};
use calotype_core::ids::ImageId;
use calotype_core::image::Product;
use calotype_store::db::{Result, StoreError};
use calotype_store::exports::{self, ExportTask, Filter};
use calotype_store::{images, replicas};

use crate::replicas::{bytes, claim, fill, lease, put};
use crate::support::TestDb;
use crate::things::{NOW, account, at, image, region, replica};

const START: i64 = NOW.as_millis();

fn id(text: &str) -> ImageId {
    ImageId::trusted(text)
}

fn export(image: &str, bucket: &str, since: i64) -> Export {
    let image = id(image);
    let target = ExportTarget::of(bucket, "", &image);
    Export { image, target, state: ExportState::Exporting, since: at(since) }
}

async fn begin(test: &TestDb, export: &Export, due: i64) -> Result<()> {
    let mut tx = test.db.begin().await?;
    exports::begin(&mut tx, export, at(due)).await?;
    tx.commit().await
}

/// Images with bytes, none of which is exported.
async fn stocked(names: &[&str]) -> TestDb {
    let test = TestDb::new().await;
    for name in names {
        let mut tx = test.db.begin().await.unwrap();
        images::insert(&mut tx, &image(name)).await.unwrap();
        tx.commit().await.unwrap();
        put(&test, &[replica(&format!("r-{name}"), name)]).await;
        let task = claim(&test, "w", START).await.remove(0);
        fill(&test, &task, "w").await.unwrap();
    }
    test
}

/// An image `m-1` that is to be exported from the start on.
async fn exporting() -> TestDb {
    let test = stocked(&["m-1"]).await;
    begin(&test, &export("m-1", "golden", START), START).await.unwrap();
    test
}

/// Claims for 1000 ms.
async fn take(test: &TestDb, owner: &str, now: i64, busy: &[&str]) -> Option<ExportTask> {
    let mut tx = test.db.begin().await.unwrap();
    let task = exports::claim(&mut tx, at(now), &lease(owner, now + 1_000), busy).await.unwrap();
    tx.commit().await.unwrap();
    task
}

/// The ways in which a worker says how an attempt ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Exported,
    Failed,
    Retry,
}

async fn record(test: &TestDb, task: &ExportTask, owner: &str, end: End) -> Result<()> {
    let (image, attempt) = (&task.image, task.attempt);
    let mut tx = test.db.begin().await?;
    match end {
        End::Exported => exports::record_end(&mut tx, image, attempt, owner, None).await?,
        End::Failed => exports::record_end(&mut tx, image, attempt, owner, Some("away")).await?,
        End::Retry => exports::record_retry(&mut tx, image, attempt, owner, "away", at(START + 50)).await?,
    }
    tx.commit().await
}

async fn latest(test: &TestDb, image: &str) -> Option<Export> {
    test.db.read().await.unwrap().ask(exports::latest(&id(image))).await.unwrap()
}

/// Nobody else's word about the task counts.
async fn refused(test: &TestDb, task: &ExportTask, owner: &str) {
    let before = latest(test, "m-1").await;
    for end in [End::Exported, End::Failed, End::Retry] {
        let answer = record(test, task, owner, end).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{end:?} by {owner}");
    }
    let mut tx = test.db.begin().await.unwrap();
    let held = exports::renew(&mut tx, &task.image, task.attempt, &lease(owner, START + 9_000)).await;
    assert!(!held.unwrap(), "renewed by {owner}");
    drop(tx);
    assert_eq!(latest(test, "m-1").await, before);
}

#[tokio::test]
async fn a_task_says_where_the_bytes_lie_and_where_they_go() {
    let test = stocked(&["m-1"]).await;
    assert_eq!(latest(&test, "m-1").await, None);
    assert!(take(&test, "w", i64::MAX - 1_000, &[]).await.is_none());
    begin(&test, &export("m-1", "golden", START), START + 10).await.unwrap();
    assert_eq!(latest(&test, "m-1").await, Some(export("m-1", "golden", START)));
    assert!(take(&test, "w", START + 9, &[]).await.is_none(), "not due yet");
    let task = take(&test, "w", START + 10, &[]).await.unwrap();
    assert_eq!((task.image, task.attempt, task.tries), (id("m-1"), 1, 1));
    assert_eq!(task.target, ExportTarget::of("golden", "", &id("m-1")));
    assert!(task.stale_attempts.is_empty());
    let origin = task.origin.unwrap();
    assert_eq!((origin.region, origin.key.as_str(), origin.bytes), (region(), "r-m-1.1", bytes()));
}

#[tokio::test]
async fn an_export_that_ended_is_over_and_may_begin_anew_elsewhere() {
    for (end, state) in [
        (End::Exported, ExportState::Exported),
        (End::Failed, ExportState::Failed { reason: "away".to_owned() }),
    ] {
        let test = exporting().await;
        let task = take(&test, "w", START, &[]).await.unwrap();
        let again = begin(&test, &export("m-1", "other", START + 5), START + 5).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "one at a time");
        record(&test, &task, "w", end).await.unwrap();
        assert_eq!(latest(&test, "m-1").await.unwrap().state, state);
        assert!(take(&test, "w", i64::MAX - 1_000, &[]).await.is_none());
        refused(&test, &task, "w").await;

        begin(&test, &export("m-1", "other", START + 5), START + 5).await.unwrap();
        assert_eq!(latest(&test, "m-1").await, Some(export("m-1", "other", START + 5)));
        let task = take(&test, "w", START + 5, &[]).await.unwrap();
        // What an attempt leaves is named after its number, which is no other attempt's.
        assert_eq!((task.attempt, task.tries, task.target.bucket.as_str()), (2, 1, "other"));
        assert!(task.stale_attempts.is_empty(), "the earlier ones went elsewhere");
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_makes_the_task_due_again() {
    let test = exporting().await;
    for attempt in 1..=4 {
        let now = START + i64::from(attempt) * 1_000;
        let task = take(&test, "w", now, &[]).await.unwrap();
        assert_eq!((task.attempt, task.tries), (attempt, attempt));
        assert_eq!(task.stale_attempts, 1..attempt, "what every earlier attempt may have left");
        assert!(take(&test, "x", now + 999, &[]).await.is_none(), "held");
        refused(&test, &task, "x").await;
    }
}

#[tokio::test]
async fn a_retry_waits_for_its_time_and_a_renewed_lease_holds_longer() {
    let test = exporting().await;
    let task = take(&test, "w", START, &[]).await.unwrap();
    record(&test, &task, "w", End::Retry).await.unwrap();
    assert!(take(&test, "w", START + 49, &[]).await.is_none());
    let task = take(&test, "w", START + 50, &[]).await.unwrap();
    assert_eq!(task.attempt, 2);
    let mut tx = test.db.begin().await.unwrap();
    assert!(exports::renew(&mut tx, &task.image, 2, &lease("w", START + 5_000)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(take(&test, "x", START + 4_999, &[]).await.is_none());
    assert!(take(&test, "x", START + 5_000, &[]).await.is_some());
}

#[tokio::test]
async fn a_start_frees_every_lease() {
    let test = exporting().await;
    let former = take(&test, "a", START, &[]).await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    exports::release_leases(&mut tx, at(START + 10)).await.unwrap();
    tx.commit().await.unwrap();
    refused(&test, &former, "a").await;
    assert!(take(&test, "b", START + 9, &[]).await.is_none());
    assert_eq!(take(&test, "b", START + 10, &[]).await.unwrap().attempt, 2);
}

#[tokio::test]
async fn what_goes_to_a_busy_bucket_waits_and_nothing_else() {
    let test = stocked(&["m-1", "m-2", "m-3"]).await;
    for (image, bucket, due) in [("m-1", "slow", 10), ("m-2", "slow", 20), ("m-3", "slow-not", 30)] {
        begin(&test, &export(image, bucket, START), START + due).await.unwrap();
    }
    let mut tx = test.db.read().await.unwrap();
    assert_eq!(exports::next_due(&mut tx, &[]).await.unwrap(), Some(at(START + 10)));
    assert_eq!(exports::next_due(&mut tx, &["slow"]).await.unwrap(), Some(at(START + 30)));
    assert_eq!(exports::next_due(&mut tx, &["slow", "slow-not"]).await.unwrap(), None);
    drop(tx);
    let now = START + 100;
    assert_eq!(take(&test, "w", now, &["slow"]).await.unwrap().image, id("m-3"));
    assert!(take(&test, "w", now, &["slow"]).await.is_none());
    assert_eq!(take(&test, "w", now, &["slow-not"]).await.unwrap().image, id("m-1"), "the longest due");
    assert_eq!(take(&test, "w", now, &[]).await.unwrap().image, id("m-2"));
}

#[tokio::test]
async fn d18_a_running_export_is_a_fact_of_a_delete_and_ends_with_it() {
    let test = exporting().await;
    let fact = async || {
        let mut tx = test.db.begin().await.unwrap();
        images::load_delete_view(&mut tx, Product::Ens, &id("m-1"), &account(1), false)
            .await
            .unwrap()
            .0
            .exporting
    };
    assert_eq!(fact().await, Some(ExportTarget::of("golden", "", &id("m-1"))));
    let mut tx = test.db.read().await.unwrap();
    let blockers = images::blockers(&mut tx, &id("m-1")).await.unwrap();
    assert_eq!(blockers["oss://golden/m-1.qcow2"], (account(1), NOW));
    drop(tx);
    let task = take(&test, "w", START, &[]).await.unwrap();
    assert!(fact().await.is_some());
    record(&test, &task, "w", End::Failed).await.unwrap();
    assert_eq!(fact().await, None);
}

/// A delete waits for the export; were it not so, the bytes would still be there until it has ended.
#[tokio::test]
async fn bytes_that_an_export_reads_are_not_erased() {
    let test = exporting().await;
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1", &[]).await.unwrap();
    tx.execute("UPDATE replicas SET state = 'erasing', due_ms = 1, tries = 0", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let erasures = async || {
        let mut tx = test.db.begin().await.unwrap();
        replicas::claim_erasures(&mut tx, &region(), NOW, &lease("e", START + 1_000), 10).await.unwrap().len()
    };
    assert_eq!(erasures().await, 0);
    let task = take(&test, "w", START, &[]).await.unwrap();
    assert!(task.origin.is_none(), "and no new read begins");
    record(&test, &task, "w", End::Failed).await.unwrap();
    assert_eq!(erasures().await, 1);
}

#[tokio::test]
async fn listings_show_an_accounts_live_images_the_latest_export_first() {
    let test = stocked(&["m-1", "m-2", "m-3", "m-4"]).await;
    for (name, since) in [("m-1", 1), ("m-2", 2), ("m-3", 3)] {
        begin(&test, &export(name, "golden", since), START).await.unwrap();
    }
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1 WHERE id = 'm-3'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let listed = async |owner, filter: Filter<'_>, offset, limit| {
        let mut tx = test.db.read().await.unwrap();
        let (items, total) = exports::list(&mut tx, &account(owner), &filter, offset, limit).await.unwrap();
        (items.into_iter().map(|item| (item.export.image.to_string(), item.name)).collect::<Vec<_>>(), total)
    };
    let named = |name: &str| (name.to_owned(), format!("name of {name}"));
    let all = Filter::default();
    assert_eq!(listed(1, all, 0, 10).await, (vec![named("m-2"), named("m-1")], 2));
    assert_eq!(listed(1, all, 1, 1).await, (vec![named("m-1")], 2));
    assert_eq!(listed(1, all, 5, 1).await, (vec![], 2));
    assert_eq!(listed(2, all, 0, 10).await, (vec![], 0));
    assert_eq!(listed(1, Filter { image: Some("m-1"), ..all }, 0, 10).await.0, [named("m-1")]);
    assert_eq!(listed(1, Filter { image: Some("m"), ..all }, 0, 10).await.0, []);
    assert_eq!(listed(1, Filter { name_part: Some("of m-2"), ..all }, 0, 10).await.0, [named("m-2")]);
}

//! What transactions of several servers see of each other.

use calotype_store::db::{Lock, Result, StoreError, Tx};
use tokio::time::{Duration, timeout};

use crate::{open, schema};

const PUT: &str = "INSERT INTO stores (region, token) VALUES ($1, $2)";

async fn put(tx: &mut Tx, region: &str) -> Result<()> {
    tx.send_one(PUT, &[region.into(), "t".into()], StoreError::Conflict).await
}

async fn regions(tx: &mut Tx) -> usize {
    tx.query("SELECT region FROM stores", &[]).await.unwrap().len()
}

#[tokio::test]
async fn what_is_sent_is_done_before_what_is_asked_and_with_the_commit() {
    let url = schema().await;
    let (db, other) = (open(&url).await.unwrap(), open(&url).await.unwrap());
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "one").await.unwrap();
    assert_eq!(regions(&mut tx).await, 1);
    put(&mut tx, "two").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(regions(&mut other.read().await.unwrap()).await, 2);
}

#[tokio::test]
async fn a_guard_that_is_sent_along_takes_the_whole_transaction_back() {
    let db = open(&schema().await).await.unwrap();
    for (sql, values) in [
        ("UPDATE stores SET token = 'x' WHERE region = $1", ["none"]),
        ("UPDATE stores SET token = 'x' WHERE token <> $1", [""]),
    ] {
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, "one").await.unwrap();
        put(&mut tx, "two").await.unwrap();
        tx.send_one(sql, &values.map(Into::into), StoreError::Spent).await.unwrap();
        let committed = tx.commit().await;
        assert!(matches!(committed, Err(StoreError::Spent)), "{sql}: {committed:?}");
        assert_eq!(regions(&mut db.read().await.unwrap()).await, 0);
    }
}

/// The database answers a commit after a failure with success, and has rolled back.
#[tokio::test]
async fn after_a_failure_nothing_is_committed_whatever_the_database_says() {
    let db = open(&schema().await).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "one").await.unwrap();
    assert!(tx.query("SELECT nothing FROM nowhere", &[]).await.is_err());
    assert!(matches!(tx.commit().await, Err(StoreError::Unavailable(_))));
    assert_eq!(regions(&mut db.read().await.unwrap()).await, 0);
}

#[tokio::test]
async fn whoever_locks_a_row_alone_sees_what_the_one_before_has_done() {
    let url = schema().await;
    let (db, other) = (open(&url).await.unwrap(), open(&url).await.unwrap());
    let mut tx = db.begin().await.unwrap();
    let insert = "INSERT INTO snapshots VALUES ('s-1', '', '', 'before', '', '', '', '', '', 0, '', '', '', '', '', 0)";
    tx.execute_one(insert, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let name = "SELECT name FROM snapshots WHERE id = 's-1'";

    let mut first = db.begin().await.unwrap();
    first.lock("snapshots", "s-1", Lock::Alone);
    assert_eq!(first.query(name, &[]).await.unwrap()[0].text(0).unwrap(), "before");
    for lock in [Lock::Shared, Lock::Alone] {
        let mut second = other.begin().await.unwrap();
        second.lock("snapshots", "s-1", lock);
        assert!(timeout(Duration::from_millis(200), second.query(name, &[])).await.is_err(), "waits");
    }
    let mut second = other.begin().await.unwrap();
    second.lock("snapshots", "s-1", Lock::Alone);
    let look = async { second.query(name, &[]).await.unwrap()[0].text(0).unwrap().to_owned() };
    let change = async {
        first.send_one("UPDATE snapshots SET name = 'after'", &[], StoreError::Conflict).await.unwrap();
        first.commit().await.unwrap();
    };
    // The look is on its way before the change.
    let (seen, ()) = tokio::join!(biased; look, change);
    assert_eq!(seen, "after");
    drop(second);

    let (mut one, mut two) = (db.begin().await.unwrap(), other.begin().await.unwrap());
    for tx in [&mut one, &mut two] {
        tx.lock("snapshots", "s-1", Lock::Shared);
        assert_eq!(tx.query(name, &[]).await.unwrap().len(), 1, "shared locks do not wait for each other");
    }
}

/// Two that wait for each other do not wait for ever, and one of them is told to begin anew.
#[tokio::test]
async fn a_deadlock_ends_as_a_conflict() {
    let url = schema().await;
    let db = open(&url).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "one").await.unwrap();
    put(&mut tx, "two").await.unwrap();
    tx.commit().await.unwrap();
    let touch = async |tx: &mut Tx, region: &str| {
        tx.execute("UPDATE stores SET token = token || '.' WHERE region = $1", &[region.into()]).await
    };
    let (mut one, mut two) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    touch(&mut one, "one").await.unwrap();
    touch(&mut two, "two").await.unwrap();
    let (first, second) = tokio::join!(
        async {
            touch(&mut one, "two").await?;
            one.commit().await
        },
        async {
            touch(&mut two, "one").await?;
            two.commit().await
        }
    );
    let conflicts = [&first, &second].map(|ended| matches!(ended, Err(StoreError::Conflict)));
    assert!(conflicts[0] != conflicts[1] && (first.is_ok() || second.is_ok()), "{first:?} {second:?}");
}

/// Whoever is gone while its statements run leaves nothing behind, and the connection is as good as new.
#[tokio::test]
async fn whoever_stops_waiting_has_done_nothing() {
    let address = crate::place(&schema().await, 1);
    let db = calotype_store::db::Db::open(&calotype_store::db::Options::new(address)).await.unwrap();
    for _ in 0..20 {
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, "one").await.unwrap();
        let slow = tx.query("SELECT CAST(pg_sleep(0.02) AS TEXT)", &[]);
        assert!(timeout(Duration::from_millis(2), slow).await.is_err());
        drop(tx);
        assert_eq!(regions(&mut db.read().await.unwrap()).await, 0);
    }
}

#[tokio::test]
async fn a_note_stays_without_a_commit() {
    let db = open(&schema().await).await.unwrap();
    let mut tx = db.note().await.unwrap();
    put(&mut tx, "noted").await.unwrap();
    assert_eq!(regions(&mut tx).await, 1);
    drop(tx);
    for _ in 0..100 {
        if regions(&mut db.read().await.unwrap()).await == 1 {
            return;
        }
    }
    panic!("the note is lost");
}

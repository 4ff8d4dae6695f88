//! Nonces: each is spent once, across restarts, until it expires.

use std::sync::atomic::{AtomicI64, Ordering};

use calotype_core::time::Timestamp;
use calotype_store::db::{Db, Options, Place, StoreError};
use calotype_store::nonces::{self, SpentNonce};
use tokio::task::JoinSet;

use crate::support::{TestDb, poll_once};
use crate::things::at;

/// A database whose nonces several servers spend, in a place of its own.
struct Several {
    db: Db,
    place: Place,
    _test: TestDb,
}

impl Several {
    async fn new() -> Self {
        Self::at(TestDb::new().await).await
    }

    async fn at(test: TestDb) -> Self {
        let place = match &test.place {
            Place::Sqlite(path) => Place::Sqlite(path.with_extension("several")),
            place @ Place::Postgres(_) => place.clone(),
        };
        Self { db: open(&place).await, place, _test: test }
    }

    /// A second way in, as a server that starts later has it.
    async fn reopen(&self) -> Db {
        open(&self.place).await
    }
}

async fn open(place: &Place) -> Db {
    Db::open(&Options { shared: true, ..Options::new(place.clone()) }).await.expect("the database opens")
}

fn nonce(key: &str, text: &str, expires: i64) -> SpentNonce {
    SpentNonce { request: 7, access_key_id: key.to_owned(), nonce: text.to_owned(), expires: at(expires) }
}

/// The same nonce, as another request has it.
fn seen_again(nonce: &SpentNonce) -> SpentNonce {
    static NUMBER: AtomicI64 = AtomicI64::new(8);
    SpentNonce { request: NUMBER.fetch_add(1, Ordering::Relaxed), ..nonce.clone() }
}

async fn spend(db: &Db, nonce: &SpentNonce) -> bool {
    let mut tx = db.begin().await.expect("begin");
    let spent = match nonces::spend(&mut tx, nonce).await {
        Ok(()) => tx.commit().await,
        Err(error) => Err(error),
    };
    match spent {
        Ok(()) => true,
        Err(StoreError::Spent) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn live(db: &Db, now: Timestamp) -> Vec<SpentNonce> {
    let mut tx = db.read().await.expect("read");
    nonces::live(&mut tx, now).await.expect("live")
}

#[tokio::test]
async fn a_nonce_is_spent_once_per_key() {
    let test = Several::new().await;
    assert!(spend(&test.db, &nonce("k", "n", 10)).await);
    assert!(!spend(&test.db, &seen_again(&nonce("k", "n", 10))).await);
    assert!(spend(&test.db, &nonce("k", "n", 10)).await, "the same request goes on");
    assert!(!spend(&test.db, &seen_again(&nonce("k", "n", 10))).await);
    for other in [nonce("k", "N", 10), nonce("K", "n", 10), nonce("kn", "", 10), nonce("", "kn", 10)] {
        assert!(spend(&test.db, &other).await, "{other:?}");
    }
    for odd in ["", "\u{955c}", "'; --", "%", "a\u{0}b"] {
        assert!(spend(&test.db, &nonce("k", odd, 20)).await, "{odd:?}");
        assert!(!spend(&test.db, &seen_again(&nonce("k", odd, 20))).await, "{odd:?}");
    }
}

#[tokio::test]
async fn a_nonce_of_a_transaction_that_was_not_committed_is_not_spent() {
    let test = Several::new().await;
    let mut tx = test.db.begin().await.unwrap();
    nonces::spend(&mut tx, &nonce("k", "n", 10)).await.unwrap();
    drop(tx);
    assert!(spend(&test.db, &nonce("k", "n", 10)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_with_one_nonce_one_is_the_first() {
    let test = Several::new().await;
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let db = test.db.clone();
        requests.spawn(async move { spend(&db, &seen_again(&nonce("k", "n", 10))).await });
    }
    assert_eq!(requests.join_all().await.into_iter().filter(|fresh| *fresh).count(), 1);
}

#[tokio::test]
async fn nonces_are_remembered_by_whoever_opens_the_file_until_they_expire() {
    let test = Several::new().await;
    let (early, late) = (nonce("k", "early", 10), nonce("k", "late", 11));
    for nonce in [&late, &early] {
        assert!(spend(&test.db, nonce).await);
    }
    let again = test.reopen().await;
    assert_eq!(live(&again, at(10)).await, [early.clone(), late.clone()]);
    assert_eq!(live(&again, at(11)).await, std::slice::from_ref(&late));
    assert_eq!(live(&again, at(12)).await, []);
    assert!(!spend(&again, &seen_again(&late)).await);

    for (now, forgotten) in [(10, 0), (11, 1), (11, 0), (12, 1)] {
        let mut tx = again.begin().await.unwrap();
        let later = at(now).plus_millis(3_600_000);
        assert_eq!(nonces::forget_expired(&mut tx, later).await.unwrap(), forgotten, "at {now}");
        tx.commit().await.unwrap();
    }
    assert!(live(&again, at(0)).await.is_empty());
}

/// A replay that comes while the first request is on its way meets it in the line.
#[tokio::test]
async fn a_replay_in_the_same_group_is_noticed() {
    let test = Several::at(TestDb::embedded().await).await;
    let mut first = test.db.begin().await.unwrap();
    let mut second = Box::pin(test.db.begin());
    assert!(poll_once(&mut second).await.is_none());
    nonces::spend(&mut first, &nonce("k", "n", 10)).await.unwrap();
    let mut first = Box::pin(first.commit());
    assert!(poll_once(&mut first).await.is_none());
    let mut second = second.await.unwrap();
    nonces::spend(&mut second, &seen_again(&nonce("k", "n", 10))).await.unwrap();
    let again = second.commit().await;
    assert!(matches!(again, Err(StoreError::Spent)), "{again:?}");
    first.await.unwrap();
}

/// One server asks its memory; what it spends is there for the memory that it has after a restart.
#[tokio::test]
async fn a_server_that_is_alone_only_adds_its_nonces() {
    let test = TestDb::embedded().await;
    assert!(spend(&test.db, &nonce("k", "n", 10)).await);
    assert!(spend(&test.db, &seen_again(&nonce("k", "n", 10))).await);
    let again = test.reopen().await;
    assert_eq!(live(&again, at(10)).await.len(), 2);
    let mut tx = again.begin().await.unwrap();
    assert_eq!(nonces::forget_expired(&mut tx, at(11)).await.unwrap(), 2, "as soon as they have expired");
}

/// What is refused has changed nothing, and its nonce is the business of the memory.
#[tokio::test]
async fn a_transaction_that_only_reads_spends_nothing() {
    let test = TestDb::embedded().await;
    let mut tx = test.db.begin().await.unwrap();
    nonces::spend(&mut tx, &nonce("k", "n", 10)).await.unwrap();
    tx.query("SELECT 1", &[]).await.unwrap();
    drop(tx);
    assert_eq!(live(&test.db, at(0)).await, []);
}

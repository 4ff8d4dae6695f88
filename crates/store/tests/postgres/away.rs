//! The database goes away, and comes back.

use std::time::Duration;

use calotype_store::db::{Db, StoreError};
use tokio::time::timeout;

use crate::proxy::Proxy;
use crate::{open, schema};

async fn reads(db: &Db) -> Result<(), StoreError> {
    db.read().await?.query("SELECT region FROM stores", &[]).await.map(drop)
}

async fn writes(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let sql = "INSERT INTO stores (region, token) VALUES ('r', '') ON CONFLICT DO NOTHING";
    tx.send(sql, &[]).await?;
    tx.commit().await
}

fn is_away(tried: &Result<(), StoreError>) {
    assert!(matches!(tried, Err(StoreError::Unavailable(_))), "{tried:?}");
}

/// Connections that a restart has closed are not found dead by those who need them.
#[tokio::test]
async fn a_restart_of_the_database_is_not_noticed_between_requests() {
    let url = schema().await;
    let proxy = Proxy::to(&url).await;
    let db = open(&proxy.url(&url)).await.unwrap();
    for _ in 0..10 {
        reads(&db).await.unwrap();
        writes(&db).await.unwrap();
        proxy.cut();
    }
}

/// Held up, so that the program cannot know that the connections are dead before it uses them.
#[tokio::test]
async fn connections_that_died_unseen_are_replaced_before_anything_is_done() {
    let url = schema().await;
    let db = open(&url).await.unwrap();
    for _ in 0..5 {
        let held = [db.read().await.unwrap(), db.read().await.unwrap()];
        for mut tx in held {
            tx.query("SELECT 1", &[]).await.unwrap();
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND application_name = 'calotype' AND query LIKE 'ROLLBACK%'";
        crate::postgres::run(&crate::postgres::address(), end).await;
        reads(&db).await.unwrap();
        writes(&db).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_refuses_is_away_at_once_until_it_is_back() {
    let url = schema().await;
    let proxy = Proxy::to(&url).await;
    let db = open(&proxy.url(&url)).await.unwrap();
    proxy.close();
    for _ in 0..3 {
        let tried = async { [reads(&db).await, writes(&db).await] };
        let tried = timeout(Duration::from_secs(4), tried).await.expect("nobody waits for it");
        tried.iter().for_each(is_away);
    }
    proxy.open();
    reads(&db).await.unwrap();
    writes(&db).await.unwrap();
}

/// It neither refuses nor answers. Nobody waits for it for ever, and those who come later wait less.
#[tokio::test]
async fn a_database_that_hangs_is_away_and_comes_back() {
    let url = schema().await;
    let proxy = Proxy::to(&url).await;
    let db = open(&proxy.url(&url)).await.unwrap();
    proxy.hold(true);
    let tried = futures::future::join_all((0..20).map(|_| writes(&db)));
    let tried = timeout(Duration::from_secs(15), tried).await.expect("nobody waits for ever");
    tried.iter().for_each(is_away);
    proxy.hold(false);
    for _ in 0..50 {
        if writes(&db).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is not back");
}

/// A commit whose answer is lost has happened or not: it is not told to have happened.
#[tokio::test]
async fn d50_a_commit_whose_answer_is_lost_is_not_acknowledged() {
    let url = schema().await;
    let proxy = Proxy::to(&url).await;
    let db = open(&proxy.url(&url)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO stores (region, token) VALUES ('r', '')", &[]).await.unwrap();
    proxy.cut();
    is_away(&tx.commit().await);
    let mut tx = db.read().await.unwrap();
    assert!(tx.query("SELECT region FROM stores", &[]).await.unwrap().is_empty());
}

//! What the store says when its disk does not do its part: which error it was, and what to do.

use calotype_store::db::{Db, StoreError};

use crate::support::{TestDb, mark, open};

/// The text of a failure, as logs and the command line print it.
fn said<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome.unwrap_err() {
        StoreError::Unavailable(error) => error.to_string(),
        error @ (StoreError::Conflict | StoreError::Spent | StoreError::Corrupt(_)) => panic!("{error:?}"),
    }
}

/// Runs a statement on the connection that writes.
async fn on_writer(db: &Db, pragma: &'static str) {
    let mut tx = db.begin().await.unwrap();
    tx.query(pragma, &[]).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_nothing_is_lost() {
    let test = TestDb::embedded().await;
    on_writer(&test.db, "PRAGMA max_page_count = 1").await;
    let mut tx = test.db.begin().await.unwrap();
    let load = "x".repeat(100_000);
    let sql = "INSERT INTO marks (name, place, load) VALUES ('full', 0, $1)";
    let text = said(tx.execute(sql, &[(&load).into()]).await);
    assert!(text.contains("full") && text.contains("make room"), "{text}");
    drop(tx);
    on_writer(&test.db, "PRAGMA max_page_count = 1000000").await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "after", 0).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(test.marks().await, ["after"]);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_says_so_and_reads_on() {
    let test = TestDb::embedded().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "before", 0).await.unwrap();
    tx.commit().await.unwrap();
    on_writer(&test.db, "PRAGMA query_only = 1").await;
    for _ in 0..2 {
        let written = async {
            let mut tx = test.db.begin().await?;
            mark(&mut tx, "after", 0).await?;
            tx.commit().await
        };
        let text = said(written.await);
        assert!(text.contains("readonly") && text.contains("must be writable"), "{text}");
    }
    assert_eq!(test.marks().await, ["before"]);
}

#[tokio::test]
async fn what_is_no_database_points_at_the_backups() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("calotype.db");
    std::fs::write(&path, [0x5a; 9_000]).unwrap();
    let text = said(open(path.clone(), true).await);
    assert!(text.contains("not a database") && text.contains("calotype restore"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), [0x5a; 9_000]);
}

//! Opening a database, for the first time and again.

use calotype_store::db::StoreError;
use tempfile::TempDir;

use crate::support::{TestDb, mark, marks, number, open};

#[tokio::test]
async fn migrations_run_once_and_keep_what_is_there() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "kept", 0).await.unwrap();
    tx.commit().await.unwrap();

    for _ in 0..3 {
        let again = test.reopen().await;
        assert_eq!(number(&again, "SELECT COUNT(*) FROM schema_migrations").await, 1);
        assert_eq!(marks(&again).await, ["kept"]);
    }
}

#[tokio::test]
async fn the_tables_of_a_newer_program_are_refused_and_left_alone() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "kept", 0).await.unwrap();
    tx.execute("INSERT INTO schema_migrations (number, needs) VALUES (999, 999)", &[]).await.unwrap();
    tx.commit().await.unwrap();

    let Err(StoreError::Unavailable(source)) = open(test.place.clone(), true).await else {
        panic!("opened");
    };
    assert!(source.to_string().contains("newer program"), "{source}");
    assert_eq!(test.marks().await, ["kept"]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM schema_migrations").await, 2);
}

/// While servers are replaced one by one, those of the old version may be started again.
#[tokio::test]
async fn tables_of_a_newer_program_that_old_ones_can_use_are_used() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "kept", 0).await.unwrap();
    tx.execute("INSERT INTO schema_migrations (number, needs) VALUES (999, 1)", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marks(&test.reopen().await).await, ["kept"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("calotype.db");
    let content = b"somebody's notes, longer than a header of one hundred bytes. ".repeat(20);
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(open(path.clone(), true).await, Err(StoreError::Unavailable(_))));
    assert_eq!(std::fs::read(&path).unwrap(), content);

    let nowhere = folder.path().join("missing").join("calotype.db");
    assert!(matches!(open(nowhere, true).await, Err(StoreError::Unavailable(_))));
}

/// What a killed process wrote last is only on the disk if commits are synced.
#[tokio::test]
async fn d50_commits_are_synced_through_a_log() {
    let test = TestDb::embedded().await;
    let mut tx = test.db.begin().await.unwrap();
    let journal = tx.query_opt("PRAGMA journal_mode", &[]).await.unwrap().unwrap();
    assert_eq!(journal.text(0).unwrap(), "wal");
    let synchronous = tx.query_opt("PRAGMA synchronous", &[]).await.unwrap().unwrap();
    assert_eq!(synchronous.integer(0).unwrap(), 2, "FULL");
}

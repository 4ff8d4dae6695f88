//! What one transaction does, and what others see of it.

use calotype_store::db::StoreError;

use crate::support::{TestDb, mark, marks, marks_in, poll_once};

#[tokio::test]
async fn d50_a_commit_is_there_for_whoever_opens_the_file_next() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "one", 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marks(&test.reopen().await).await, ["one"]);
}

#[tokio::test]
async fn a_dropped_transaction_has_done_nothing_and_harms_nobody_in_its_group() {
    let test = TestDb::embedded().await;
    // In one group: the first one commits, the second is dropped, the third commits.
    let mut first = test.db.begin().await.unwrap();
    let mut second = Box::pin(test.db.begin());
    assert!(poll_once(&mut second).await.is_none(), "stands in the line");
    let mut third = Box::pin(test.db.begin());
    assert!(poll_once(&mut third).await.is_none(), "stands in the line");

    mark(&mut first, "first", 1).await.unwrap();
    let mut first = Box::pin(first.commit());
    assert!(poll_once(&mut first).await.is_none(), "waits for its group");
    let mut second = second.await.unwrap();
    assert_eq!(marks_in(&mut second).await, ["first"], "sees those of its group that came before");
    mark(&mut second, "second", 2).await.unwrap();
    second.execute("DELETE FROM marks WHERE name = 'first'", &[]).await.unwrap();
    drop(second);
    let mut third = third.await.unwrap();
    assert_eq!(marks_in(&mut third).await, ["first"], "the second one was taken back");
    mark(&mut third, "third", 3).await.unwrap();
    third.commit().await.unwrap();
    first.await.unwrap();
    assert_eq!(test.marks().await, ["first", "third"]);
    assert_eq!(marks(&test.reopen().await).await, ["first", "third"]);
}

#[tokio::test]
async fn a_dropped_transaction_that_nobody_follows_has_done_nothing() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "one", 1).await.unwrap();
    drop(tx);
    assert_eq!(test.marks().await, [""; 0]);
    let mut tx = test.db.begin().await.unwrap();
    assert_eq!(marks_in(&mut tx).await, [""; 0]);
    mark(&mut tx, "one", 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(test.marks().await, ["one"]);
}

#[tokio::test]
async fn a_reader_keeps_its_snapshot() {
    let test = TestDb::new().await;
    let mut reader = test.db.read().await.unwrap();
    assert_eq!(marks_in(&mut reader).await, [""; 0]);
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "one", 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marks_in(&mut reader).await, [""; 0]);
    drop(reader);
    assert_eq!(test.marks().await, ["one"], "the next one sees it");
}

#[tokio::test]
async fn readers_see_nothing_that_is_not_durable() {
    let test = TestDb::embedded().await;
    let mut first = test.db.begin().await.unwrap();
    let mut second = Box::pin(test.db.begin());
    assert!(poll_once(&mut second).await.is_none());
    mark(&mut first, "first", 1).await.unwrap();
    assert_eq!(test.marks().await, [""; 0], "not committed");
    let mut first = Box::pin(first.commit());
    assert!(poll_once(&mut first).await.is_none());
    // The group cannot be closed while the second one has the turn.
    let second = second.await.unwrap();
    assert_eq!(test.marks().await, [""; 0], "committed, but its group is not");
    drop(second);
    first.await.unwrap();
    assert_eq!(test.marks().await, ["first"]);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let test = TestDb::new().await;
    let mut reader = test.db.read().await.unwrap();
    assert!(matches!(mark(&mut reader, "one", 1).await, Err(StoreError::Unavailable(_))));
    drop(reader);
    assert_eq!(test.marks().await, [""; 0]);
}

/// More readers than there are connections wait, and none of them is lost.
#[tokio::test]
async fn readers_wait_for_a_connection() {
    let test = TestDb::embedded().await;
    let mut held = Vec::new();
    let mut waiting = loop {
        assert!(held.len() < 64, "there is a bound");
        let mut read = Box::pin(test.db.read());
        match poll_once(&mut read).await {
            Some(reader) => held.push(reader.unwrap()),
            None => break read,
        }
    };
    held.pop();
    assert!(poll_once(&mut waiting).await.is_some());
    drop(held);
    assert_eq!(test.marks().await, [""; 0]);
}

#[tokio::test]
async fn execute_one_wants_exactly_one_row() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    mark(&mut tx, "one", 1).await.unwrap();
    mark(&mut tx, "two", 1).await.unwrap();
    tx.commit().await.unwrap();

    for (sql, rows) in [
        ("UPDATE marks SET place = 2 WHERE name = 'none'", 0),
        ("UPDATE marks SET place = 2 WHERE place = 1", 2),
    ] {
        let mut tx = test.db.begin().await.unwrap();
        assert!(matches!(tx.execute_one(sql, &[]).await, Err(StoreError::Conflict)), "{rows} rows");
    }
    let mut tx = test.db.begin().await.unwrap();
    tx.execute_one("UPDATE marks SET place = place + 10 WHERE name = 'one'", &[]).await.unwrap();
    let row = tx.query_opt("SELECT CAST(SUM(place) AS BIGINT) FROM marks", &[]).await.unwrap().unwrap();
    assert_eq!(row.integer(0).unwrap(), 12, "what was refused was not done");
}

#[tokio::test]
async fn a_statement_that_fails_hurts_its_own_transaction_only() {
    let test = TestDb::embedded().await;
    let mut first = test.db.begin().await.unwrap();
    let mut second = Box::pin(test.db.begin());
    assert!(poll_once(&mut second).await.is_none());
    mark(&mut first, "taken", 1).await.unwrap();
    let mut first = Box::pin(first.commit());
    assert!(poll_once(&mut first).await.is_none());

    let mut second = second.await.unwrap();
    mark(&mut second, "second", 2).await.unwrap();
    assert!(matches!(mark(&mut second, "taken", 2).await, Err(StoreError::Conflict)));
    let failed = second.execute("SELECT no_such_column FROM marks", &[]).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    drop(second);
    first.await.unwrap();
    assert_eq!(test.marks().await, ["taken"]);
}

#[tokio::test]
async fn every_marker_needs_its_value() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    let sql = "INSERT INTO marks (name, place) VALUES ($1, $2)";
    assert!(matches!(tx.execute(sql, &["one".into()]).await, Err(StoreError::Unavailable(_))));
    // Markers go by their numbers, in whatever order they stand.
    let sql = "INSERT INTO marks (place, name) VALUES ($2, $1)";
    tx.execute_one(sql, &["one".into(), 7.into()]).await.unwrap();
    let row = tx.query_opt("SELECT place FROM marks WHERE name = $1", &["one".into()]).await.unwrap();
    assert_eq!(row.unwrap().integer(0).unwrap(), 7);
}

#[tokio::test]
async fn a_row_of_another_form_is_corrupt() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    let row = tx.query_opt("SELECT 1, 'text', NULL", &[]).await.unwrap().unwrap();
    assert_eq!(row.integer(0).unwrap(), 1);
    assert_eq!(row.text(1).unwrap(), "text");
    assert_eq!(row.text_opt(2).unwrap(), None);
    assert_eq!(row.integer_opt(2).unwrap(), None);
    for wrong in [row.text(0), row.text(2), row.text(3)] {
        assert!(matches!(wrong, Err(StoreError::Corrupt(_))));
    }
    for wrong in [row.integer(1), row.integer(2), row.integer(3)] {
        assert!(matches!(wrong, Err(StoreError::Corrupt(_))));
    }
}

/// Without a savepoint there is no way to take back one transaction of a group.
#[tokio::test]
async fn what_was_decided_and_is_taken_back_takes_its_group_along_to_be_tried_again() {
    let test = TestDb::embedded().await;
    let mut first = test.db.begin().await.unwrap();
    let mut second = Box::pin(test.db.begin());
    assert!(poll_once(&mut second).await.is_none(), "stands in the line");
    mark(&mut first, "first", 1).await.unwrap();
    let mut first = Box::pin(first.commit());
    assert!(poll_once(&mut first).await.is_none(), "waits for its group");
    let mut second = second.await.unwrap();
    second.decided().unwrap();
    mark(&mut second, "second", 2).await.unwrap();
    drop(second);
    let first = first.await;
    assert!(matches!(first, Err(StoreError::Conflict)), "{first:?}");
    let mut third = test.db.begin().await.unwrap();
    assert_eq!(marks_in(&mut third).await, Vec::<String>::new());
    mark(&mut third, "third", 3).await.unwrap();
    third.commit().await.unwrap();
    assert_eq!(test.marks().await, ["third"]);
}

/// A transaction joins a group only when it writes: until then another process may come between.
#[tokio::test]
async fn what_another_process_has_changed_since_it_was_read_is_a_conflict() {
    let test = TestDb::embedded().await;
    let other = test.reopen().await;
    let mut late = test.db.begin().await.unwrap();
    assert!(marks_in(&mut late).await.is_empty());
    let mut between = other.begin().await.unwrap();
    mark(&mut between, "between", 1).await.unwrap();
    between.commit().await.unwrap();
    let met = mark(&mut late, "late", 2).await;
    assert!(matches!(met, Err(StoreError::Conflict)), "{met:?}");
    drop(late);
    let mut again = test.db.begin().await.unwrap();
    assert_eq!(marks_in(&mut again).await, ["between"]);
    mark(&mut again, "late", 2).await.unwrap();
    again.commit().await.unwrap();
    assert_eq!(test.marks().await, ["between", "late"]);
}

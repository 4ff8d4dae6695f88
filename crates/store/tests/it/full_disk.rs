//! A disk without room: the group that meets it fails as a whole, the next one is served.

use calotype_store::db::{Db, Result, StoreError};
use tempfile::TempDir;

use crate::support::{TestDb, child, handed_over, mark, marks, open, poll_once};

async fn put_load(db: &Db, name: &str, load_bytes: usize) -> Result<()> {
    let mut tx = db.begin().await?;
    let load = "x".repeat(load_bytes);
    let sql = "INSERT INTO marks (name, place, load) VALUES ($1, 0, $2)";
    tx.execute_one(sql, &[name.into(), (&load).into()]).await?;
    tx.commit().await
}

fn unavailable<T: std::fmt::Debug>(result: &Result<T>) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

/// Runs a statement on the connection that writes.
async fn on_writer(db: &Db, pragma: &'static str) {
    let mut tx = db.begin().await.unwrap();
    tx.query(pragma, &[]).await.unwrap();
}

/// The library takes back the statement, or everything since the last commit. Either way everybody is told the truth.
#[tokio::test]
async fn a_statement_without_room_fails_alone_or_with_its_group_and_no_other() {
    let test = TestDb::embedded().await;
    put_load(&test.db, "before", 0).await.unwrap();
    // Less than the file has means no page more than it has.
    on_writer(&test.db, "PRAGMA max_page_count = 1").await;

    let mut first = test.db.begin().await.unwrap();
    let mut second = Box::pin(test.db.begin());
    assert!(poll_once(&mut second).await.is_none());
    let mut third = Box::pin(test.db.begin());
    assert!(poll_once(&mut third).await.is_none());
    mark(&mut first, "first", 1).await.unwrap();
    let mut first = Box::pin(first.commit());
    assert!(poll_once(&mut first).await.is_none(), "in one group with the second");

    let mut second = second.await.unwrap();
    mark(&mut second, "second", 2).await.unwrap();
    let load = "x".repeat(100_000);
    let sql = "INSERT INTO marks (name, place, load) VALUES ('full', 0, $1)";
    unavailable(&second.execute(sql, &[(&load).into()]).await);
    if mark(&mut second, "after", 2).await.is_err() {
        unavailable(&second.query("SELECT 1", &[]).await);
        unavailable(&second.commit().await);
    } else {
        drop(second);
    }

    let mut third = third.await.unwrap();
    mark(&mut third, "third", 3).await.unwrap();
    third.commit().await.unwrap();
    let expected: &[&str] =
        if first.await.is_ok() { &["before", "first", "third"] } else { &["before", "third"] };
    assert_eq!(test.marks().await, expected);
    assert_eq!(marks(&test.reopen().await).await, expected);

    unavailable(&put_load(&test.db, "big", 100_000).await);
    on_writer(&test.db, "PRAGMA max_page_count = 1000000").await;
    put_load(&test.db, "big", 100_000).await.unwrap();
    assert_eq!(test.marks().await, [expected, &["big"]].concat());
}

/// The same where only the commit notices: a process whose files may have one MiB. The shell makes the
/// limit an error instead of a signal.
#[test]
fn a_commit_without_room_fails_its_group_and_no_other() {
    let folder = TempDir::new().unwrap();
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""];
    let mut child = child(&limited, "full_disk::commits_of_a_limited_process", folder.path());
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "runs with limited files as the child of another test"]
async fn commits_of_a_limited_process() {
    let path = handed_over().join("calotype.db");
    let db = open(path.clone(), true).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("CREATE TABLE marks (name TEXT PRIMARY KEY, place BIGINT, load TEXT)", &[]).await.unwrap();
    tx.commit().await.unwrap();
    put_load(&db, "before", 1_000).await.unwrap();

    for round in 0..3 {
        // Together less than the cache, which would write before the commit, and more than the limit.
        let loads = [0, 700_000, 700_000, 10];
        let names: Vec<String> = (0..loads.len()).map(|place| format!("{round}-{place}")).collect();
        let gate = db.begin().await.unwrap();
        let members = names.iter().zip(loads).map(|(name, load)| put_load(&db, name, load));
        let (answers, ()) = futures::join!(futures::future::join_all(members), async { drop(gate) });
        for answer in answers {
            unavailable(&answer);
        }
        put_load(&db, &format!("after-{round}"), 1_000).await.unwrap();
    }
    let expected = ["before", "after-0", "after-1", "after-2"];
    assert_eq!(marks(&db).await, expected);
    drop(db);
    assert_eq!(marks(&open(path, true).await.unwrap()).await, expected);
}

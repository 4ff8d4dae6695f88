//! The log beside the file stays small, however long the stream of commits.

use std::fs::metadata;
use std::time::Duration;

use calotype_store::db::Db;
use tokio::task::JoinSet;

use crate::support::{TestDb, commits_in_log, mark, marks_in, poll_once};

/// Bytes that one transaction writes, at the least.
const LOAD_BYTES: usize = 8_000;

/// The log may be this long. Work begins at a thousand pages of 4 KiB; the rest is what a slow machine
/// commits until it is done.
const LOG_BYTES_MAX: u64 = 32 << 20;

/// Commits `count` transactions, several at a time; gives the longest log on the way.
async fn stream(test: &TestDb, name: &str, count: usize) -> u64 {
    const WRITERS: usize = 8;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let name = format!("{name}-{writer}");
        writers.spawn(write(test.db.clone(), name, count / WRITERS));
    }
    let mut longest = 0;
    while !writers.is_empty() {
        tokio::select! {
            Some(written) = writers.join_next() => written.expect("it writes"),
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
        }
        longest = longest.max(metadata(test.log_path()).expect("there is a log").len());
    }
    longest
}

async fn write(db: Db, name: String, count: usize) {
    for number in 0..count {
        write_at_once(&db, &format!("{name}-{number}"), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_of_commits_leaves_a_short_log() {
    const COUNT: usize = 8_000;
    let test = TestDb::embedded().await;
    let longest = stream(&test, "s", COUNT).await;
    let written = u64::try_from(COUNT * LOAD_BYTES).unwrap();
    assert!(longest < LOG_BYTES_MAX && LOG_BYTES_MAX < written, "{longest} bytes");
    assert_eq!(test.marks().await.len(), COUNT);
}

/// A reader keeps what it may still have to read in the log; after it the log begins anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_holds_the_log_back_only_as_long_as_it_is_open() {
    let test = TestDb::embedded().await;
    let mut reader = test.db.read().await.unwrap();
    assert!(marks_in(&mut reader).await.is_empty());
    let held = stream(&test, "held", 2_400).await;
    assert!(held > 2_400 * 8_000, "{held} bytes: the reader's snapshot is kept");
    assert!(marks_in(&mut reader).await.is_empty());
    drop(reader);
    let after = stream(&test, "after", 6_400).await;
    assert!(after < held + LOG_BYTES_MAX, "{after} bytes after {held}");
    assert_eq!(test.marks().await.len(), 8_800);
}

/// Readers that follow each other, each for a while, and are never all gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_follow_each_other_do_not_hold_the_log_back() {
    let test = TestDb::embedded().await;
    let db = test.db.clone();
    let mut readers = JoinSet::new();
    readers.spawn(async move {
        loop {
            let mut reader = db.read().await.expect("read");
            reader.query("SELECT COUNT(*) FROM images", &[]).await.expect("query");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let longest = stream(&test, "s", 8_000).await;
    assert!(longest < LOG_BYTES_MAX, "{longest} bytes");
}

/// Pages are moved while a group is open: its transaction stood before the one who moves them, and the one who commits
/// it stands behind. (On a slow machine it may not have come that far in time.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_group_does_not_keep_the_log_from_beginning_anew() {
    let test = TestDb::embedded().await;
    for round in 0..5 {
        write_at_once(&test.db, &format!("{round}"), 3_000).await;
        let mut open = test.db.begin().await.unwrap();
        mark(&mut open, &format!("{round} open"), 0).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        open.commit().await.unwrap();
        let mut next = test.db.begin().await.unwrap();
        mark(&mut next, &format!("{round} next"), 0).await.unwrap();
        next.commit().await.unwrap();
        if commits_in_log(&test) == 1 {
            return;
        }
    }
    panic!("{} commits in the log", commits_in_log(&test));
}

/// Writes so many rows in one transaction.
async fn write_at_once(db: &Db, name: &str, count: usize) {
    let load = "x".repeat(LOAD_BYTES);
    let mut tx = db.begin().await.expect("begin");
    for number in 0..count {
        let name = format!("{name}-{number}");
        let sql = "INSERT INTO marks (name, place, load) VALUES ($1, 0, $2)";
        tx.execute_one(sql, &[(&name).into(), (&load).into()]).await.expect("insert");
    }
    tx.commit().await.expect("commit");
}

/// Closing moves everything into the file, so that a copy of it is whole.
#[tokio::test]
async fn the_last_one_to_close_leaves_no_log() {
    let test = TestDb::embedded().await;
    let path = test.log_path();
    let mut begin = Box::pin(test.db.begin());
    let tx = poll_once(&mut begin).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    drop(begin);
    assert!(path.exists());
    let folder = test.close();
    for _ in 0..500 {
        if !path.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the log in {folder:?} is still there");
}

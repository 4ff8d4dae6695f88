//! A process that is killed at any moment loses nothing that it has acknowledged.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use calotype_store::db::Db;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::{child, handed_over, open, rows};

const ROUNDS: u32 = 10;

#[tokio::test]
async fn d50_what_was_acknowledged_outlives_a_kill() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("calotype.db");
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let delay_ms = RandomState::new().hash_one(round) % 120;
        acknowledged.extend(killed_after(folder.path(), round, delay_ms));
        let db = open(path.clone(), true).await.unwrap();
        let kept = pairs(&db).await;
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "killed after {delay_ms} ms, lost {lost:?}");
        let checked = rows(&db, "PRAGMA integrity_check", &[]).await;
        assert_eq!(checked[0].text(0).unwrap(), "ok", "killed after {delay_ms} ms");
    }
    assert!(acknowledged.len() > 100, "{} acknowledgements", acknowledged.len());
}

/// Lets a child commit, kills it after a while and gives what it has acknowledged.
fn killed_after(folder: &Path, round: u32, delay_ms: u64) -> Vec<String> {
    let mut child = child(&[], "crash::commits_until_it_is_killed", folder);
    child.env("ROUND", round.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().expect("the child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let acknowledgement = |line: std::io::Result<String>| {
        line.ok().and_then(|line| line.strip_prefix("acknowledged ").map(str::to_owned))
    };
    let first = lines.by_ref().find_map(acknowledgement).expect("the child commits");
    let reader = std::thread::spawn(move || lines.filter_map(acknowledgement).collect::<Vec<_>>());
    std::thread::sleep(Duration::from_millis(delay_ms));
    child.kill().expect("the child still runs");
    child.wait().expect("it ends");
    let mut acknowledged = reader.join().expect("the pipe is read to its end");
    acknowledged.push(first);
    acknowledged
}

/// The transactions in the database, each of which must be whole.
async fn pairs(db: &Db) -> BTreeSet<String> {
    let sql = "SELECT access_key_id, COUNT(*) FROM nonces GROUP BY access_key_id";
    let rows = rows(db, sql, &[]).await;
    let pair = |row: &calotype_store::db::Row| {
        assert_eq!(row.integer(1).expect("a count"), 2, "half a transaction");
        row.text(0).expect("a name").to_owned()
    };
    rows.iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as the child of another test, which kills it"]
async fn commits_until_it_is_killed() {
    let round = std::env::var("ROUND").unwrap();
    let db = open(handed_over().join("calotype.db"), true).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        writers.spawn(commit_pairs(db.clone(), format!("{round}-{writer}")));
    }
    writers.join_all().await;
}

async fn commit_pairs(db: Db, name: String) {
    for number in 0_u64.. {
        let name = format!("{name}-{number}");
        let mut tx = db.begin().await.expect("begin");
        for half in ["a", "b"] {
            let sql = "INSERT INTO nonces (expires_ms, access_key_id, nonce, request) VALUES (0, $1, $2, 0)";
            tx.execute_one(sql, &[(&name).into(), half.into()]).await.expect("insert");
        }
        tx.commit().await.expect("commit");
        println!("acknowledged {name}");
    }
}

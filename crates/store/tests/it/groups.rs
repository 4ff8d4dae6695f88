//! Transactions that share a commit, and the line they stand in.

use calotype_store::db::{Db, Result};
use tokio::task::JoinSet;

use crate::support::{TestDb, commits_in_log, mark, poll_once};

async fn put_one(db: Db, name: String) -> Result<()> {
    let mut tx = db.begin().await?;
    mark(&mut tx, &name, 0).await?;
    tx.commit().await
}

/// Starts `count` transactions and waits until they stand in the line, in the order of their names.
async fn line_up(db: &Db, count: usize) -> (JoinSet<Result<()>>, Vec<String>) {
    let names: Vec<String> = (0..count).map(|number| format!("{number:03}")).collect();
    let mut line = JoinSet::new();
    for name in &names {
        line.spawn(put_one(db.clone(), name.clone()));
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    (line, names)
}

#[tokio::test]
async fn one_commit_makes_a_whole_line_durable_in_its_order() {
    let test = TestDb::embedded().await;
    let gate = test.db.begin().await.unwrap();
    let (mut line, names) = line_up(&test.db, 200).await;
    let before = commits_in_log(&test);
    drop(gate);
    while let Some(answer) = line.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(commits_in_log(&test) - before, 1);
    assert_eq!(test.marks().await, names);
}

#[tokio::test]
async fn whoever_is_alone_has_a_commit_of_its_own() {
    let test = TestDb::embedded().await;
    let before = commits_in_log(&test);
    for number in 0..20 {
        put_one(test.db.clone(), format!("{number}")).await.unwrap();
    }
    assert_eq!(commits_in_log(&test) - before, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_at_once_are_all_durable_with_fewer_commits() {
    const TASKS: usize = 300;
    let test = TestDb::embedded().await;
    let before = commits_in_log(&test);
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        tasks.spawn(put_one(test.db.clone(), format!("{number:03}")));
    }
    for answer in tasks.join_all().await {
        answer.unwrap();
    }
    let commits = commits_in_log(&test) - before;
    assert!((1..TASKS).contains(&commits), "{commits} commits");
    let mut names = test.marks().await;
    names.sort();
    assert_eq!(names, (0..TASKS).map(|number| format!("{number:03}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn nobody_overtakes_whoever_waits_for_the_turn() {
    let test = TestDb::embedded().await;
    for _ in 0..100 {
        let greedy = test.db.begin().await.unwrap();
        let mut patient = Box::pin(test.db.begin());
        assert!(poll_once(&mut patient).await.is_none());
        drop(greedy);
        let mut greedy = Box::pin(test.db.begin());
        assert!(poll_once(&mut greedy).await.is_none(), "back to the end of the line");
        tokio::select! {
            biased;
            _ = &mut greedy => panic!("overtaken"),
            turn = &mut patient => drop(turn.unwrap()),
        }
        greedy.await.unwrap();
    }
}

#[tokio::test]
async fn leaving_the_line_holds_nobody_up() {
    let test = TestDb::embedded().await;
    let gate = test.db.begin().await.unwrap();
    let mut leaving = Box::pin(test.db.begin());
    assert!(poll_once(&mut leaving).await.is_none());
    let (mut line, names) = line_up(&test.db, 3).await;
    drop(leaving);
    drop(gate);
    while let Some(answer) = line.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(test.marks().await, names);
}

/// A client that goes away while its commit is on the way leaves a whole transaction or none.
#[tokio::test]
async fn d47_a_commit_that_nobody_waits_for_harms_nobody() {
    let test = TestDb::embedded().await;
    for round in 0..20 {
        let mut tx = test.db.begin().await.unwrap();
        mark(&mut tx, &format!("a{round}"), 0).await.unwrap();
        mark(&mut tx, &format!("b{round}"), 0).await.unwrap();
        let mut commit = Box::pin(tx.commit());
        let _ = poll_once(&mut commit).await;
        drop(commit);
        put_one(test.db.clone(), format!("c{round}")).await.unwrap();
        let names = test.marks().await;
        let has = |letter: &str| names.contains(&format!("{letter}{round}"));
        assert_eq!(has("a"), has("b"));
        assert!(has("c"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_within_a_transaction_takes_it_back_and_passes_the_turn_on() {
    let test = TestDb::embedded().await;
    let db = test.db.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut tx = db.begin().await.expect("begin");
        mark(&mut tx, "lost", 0).await.expect("mark");
        panic!("a defect, as this test wants it");
    });
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_panic());
    put_one(test.db.clone(), "next".to_owned()).await.unwrap();
    assert_eq!(test.marks().await, ["next"]);
}

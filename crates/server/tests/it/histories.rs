//! Histories of concurrent calls to the real binary, checked against the sequential rules: for each image
//! there must be an order of its calls, each between its being asked and being answered, in which every
//! answer is the documented one. A call that had no answer because the process was killed has happened, or
//! has not.
//!
//! Each round is another seed, which is printed; `CALOTYPE_HISTORIES` sets the number of rounds. The seed
//! decides what is asked; what meets what is decided by the machine.

mod history;
mod play;
mod process;
mod spec;
mod wire;
mod wrong;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use calotype_core::image::Product;

use crate::support::disk;
use history::{History, Line, Stage};
use play::{Chance, Ending, ask, images, play};
use process::Process;
use spec::{By, Call, Op, Ret};
use wrong::Wrong;

/// Rounds, if nothing else is said.
const ROUNDS: u64 = 3;

/// Images of a round.
const IMAGES: usize = 12;

/// Images that are called about at once: so that groups of transactions are about several.
const AT_ONCE: usize = 2;

/// Images that are called about when the process is killed.
const IMAGES_AT_A_KILL: usize = 6;

/// The line of whoever notes the restart, and looks what there is after it.
const RESTART: Line = 1_000;

/// The seed of the histories that are changed.
const WRONG_SEED: u64 = 1_000;

/// The time within which the process is killed after the calls have begun, in microseconds.
const KILL_WITHIN_US: usize = 30_000;

/// The object that images are imported from.
const OBJECT: &str = "disk.qcow2";

fn rounds() -> u64 {
    std::env::var("CALOTYPE_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

fn process() -> Process {
    Process::start(OBJECT, &disk("of all histories"))
}

/// Checks the histories; they are printed if one cannot be.
fn check(seed: u64, stages: &[Arc<Stage>]) -> Vec<History> {
    let histories: Vec<History> = stages.iter().map(|stage| stage.history()).collect();
    for history in &histories {
        assert!(history.is_linearizable(), "seed {seed}: no order gives these answers:\n{}", history.print());
    }
    let answered: usize = histories.iter().map(|history| history.answered().len()).sum();
    let open: usize = histories.iter().map(History::open).sum();
    println!("seed {seed}: {} histories, {answered} calls answered, {open} not", histories.len());
    histories
}

/// One round in which the process lives.
async fn round(seed: u64) -> Vec<History> {
    let process = process();
    let stages = images(&process, OBJECT, IMAGES).await;
    for (number, together) in (0..).zip(stages.chunks(AT_ONCE)) {
        let play = |stage| play(&process, stage, 0, Ending::Answered, seed * 1_000 + number);
        let playing: Vec<_> = together.iter().map(play).collect();
        for clients in playing {
            clients.join_all().await;
        }
    }
    check(seed, &stages)
}

/// One round in which the process is killed, and begins anew, in the midst of the calls.
async fn round_with_a_kill(seed: u64) -> Vec<History> {
    let mut process = process();
    let stages = images(&process, OBJECT, IMAGES_AT_A_KILL).await;
    let playing: Vec<_> = stages.iter().map(|stage| play(&process, stage, 0, Ending::Killed, seed)).collect();
    let until = Chance::new(seed, IMAGES).below(KILL_WITHIN_US);
    tokio::time::sleep(Duration::from_micros(until as u64)).await;
    process.kill();
    for clients in playing {
        clients.join_all().await;
    }
    process.start_again();
    for stage in &stages {
        let restart = Call { by: By::Owner, op: Op::Restart, life: 1 };
        stage.asked(RESTART, restart);
        stage.answered(RESTART, restart, Ret::Done, None);
        look(&process, stage).await;
    }
    let playing: Vec<_> =
        stages.iter().map(|stage| play(&process, stage, 1, Ending::Answered, seed)).collect();
    for clients in playing {
        clients.join_all().await;
    }
    check(seed, &stages)
}

/// Asks for everything that is there after a restart.
async fn look(process: &Process, stage: &Stage) {
    for by in [By::Owner, By::Other] {
        let client = process.client(by);
        for op in [Op::See, Op::Uses, Op::Templates] {
            if op != Op::Templates || stage.product == Product::AppStreaming {
                ask(&client, stage, RESTART, Call { by, op, life: 1 }).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d48_d49_answers_are_those_of_one_call_after_the_other() {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..rounds() {
        for one in round(seed).await.iter().flat_map(History::answered) {
            if one.call.op == Op::Delete {
                *told.entry(format!("{:?}", one.ret)).or_default() += 1;
            }
        }
    }
    println!("deletes: {told:?}");
    let answers = ["Done", "Refused(NoImage)", "Refused(InUse)"];
    let unheard: Vec<_> = answers.iter().filter(|answer| !told.contains_key(**answer)).collect();
    assert!(rounds() < ROUNDS || unheard.is_empty(), "nobody was told {unheard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d50_answers_are_those_of_one_call_after_the_other_over_a_kill() {
    let mut open = 0;
    for seed in 0..rounds() {
        open += round_with_a_kill(seed).await.iter().map(History::open).sum::<usize>();
    }
    assert!(rounds() < ROUNDS || open > 0, "every call was answered before the process was killed");
}

/// The negative control: with one answer changed to a wrong one, no order is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_answer_among_those_of_concurrent_calls_is_noticed() {
    let mut histories = round(WRONG_SEED).await;
    histories.extend(round_with_a_kill(WRONG_SEED).await);
    let mut noticed: BTreeMap<Wrong, usize> = BTreeMap::new();
    for (wrong, history) in histories.iter().flat_map(wrong::changed) {
        assert!(!history.is_linearizable(), "{wrong:?} is not noticed:\n{}", history.print());
        *noticed.entry(wrong).or_default() += 1;
    }
    println!("noticed: {noticed:?}");
    assert!(noticed.len() >= 3, "too little was changed: {noticed:?}");
}

/// Of calls that wait for each other every answer is the only one.
#[tokio::test]
async fn any_other_answer_is_noticed_where_calls_wait_for_each_other() {
    let process = process();
    for stage in images(&process, OBJECT, 2).await {
        let script = [
            (By::Owner, Op::Use(1)),
            (By::Owner, Op::Share),
            (By::Other, Op::Delete),
            (By::Owner, Op::Unshare),
            (By::Owner, Op::Delete),
            (By::Other, Op::See),
            (By::Owner, Op::Uses),
            (By::Owner, Op::EndUse(1)),
            (By::Owner, Op::Delete),
            (By::Owner, Op::Delete),
            (By::Owner, Op::Use(2)),
            (By::Owner, Op::See),
        ];
        for (by, op) in script {
            ask(&process.client(by), &stage, 0, Call { by, op, life: 0 }).await.unwrap();
        }
        let history = stage.history();
        assert!(history.is_linearizable(), "{}", history.print());
        for one in history.answered() {
            for other in wrong::others(&one.ret) {
                let history = history.with_answer(one.to, other);
                assert!(!history.is_linearizable(), "not noticed:\n{}", history.print());
            }
        }
    }
}

//! The simulation: seeded, in one process, in virtual time. Random requests of several accounts on all
//! products, several servers over one database and the stores of several regions; processes are killed and
//! power is cut between any two steps; stores fail, hang, lose their answers and come back.
//!
//! Every step of every actor (a transaction that begins, a statement, a commit, something that is done to an
//! object) waits at a gate, and the seed decides who takes the next one. What clients are told is taken down.
//! The rules are checked after every commit, after every power cut, and when all is at rest.
//!
//! `CALOTYPE_SIM_SECONDS` says how long fresh seeds are run; `CALOTYPE_SIM_SEED` runs that one only, and tells
//! what happens.

mod dice;
mod disks;
mod faults;
mod gates;
mod judge;
mod kept;
mod ledger;
mod mutants;
mod oracle;
mod plan;
mod requests;
mod rest;
mod run;
mod scheduler;
mod trace;
mod turns;
mod weather;
mod world;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use run::{Case, Report, run};
use tokio::time::Instant;

/// How long fresh seeds are run, if nothing is said.
const SECONDS: u64 = 10;

/// Lines of a trace that are shown where nobody asked for all of them.
const LINES_SHOWN: usize = 80;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn fresh_seeds_hold() {
    match variable("CALOTYPE_SIM_SEED") {
        Some(seed) => replay(seed),
        None => search(Duration::from_secs(variable("CALOTYPE_SIM_SECONDS").unwrap_or(SECONDS))),
    }
}

/// Runs one seed, and tells everything.
fn replay(seed: u64) {
    let report = run(Case { traced: true, ..Case::of(seed) });
    report.lines.iter().for_each(|line| println!("{line}"));
    println!("{}", summary(&[&report], Duration::ZERO));
    assert!(report.violation.is_none(), "seed {seed}: {:?}", report.violation);
}

/// Runs seeds that nobody has run before, one after the other on each core.
fn search(time: Duration) {
    // Below a million million, so that they can be read out.
    let first = u64::from_le_bytes(calotype::clock::chance()) % 1_000_000_000_000;
    let (next, reports) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let began = Instant::now();
    let work = || {
        while began.elapsed() < time {
            let report = run(Case::of(next.fetch_add(1, Ordering::Relaxed)));
            let failed = report.violation.is_some();
            reports.lock().expect("nobody panics with it").push(report);
            if failed {
                return;
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    let reports = reports.into_inner().expect("nobody panics with it");
    let all: Vec<&Report> = reports.iter().collect();
    // Past the harness, which shows the output of failing tests only.
    let told = writeln!(std::io::stderr(), "seeds from {first} on: {}", summary(&all, began.elapsed()));
    told.expect("standard error can be written");
    reports.iter().for_each(must_hold);
}

/// Fails, with the end of the trace, if something was found.
fn must_hold(report: &Report) {
    let Some(violation) = &report.violation else { return };
    let seed = report.seed;
    let lines = run(Case { traced: true, ..Case::of(seed) }).lines;
    for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
        println!("{line}");
    }
    panic!("seed {seed}: {violation:?}\ncargo xtask sim --seed {seed} tells everything");
}

fn summary(reports: &[&Report], time: Duration) -> String {
    let steps: u64 = reports.iter().map(|report| report.steps).sum();
    let sendings = |at: usize| reports.iter().map(|report| report.sendings[at]).sum::<usize>();
    let strays: u64 = reports.iter().map(|report| report.strays).sum();
    format!(
        "{} seeds in {} s, {steps} steps; requests: {} done, {} refused, {} without an answer; \
         {strays} objects were left to the check",
        reports.len(),
        time.as_secs(),
        sendings(0),
        sendings(1),
        sendings(2)
    )
}

#[test]
fn a_seed_runs_the_same_way_each_time() {
    for seed in 1..=12 {
        let traced = || run(Case { traced: true, ..Case::of(seed) });
        let (one, other) = (traced(), traced());
        assert!(one.steps > 100, "{one:?}");
        let differs = one.lines.iter().zip(&other.lines).position(|(one, other)| one != other);
        if let Some(place) = differs {
            panic!("seed {seed}: {} and {}", one.lines[place], other.lines[place]);
        }
        assert_eq!((one.lines.len(), one.steps), (other.lines.len(), other.steps), "seed {seed}");
    }
}

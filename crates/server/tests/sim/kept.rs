//! Seeds that found something once.
//!
//! A seed means another run after every change of the simulation itself, so what it found is shown by a test of
//! the program too, where there is one.

use crate::must_hold;
use crate::run::{Case, run};

/// Each with what it found.
const KEPT: &[(u64, &str)] = &[
    (
        5_464,
        "the last attempt at a replica fails while its store is away: what earlier ones left stays, and is told",
    ),
    (302_351, "a listing names a deleted image as the parent of another one, which is right"),
];

#[test]
fn kept_seeds_hold() {
    for (seed, found) in KEPT {
        println!("{seed}: {found}");
        must_hold(&run(Case::of(*seed)));
    }
}

#[test]
fn zz_search() {
    let Ok(n) = std::env::var("ZZ") else { return };
    for seed in 1..n.parse().unwrap() {
        let report = run(Case { forgets_at_once: true, ..Case::of(seed) });
        if let Some(v) = report.violation {
            eprintln!("seed {seed}: {v:?}");
        }
    }
}

//! The simulation, in its long form or for one seed.

use crate::{Outcome, cargo};

const USAGE: &str = "cargo xtask sim [--seed N] [--seconds S]";

/// How long fresh seeds are run, if nothing is said.
const SECONDS: &str = "60";

/// Runs fresh seeds for some time, or replays one seed and tells what happens.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let variables: &[(&str, &str)] = match arguments {
        [] => &[("CALOTYPE_SIM_SECONDS", SECONDS)],
        ["--seed", seed] => &[("CALOTYPE_SIM_SEED", seed)],
        ["--seconds", seconds] => &[("CALOTYPE_SIM_SECONDS", seconds)],
        _ => return Err(USAGE.to_owned()),
    };
    let test = ["test", "--package", "calotype", "--test", "sim", "fresh_seeds_hold"];
    cargo(&[&test[..], &["--", "--exact", "--nocapture"]].concat(), variables)
}

//! The vendor's clients of every language, against the binary.

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, cargo, root, test};

/// Lets the clients take the steps of the scenario: all of them, or those of one language.
pub(crate) fn run(language: Option<&str>) -> Outcome {
    cargo(&["build", "--package", "calotype"], &[])?;
    let python = test::virtualenv()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    crate::run(
        Command::new(python)
            .arg("conformance/run.py")
            .args(language)
            .env("CALOTYPE_BIN", target.join("debug/calotype")),
    )
}

//! The vendor's clients of every language, against the binary.

use std::process::Command;

use crate::{Outcome, test};

/// Lets the clients take the steps of the scenario: all of them, or those of one language.
pub(crate) fn run(language: Option<&str>) -> Outcome {
    let binary = test::binary()?;
    let python = test::virtualenv()?;
    crate::run(Command::new(python).arg("conformance/run.py").args(language).env("CALOTYPE_BIN", binary))
}

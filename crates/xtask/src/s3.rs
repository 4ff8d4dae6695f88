//! A real S3 server for the tests, and the tests that need several of them.

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, root, run, test};

/// The server: its last release, and the module that has it.
const MODULE: &str = "github.com/minio/minio";
const VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";

/// The variable that tells the tests where the server is.
pub(crate) const VARIABLE: &str = "CALOTYPE_S3_SERVER";

/// Runs the tests of a cluster in their long form: three servers, of which one after the other is killed.
pub(crate) fn long() -> Outcome {
    test::end_to_end(&["tests/e2e/test_s3_cluster.py"], &[("E2E_S3_SECONDS", "120")])
}

/// Builds the server, or finds it built; gives its path. It is no part of the product, which only speaks to it.
pub(crate) fn server() -> Result<PathBuf, String> {
    let folder = root().join("target/tools").join(VERSION);
    let server = folder.join("minio");
    if !server.exists() {
        eprintln!("building the S3 server of the tests; this takes some minutes, once");
        let built = run(Command::new("go")
            .args(["install", "-trimpath", "-ldflags=-s -w"])
            .arg(format!("{MODULE}@{VERSION}"))
            .env("GOBIN", &folder)
            // A newer compiler is fetched where this one is too old.
            .env("GOTOOLCHAIN", "auto"));
        built.map_err(|error| format!("the tests of S3 need Go: {error}"))?;
    }
    Ok(server)
}

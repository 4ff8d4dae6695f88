//! The benchmark, which writes `docs/performance.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::postgres::{Disk, Postgres};
use crate::{Outcome, cargo, root, run as carry_out};

/// Builds the server with its no-op and the benchmark, and runs it; further arguments are passed on. A run of a part
/// leaves the document alone, and writes one beside the binaries.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let packages = ["--package", "calotype", "--package", "calotype-bench", "--features", "calotype/bench"];
    cargo(&[&["build", "--release"][..], &packages].concat(), &[])?;
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let built = target().join("release");
    for name in ["calotype", "calotype-bench"] {
        let (from, to) = (built.join(name), folder.join(name));
        fs::copy(&from, &to).map_err(|error| failed(&to, &error))?;
    }
    // Nobody shall ship a server that has the no-op.
    let server = built.join("calotype");
    fs::remove_file(&server).map_err(|error| failed(&server, &error))?;
    let postgres = Postgres::start(Disk::Synced)?;
    let mut command = Command::new(folder.join("calotype-bench"));
    command.arg("run").arg("--binary").arg(folder.join("calotype")).arg("--folder").arg(&folder);
    let part = arguments.iter().any(|argument| ["--only", "--brief"].contains(argument));
    let documents = if part { folder } else { root().join("docs") };
    command.arg("--postgres").arg(postgres.url()).arg("--document").arg(documents.join("performance.md"));
    carry_out(command.args(arguments))
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

//! The tests, and what they need set up.

use std::path::PathBuf;
use std::process::Command;

use crate::postgres::{Disk, Postgres};
use crate::{Outcome, cargo, debian, root, run, s3, tidy};

/// What a database with a standby needs: programs, and the packages of Debian that have them.
const HA_PROGRAMS: [(&str, &str); 3] = [
    ("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    ("/usr/bin/patroni", "patroni"),
    ("/usr/bin/etcd", "etcd-server"),
];

/// Runs every test. Sets up what the end-to-end tests need; what it cannot set up it names, and fails. In the end it
/// compares what the tests have met with the document that says so.
pub(crate) fn all() -> Outcome {
    tidy::run()?;
    let s3_server = s3::server()?.to_string_lossy().into_owned();
    let met = fresh_notes()?;
    cargo(&["test", "--workspace"], &[(s3::VARIABLE, &s3_server), ("CALOTYPE_MET", &met)])?;
    end_to_end(&["tests/e2e", "-m", "not postgres"], &[("CALOTYPE_MET", &met)])?;
    errors_document(&[("CALOTYPE_ERRORS", &met)])?;
    on_postgres(&s3_server)?;
    // Its short form; the figures in the documentation are those of the long one.
    debian::install(&HA_PROGRAMS)?;
    end_to_end(&["tests/e2e", "-m", "ha"], &[])
}

/// Writes the document of errors anew, from what the tests meet.
pub(crate) fn errors() -> Outcome {
    let met = fresh_notes()?;
    cargo(&["test", "--workspace", "--test", "it"], &[("CALOTYPE_MET", &met)])?;
    end_to_end(&["tests/e2e", "-m", "not postgres"], &[("CALOTYPE_MET", &met)])?;
    errors_document(&[("CALOTYPE_ERRORS", &met), ("CALOTYPE_BLESS", "1")])
}

fn errors_document(environment: &[(&str, &str)]) -> Outcome {
    cargo(&["test", "--workspace", "--test", "docs", "errors_document"], environment)
}

/// An empty folder for what the tests note.
fn fresh_notes() -> Result<String, String> {
    let folder = root().join("target/met");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(failed)?;
    }
    std::fs::create_dir_all(&folder).map_err(failed)?;
    Ok(folder.to_string_lossy().into_owned())
}

/// Runs the tests of the store, of the server and of the binary once more, over PostgreSQL.
fn on_postgres(s3_server: &str) -> Outcome {
    let postgres = Postgres::start(Disk::Unsynced)?;
    let url = postgres.url();
    let environment = [
        ("CALOTYPE_TEST_POSTGRES", url.as_str()),
        ("CALOTYPE_TEST_ENGINE", "postgres"),
        (s3::VARIABLE, s3_server),
    ];
    // Of the whole workspace, as above: another choice of packages would compile dependencies anew.
    cargo(&["test", "--workspace", "--test", "it", "--test", "postgres"], &environment)?;
    cargo(&["test", "--workspace", "--test", "it", "exchanges", "--", "--ignored"], &environment)?;
    end_to_end(&["tests/e2e", "-m", "not embedded and not ha"], &[("E2E_POSTGRES", url.as_str())])
}

/// Runs what several servers and a standby database must hold in its long form, which writes its figures into the
/// documentation.
pub(crate) fn ha() -> Outcome {
    debian::install(&HA_PROGRAMS)?;
    let long =
        [("E2E_HA_KILLS", "12"), ("E2E_ROUNDS", "300"), ("E2E_SEVERAL_KILLS", "60"), ("E2E_REPORT", "1")];
    let tests = [
        "test_several.py",
        "test_several_keys.py",
        "test_several_kills.py",
        "test_database_away.py",
        "test_ha.py",
    ];
    let tests = tests.map(|name| format!("tests/e2e/{name}"));
    end_to_end(&tests.each_ref().map(String::as_str), &long)
}

/// Runs the kill test in its long form.
pub(crate) fn kill() -> Outcome {
    end_to_end(&["tests/e2e/test_kill.py"], &[("E2E_KILLS", "500")])
}

/// Runs the race test in its long form.
pub(crate) fn race() -> Outcome {
    let arguments = ["test", "--package", "calotype", "--test", "it", "race", "--", "--nocapture"];
    cargo(&arguments, &[("CALOTYPE_RACE_ROUNDS", "20000")])
}

/// Builds the binary as the tests build it, so that it is compiled once; gives its path.
pub(crate) fn binary() -> Result<PathBuf, String> {
    cargo(&["test", "--workspace", "--no-run", "--quiet"], &[])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("debug/calotype"))
}

/// Runs end-to-end tests against the binary.
pub(crate) fn end_to_end(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let binary = binary()?;
    let python = virtualenv()?;
    run(Command::new(python)
        .args(["-m", "pytest", "--quiet"])
        .args(arguments)
        .env("CALOTYPE_BIN", binary)
        .env(s3::VARIABLE, s3::server()?)
        // A proxy must not stand between the clients and the server on this machine.
        .env("NO_PROXY", "127.0.0.1")
        .envs(environment.iter().copied()))
}

/// Makes the virtual environment of the end-to-end tests, or finds it made; gives its Python.
pub(crate) fn virtualenv() -> Result<PathBuf, String> {
    let folder = root().join("target/venv");
    let python = folder.join("bin/python");
    let requirements = root().join("tests/e2e/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    // The list that was installed is kept beside it, so that a new one is noticed.
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    make_virtualenv(&folder)?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    std::fs::write(stamp, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn make_virtualenv(folder: &PathBuf) -> Outcome {
    let make = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if make().is_ok() {
        return Ok(());
    }
    eprintln!("python3 cannot make virtual environments; installing what Debian splits off");
    let installed = run(Command::new("apt-get").args(["install", "--yes", "python3", "python3-venv"]));
    installed.and_then(|()| make()).map_err(|error| {
        format!("the end-to-end tests need Python 3.11 or newer with its venv module: {error}")
    })
}

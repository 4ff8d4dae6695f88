//! What the tests share: a database in a folder of its own, and things to put into it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::task::Poll;

use calotype_store::db::postgres::Address;
use calotype_store::db::{Db, Options, Place, Result, Row, Tx, Value};
use calotype_store::seam::Faults;
use tempfile::TempDir;

use crate::postgres;

/// A database with one table of its own beside the product's, in a folder that goes with it.
pub struct TestDb {
    pub db: Db,
    /// What fails in `db`: nothing, until something is armed.
    pub faults: Faults,
    folder: TempDir,
    /// Where it is.
    pub place: Place,
}

impl TestDb {
    pub async fn new() -> Self {
        Self::with_fence(true).await
    }

    /// Without the fence, transactions see what they saw at their first read: the negative control.
    pub async fn unfenced() -> Self {
        Self::with_fence(false).await
    }

    /// In a file and without the fence.
    pub async fn unfenced_file() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let place = Place::Sqlite(folder.path().join("calotype.db"));
        Self::at(place, folder, false).await
    }

    /// In a file, whatever the others are in: for tests of just that.
    pub async fn embedded() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let place = Place::Sqlite(folder.path().join("calotype.db"));
        Self::at(place, folder, true).await
    }

    async fn with_fence(fence: bool) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let place = match postgres::chosen() {
            Some(url) => {
                // Few connections: there are many tests.
                let address = Address::parse(&postgres::schema(&url).await, None, Some(4));
                Place::Postgres(Box::new(address.expect("the address is one")))
            }
            None => Place::Sqlite(folder.path().join("calotype.db")),
        };
        Self::at(place, folder, fence).await
    }

    async fn at(place: Place, folder: TempDir, fence: bool) -> Self {
        let faults = Faults::default();
        let options = Options { seam: faults.seam(), fence, ..Options::new(place.clone()) };
        let db = Db::open(&options).await.expect("a new database opens");
        let mut tx = db.begin().await.expect("begin");
        tx.execute("CREATE TABLE marks (name TEXT PRIMARY KEY, place BIGINT NOT NULL, load TEXT)", &[])
            .await
            .expect("a table can be made");
        tx.commit().await.expect("commit");
        Self { db, faults, folder, place }
    }

    /// The file itself.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("calotype.db")
    }

    /// The file beside it that commits are written to first.
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("calotype.db-wal")
    }

    /// A second way in, as a process that starts later has it.
    pub async fn reopen(&self) -> Db {
        open(self.place.clone(), true).await.expect("the database opens again")
    }

    /// Closes the database; the file stays as long as what this gives.
    pub fn close(self) -> TempDir {
        self.folder
    }

    /// What a plain reader sees.
    pub async fn marks(&self) -> Vec<String> {
        marks(&self.db).await
    }
}

pub async fn open(place: impl Into<Place>, fence: bool) -> Result<Db> {
    Db::open(&Options { fence, ..Options::new(place) }).await
}

/// Puts a mark into the test's table; `place` has no meaning but to be found again.
pub async fn mark(tx: &mut Tx, name: &str, place: i64) -> Result<()> {
    tx.execute_one("INSERT INTO marks (name, place) VALUES ($1, $2)", &[name.into(), place.into()]).await
}

/// The names of the durable marks, in the order in which they were put there.
pub async fn marks(db: &Db) -> Vec<String> {
    let mut tx = db.read().await.expect("read");
    // The place of a row has another name in each engine.
    let in_order = if db.is_shared() {
        "SELECT name FROM marks ORDER BY ctid"
    } else {
        "SELECT name FROM marks ORDER BY rowid"
    };
    names_of(&mut tx, in_order).await
}

/// The marks that a transaction sees, by their names.
pub async fn marks_in(tx: &mut Tx) -> Vec<String> {
    names_of(tx, "SELECT name FROM marks ORDER BY name").await
}

async fn names_of(tx: &mut Tx, sql: &'static str) -> Vec<String> {
    let rows = tx.query(sql, &[]).await.expect("the marks can be read");
    rows.iter().map(|row| row.text(0).expect("a name").to_owned()).collect()
}

/// The rows of a statement, read alone.
pub async fn rows(db: &Db, sql: &'static str, values: &[Value<'_>]) -> Vec<Row> {
    let mut tx = db.read().await.expect("read");
    tx.query(sql, values).await.expect("the statement runs")
}

/// The only number that a statement gives.
pub async fn number(db: &Db, sql: &'static str) -> i64 {
    rows(db, sql, &[]).await[0].integer(0).expect("a number")
}

/// Polls a future once: its output, or nothing if it waits.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// How many commits stand in the log beside the file. Holds until the log begins anew, which takes a
/// thousand pages.
///
/// Source: the `SQLite` file format, "The Write-Ahead Log".
pub fn commits_in_log(test: &TestDb) -> usize {
    let log = std::fs::read(test.log_path()).expect("there is a log");
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().expect("four bytes"));
    let page_bytes = usize::try_from(number(8)).expect("a page fits into memory");
    let frames = (32..log.len()).step_by(24 + page_bytes).filter(|at| at + 24 + page_bytes <= log.len());
    // Only the last frame of a commit says how large the database is then; frames of an earlier round
    // have other salts.
    frames.filter(|at| log[at + 8..at + 16] == log[16..24] && number(at + 4) > 0).count()
}

/// This program again, to run one ignored test in a process of its own, which may be limited or killed.
/// `wrapper` goes before it.
pub fn child(wrapper: &[&str], test: &str, path: &Path) -> Command {
    let program = std::env::current_exe().expect("this program has a file");
    let mut words: Vec<&OsStr> = wrapper.iter().map(OsStr::new).collect();
    words.push(program.as_os_str());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(CHILD_PATH, path);
    command
}

/// The path that [`child`] handed over.
pub fn handed_over() -> PathBuf {
    std::env::var_os(CHILD_PATH).expect("runs as a child of another test only").into()
}

const CHILD_PATH: &str = "CALOTYPE_TEST_PATH";

/// The most memory that this process ever had, in KiB.
pub fn memory_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

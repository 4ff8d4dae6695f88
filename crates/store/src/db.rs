//! The seam below the SQL: one set of statements, several engines.
//!
//! Statements use what every engine accepts: `$1` markers, TEXT and BIGINT columns, `ON CONFLICT`,
//! `RETURNING`. Times and ids come from Rust. An engine knows no domain word.

pub mod sqlite;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another transaction was in the way; the same call may succeed when repeated.
    #[error("the transaction met another one")]
    Conflict,
    /// The store cannot serve now: disk full, file unreadable, database away.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row does not have the form that this program writes; `0` says which value of which kind.
    #[error("a row is corrupt: {0}")]
    Corrupt(String),
}

/// The result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A value given to a statement.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A text, or a null of the type text.
    Text(Option<&'a str>),
    /// An integer, or a null of the type integer.
    Integer(Option<i64>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Integer(Some(i64::from(flag)))
    }
}

/// A value read from a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Null,
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
}

/// A row, its cells in the order of the statement's columns.
#[derive(Clone, Debug)]
pub struct Row(Vec<Cell>);

impl Row {
    /// Makes a row of its cells.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    /// The text in `column`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds another type or does not exist.
    pub fn text_opt(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Integer(_)) | None => Err(StoreError::Corrupt(format!("column {column} is no text"))),
        }
    }

    /// The text in `column`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds no text.
    pub fn text(&self, column: usize) -> Result<&str> {
        self.text_opt(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is null")))
    }

    /// The integer in `column`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds another type or does not exist.
    pub fn integer_opt(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Cell::Integer(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(_)) | None => Err(StoreError::Corrupt(format!("column {column} is no integer"))),
        }
    }

    /// The integer in `column`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the column holds no integer.
    pub fn integer(&self, column: usize) -> Result<i64> {
        self.integer_opt(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is null")))
    }
}

/// Failures armed at the seam: the way for tests to meet what only a failing part can cause. Clones share
/// what is armed.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Armed>);

#[derive(Debug, Default)]
struct Armed {
    any: AtomicBool,
    faults: Mutex<Vec<Fault>>,
}

/// A failure of one statement.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Text that the statement has in it.
    pub statement: &'static str,
    /// What happens instead of it.
    pub effect: FaultEffect,
}

/// What happens instead of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultEffect {
    /// The store is away.
    Unavailable,
    /// A row turns out to be corrupt.
    Corrupt,
    /// The statement finds nothing to do.
    Nothing,
}

impl Faults {
    /// Arms a failure; it happens each time, until [`Faults::clear`].
    pub fn arm(&self, fault: Fault) {
        self.armed().push(fault);
        self.0.any.store(true, Ordering::SeqCst);
    }

    /// Lets everything work again.
    pub fn clear(&self) {
        self.0.any.store(false, Ordering::SeqCst);
        self.armed().clear();
    }

    fn of(&self, sql: &str) -> Option<FaultEffect> {
        if !self.0.any.load(Ordering::Relaxed) {
            return None;
        }
        self.armed().iter().find(|fault| sql.contains(fault.statement)).map(|fault| fault.effect)
    }

    fn armed(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultEffect {
    /// The error in the place of the statement; none if it does nothing.
    fn error(self) -> Result<()> {
        match self {
            Self::Unavailable => Err(StoreError::Unavailable("injected".into())),
            Self::Corrupt => Err(StoreError::Corrupt("injected".to_owned())),
            Self::Nothing => Ok(()),
        }
    }
}

/// Which engine to open, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `SQLite` file.
    pub path: PathBuf,
    /// Failures that are to happen. Empty but in tests.
    pub faults: Faults,
    /// Whether transactions are fenced. Always true but in the negative control of the race tests, which
    /// shows that they fail without the fence.
    pub fence: bool,
}

/// How a transaction locks a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Beside others who share it.
    Shared,
    /// Beside nobody.
    Alone,
}

/// A database.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    faults: Faults,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(sqlite::Sqlite),
}

/// A transaction. Dropped without [`Tx::commit`], it has done nothing.
#[derive(Debug)]
pub struct Tx {
    engine: EngineTx,
    faults: Faults,
}

#[derive(Debug)]
enum EngineTx {
    Sqlite(sqlite::SqliteTx),
}

impl Db {
    /// Opens the database, making it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be opened or was written by a newer program.
    pub async fn open(options: &Options) -> Result<Self> {
        let engine = sqlite::Sqlite::open(options)?;
        let mut db = Self { engine: Engine::Sqlite(engine.clone()), faults: options.faults.clone() };
        crate::migrations::migrate(&db).await?;
        db.engine = Engine::Sqlite(engine.with_fence(options.fence));
        Ok(db)
    }

    /// Begins a transaction that may write. Statements see the state after every transaction that
    /// began earlier (the fence).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self) -> Result<Tx> {
        let engine = match &self.engine {
            Engine::Sqlite(engine) => EngineTx::Sqlite(engine.begin().await?),
        };
        Ok(Tx { engine, faults: self.faults.clone() })
    }

    /// Begins a transaction that only reads: one snapshot of what is durable.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self) -> Result<Tx> {
        let engine = match &self.engine {
            Engine::Sqlite(engine) => EngineTx::Sqlite(engine.read().await?),
        };
        Ok(Tx { engine, faults: self.faults.clone() })
    }
}

impl Tx {
    /// Runs a statement and gives its rows.
    ///
    /// # Errors
    /// Any [`StoreError`].
    #[expect(clippy::unused_async, reason = "engines beyond the process wait here")]
    pub async fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        if let Some(effect) = self.faults.of(sql) {
            return effect.error().map(|()| Vec::new());
        }
        match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.query(sql, values),
        }
    }

    /// Runs a statement and gives its only row, if it has one.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn query_opt(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        if let Some(effect) = self.faults.of(sql) {
            return effect.error().map(|()| 0);
        }
        match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.execute(sql, values).await,
        }
    }

    /// Runs a statement that must change exactly one row: the guard that repeats a decision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it changed none or several; any other [`StoreError`].
    pub async fn execute_one(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<()> {
        match self.execute(sql, values).await? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict),
        }
    }

    /// Locks the row of `table` with this id until the transaction ends.
    ///
    /// # Errors
    /// Any [`StoreError`].
    #[expect(clippy::unused_async, reason = "engines beyond the process wait here")]
    pub async fn lock(&mut self, _table: &'static str, _id: &str, _lock: Lock) -> Result<()> {
        match &mut self.engine {
            // The writer's turn is a lock on everything.
            EngineTx::Sqlite(_) => Ok(()),
        }
    }

    /// Makes the transaction durable. When this returns, it outlives any crash.
    ///
    /// # Errors
    /// Any [`StoreError`]; then nothing was done.
    pub async fn commit(self) -> Result<()> {
        match self.engine {
            EngineTx::Sqlite(tx) => tx.commit().await,
        }
    }
}

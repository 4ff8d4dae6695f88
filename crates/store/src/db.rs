//! The seam below the SQL: one set of statements, several engines.
//!
//! Statements use what every engine accepts: `$1` markers, TEXT and BIGINT columns, `ON CONFLICT`,
//! `RETURNING`. Times and ids come from Rust. An engine knows no domain word.

pub mod sqlite;

use std::path::PathBuf;

use crate::seam::{Effect, MaybeSeam, Step, meet};

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

/// Which engine to open, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `SQLite` file.
    pub path: PathBuf,
    /// What stands between the program and the database.
    pub seam: MaybeSeam,
    /// Whether transactions are fenced. Always true but in negative controls, which show that things go
    /// wrong without the fence.
    pub fence: bool,
    /// How transactions are made durable.
    pub commit: CommitMode,
}

impl Options {
    /// The way in which a server opens its database.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, seam: None, fence: true, commit: CommitMode::Grouped }
    }
}

/// How transactions are made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitMode {
    /// Those that wait at the same time together, by a thread of its own.
    Grouped,
    /// Each by itself, in its place: for simulations, in which nothing happens at the same time, and for
    /// commands beside a server.
    Alone,
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
    seam: MaybeSeam,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(sqlite::Sqlite),
}

/// A transaction. Dropped without [`Tx::commit`], it has done nothing.
#[derive(Debug)]
pub struct Tx {
    engine: EngineTx,
    seam: MaybeSeam,
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
        let mut db = Self { engine: Engine::Sqlite(engine.clone()), seam: None };
        crate::migrations::migrate(&db).await?;
        db.engine = Engine::Sqlite(engine.with_fence(options.fence));
        db.seam.clone_from(&options.seam);
        Ok(db)
    }

    /// Opens a database that a server uses, or has used, as a command beside it does: nothing is made, and
    /// its tables are left as they are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be opened or was written by another version of the program.
    pub async fn attach(options: &Options) -> Result<Self> {
        let engine = Engine::Sqlite(sqlite::Sqlite::attach(options)?);
        let db = Self { engine, seam: options.seam.clone() };
        crate::migrations::require_current(&db).await?;
        Ok(db)
    }

    /// What is wrong with the files of the database, a line each. Reads all of them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if not even that can be told.
    pub async fn damages(&self) -> Result<Vec<String>> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.damages().await,
        }
    }

    /// The same database behind another seam.
    #[must_use]
    pub fn behind(&self, seam: MaybeSeam) -> Self {
        Self { engine: self.engine.clone(), seam }
    }

    /// Begins a transaction that may write. Statements see the state after every transaction that
    /// began earlier (the fence).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self) -> Result<Tx> {
        refused(meet(&self.seam, Step::Begin).await)?;
        let engine = match &self.engine {
            Engine::Sqlite(engine) => EngineTx::Sqlite(engine.begin().await?),
        };
        Ok(Tx { engine, seam: self.seam.clone() })
    }

    /// Waits until everything that transactions have seen so far is durable: what rests on another
    /// transaction must not be told before that one is on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; then what was seen may be lost.
    pub async fn settle(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.settle().await,
        }
    }

    /// Begins a transaction that only reads: one snapshot of what is durable.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self) -> Result<Tx> {
        refused(meet(&self.seam, Step::Begin).await)?;
        let engine = match &self.engine {
            Engine::Sqlite(engine) => EngineTx::Sqlite(engine.read().await?),
        };
        Ok(Tx { engine, seam: self.seam.clone() })
    }

    /// How many transactions each commit has made durable, and how many wait for their turn.
    #[must_use]
    pub fn load(&self) -> Load {
        match &self.engine {
            Engine::Sqlite(engine) => engine.load(),
        }
    }
}

/// How busy a database is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Commits since the start.
    pub commits: u64,
    /// Transactions that they made durable.
    pub transactions: u64,
    /// Transactions of the largest commit.
    pub group_max: u64,
    /// Transactions that wait for their turn now.
    pub waiting: u64,
}

impl Tx {
    /// Runs a statement and gives its rows.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Ok(Vec::new()) };
        let rows = match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.query(sql, values),
        }?;
        if lost { Err(unavailable()) } else { Ok(rows) }
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
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Ok(0) };
        let changed = match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.execute(sql, values).await?,
        };
        if lost { Err(unavailable()) } else { Ok(changed) }
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
    /// Any [`StoreError`]; then nothing was done, unless the answer of the database was lost.
    pub async fn commit(self) -> Result<()> {
        let effect = meet(&self.seam, Step::Commit).await;
        refused(effect)?;
        match self.engine {
            EngineTx::Sqlite(tx) if effect == Effect::Early => tx.commit_early(),
            EngineTx::Sqlite(tx) => tx.commit().await?,
        }
        if effect == Effect::AnswerLost { Err(unavailable()) } else { Ok(()) }
    }
}

/// The statement to run and whether its answer is lost; nothing if it does nothing.
async fn instead(seam: &MaybeSeam, sql: &'static str) -> Result<Option<(&'static str, bool)>> {
    match meet(seam, Step::Statement(sql)).await {
        Effect::Go | Effect::Early => Ok(Some((sql, false))),
        Effect::Instead(other) => Ok(Some((other, false))),
        Effect::AnswerLost => Ok(Some((sql, true))),
        Effect::Nothing => Ok(None),
        effect @ (Effect::Unavailable | Effect::Corrupt) => refused(effect).map(|()| None),
    }
}

/// The error of a step that is not taken.
fn refused(effect: Effect) -> Result<()> {
    match effect {
        Effect::Unavailable => Err(unavailable()),
        Effect::Corrupt => Err(StoreError::Corrupt("injected".to_owned())),
        Effect::Go | Effect::Nothing | Effect::Instead(_) | Effect::AnswerLost | Effect::Early => Ok(()),
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("injected".into())
}

//! The seam below the SQL: one set of statements, several engines.
//!
//! Statements use what every engine accepts: `$1` markers, TEXT and BIGINT columns, `ON CONFLICT`,
//! `RETURNING`. Times and ids come from Rust. An engine knows no domain word.

pub mod postgres;
mod query;
mod row;
pub mod sqlite;
pub mod transfer;
mod tx;

use std::path::PathBuf;

use crate::seam::{MaybeSeam, Step, meet};

pub use query::{Ask, Query};
pub use row::{Cell, Row, Value};
use tx::{EngineTx, refused};
pub use tx::{Lock, Tx};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another transaction was in the way; the same call may succeed when repeated.
    #[error("the transaction met another one")]
    Conflict,
    /// The nonce that goes with the transaction was spent before.
    #[error("the nonce was spent before")]
    Spent,
    /// The store cannot serve now: disk full, file unreadable, database away.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row does not have the form that this program writes; `0` says which value of which kind.
    #[error("a row is corrupt: {0}")]
    Corrupt(String),
}

/// The result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In this file, for one server.
    Sqlite(PathBuf),
    /// There, for several.
    Postgres(Box<postgres::Address>),
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

/// Which engine to open, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the database is.
    pub place: Place,
    /// What stands between the program and the database.
    pub seam: MaybeSeam,
    /// Whether transactions are fenced. Always true but in negative controls, which show that things go
    /// wrong without the fence.
    pub fence: bool,
    /// How transactions are made durable.
    pub commit: CommitMode,
    /// Whether several servers use the database. One that is embedded has several in simulations only.
    pub shared: bool,
}

impl Options {
    /// The way in which a server opens its database.
    #[must_use]
    pub fn new(place: impl Into<Place>) -> Self {
        let place = place.into();
        let shared = matches!(place, Place::Postgres(_));
        Self { place, seam: None, fence: true, commit: CommitMode::Grouped, shared }
    }
}

/// How the transactions of an embedded database are made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitMode {
    /// Those that wait at the same time together, by a thread of its own.
    Grouped,
    /// Each by itself, in its place: for simulations, in which nothing happens at the same time, and for
    /// commands beside a server.
    Alone,
}

/// A database.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    seam: MaybeSeam,
    shared: bool,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Db {
    /// Opens the database, making it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be opened or was written by a newer program.
    pub async fn open(options: &Options) -> Result<Self> {
        let engine = match &options.place {
            Place::Sqlite(path) => Engine::Sqlite(sqlite::Sqlite::open(path, options.commit)?),
            Place::Postgres(address) => Engine::Postgres(Box::pin(postgres::Postgres::open(address)).await?),
        };
        let db = Self { engine, seam: None, shared: options.shared };
        crate::migrations::migrate(&db).await?;
        let engine = match db.engine {
            Engine::Sqlite(engine) => Engine::Sqlite(engine.with_fence(options.fence)),
            Engine::Postgres(engine) => Engine::Postgres(engine.with_fence(options.fence)),
        };
        Ok(Self { engine, seam: options.seam.clone(), shared: options.shared })
    }

    /// Opens a database that a server uses, or has used, as a command beside it does: nothing is made, and
    /// its tables are left as they are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be opened or was written by another version of the program.
    pub async fn attach(options: &Options) -> Result<Self> {
        let engine = match &options.place {
            Place::Sqlite(path) => Engine::Sqlite(sqlite::Sqlite::attach(path, options.commit)?),
            Place::Postgres(address) => {
                Engine::Postgres(Box::pin(postgres::Postgres::attach(address)).await?)
            }
        };
        let db = Self { engine, seam: options.seam.clone(), shared: options.shared };
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
            // Its own checksums and tools tell.
            Engine::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// Whether other servers may use the database at the same time.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The same database behind another seam.
    #[must_use]
    pub fn behind(&self, seam: MaybeSeam) -> Self {
        Self { engine: self.engine.clone(), seam, shared: self.shared }
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
            Engine::Postgres(engine) => EngineTx::Postgres(engine.begin().await?),
        };
        Ok(Tx { engine, seam: self.seam.clone(), shared: self.shared })
    }

    /// Waits until everything that transactions have seen so far is durable: what rests on another
    /// transaction must not be told before that one is on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; then what was seen may be lost.
    pub async fn settle(&self) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.settle().await,
            // Nobody sees what is not durable.
            Engine::Postgres(_) => Ok(()),
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
            Engine::Postgres(engine) => EngineTx::Postgres(engine.read().await?),
        };
        Ok(Tx { engine, seam: self.seam.clone(), shared: self.shared })
    }

    /// Begins a transaction that reads one state and leaves a note, which stays without a commit and may be lost
    /// in a crash. Only for a database that [`Self::is_shared`]; another one only reads.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn note(&self) -> Result<Tx> {
        match &self.engine {
            Engine::Sqlite(_) => self.read().await,
            Engine::Postgres(engine) => {
                refused(meet(&self.seam, Step::Begin).await)?;
                let engine = EngineTx::Postgres(engine.note().await?);
                Ok(Tx { engine, seam: self.seam.clone(), shared: self.shared })
            }
        }
    }

    /// How many transactions each commit has made durable, and how many wait for their turn.
    #[must_use]
    pub fn load(&self) -> Load {
        match &self.engine {
            Engine::Sqlite(engine) => engine.load(),
            Engine::Postgres(engine) => engine.load(),
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

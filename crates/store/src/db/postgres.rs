//! PostgreSQL, and what speaks its protocol: one database that several servers use.
//!
//! A transaction is a connection of the pool for its time. What need not be waited for (its beginning, locks,
//! writes whose effect is known beforehand) is kept until something must be: then all of it travels together, and
//! the answers come back together. A delete costs two such exchanges, the second with the commit.
//!
//! Transactions that write run at READ COMMITTED: each statement sees what was committed before it began, so facts
//! that are read after a row was locked are the facts as long as the lock is held.

mod address;
mod connections;
mod errors;
mod exchange;
pub(super) mod nul;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper as Client, Object, Pool};

pub use address::Address;

use super::{Load, Lock, Result, Row, StoreError, Value};
use errors::unavailable;
use exchange::{Answer, Link, Order};

/// How long a server waits for the answers of an exchange before it takes the database for away. Row locks are
/// waited for within it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a command does: it reads whole tables.
const COMMAND_PATIENCE: Duration = Duration::from_mins(5);

/// An open PostgreSQL database.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool,
    patience: Duration,
    fence: bool,
    /// Whether texts are compared byte by byte without being told so.
    bytewise: bool,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    commits: AtomicU64,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// It writes, under locks.
    Write,
    /// It sees one state.
    Read,
    /// It sees one state, and leaves a note.
    Note,
}

/// A transaction of [`Postgres`].
#[derive(Debug)]
pub struct PostgresTx {
    link: Link,
    purpose: Purpose,
    fence: bool,
    bytewise: bool,
    counts: Arc<Counts>,
}

impl Postgres {
    /// Connects as a server does.
    pub(super) async fn open(address: &Address) -> Result<Self> {
        Self::connect(address, PATIENCE).await
    }

    /// Connects as a command beside servers does.
    pub(super) async fn attach(address: &Address) -> Result<Self> {
        Self::connect(address, COMMAND_PATIENCE).await
    }

    async fn connect(address: &Address, patience: Duration) -> Result<Self> {
        let pool = connections::pool(address)?;
        let bytewise = connections::examine(&pool).await?;
        Ok(Self { pool, patience, fence: true, bytewise, counts: Arc::default() })
    }

    /// A connection of its own.
    pub(super) async fn connection(&self) -> Result<Client> {
        connections::take(&self.pool).await.map(Object::take)
    }

    /// From now on without the fence, if so it shall be.
    pub(super) fn with_fence(self, fence: bool) -> Self {
        Self { fence, ..self }
    }

    pub(super) async fn begin(&self) -> Result<PostgresTx> {
        self.transaction(Purpose::Write).await
    }

    pub(super) async fn read(&self) -> Result<PostgresTx> {
        self.transaction(Purpose::Read).await
    }

    pub(super) async fn note(&self) -> Result<PostgresTx> {
        self.transaction(Purpose::Note).await
    }

    async fn transaction(&self, purpose: Purpose) -> Result<PostgresTx> {
        Ok(PostgresTx {
            link: Link::open(&self.pool, purpose.beginning(), self.patience).await?,
            purpose,
            fence: self.fence,
            bytewise: self.bytewise,
            counts: Arc::clone(&self.counts),
        })
    }

    pub(super) fn load(&self) -> Load {
        let commits = self.counts.commits.load(Ordering::Relaxed);
        Load {
            commits,
            transactions: commits,
            group_max: commits.min(1),
            waiting: self.pool.status().waiting as u64,
        }
    }
}

impl Purpose {
    fn beginning(self) -> &'static str {
        match self {
            Self::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            // Losing the note in a crash of the database does no harm, so nobody waits for its disk.
            Self::Note => "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL synchronous_commit = off",
        }
    }

    /// What ends a transaction that is not committed.
    fn ending(self) -> &'static str {
        match self {
            Self::Write | Self::Read => "ROLLBACK",
            Self::Note => "COMMIT",
        }
    }
}

impl PostgresTx {
    /// Runs statements together; gives the rows of each.
    pub(super) async fn query(
        &mut self,
        statements: &[(&'static str, &[Value<'_>])],
    ) -> Result<Vec<Result<Vec<Row>>>> {
        let orders = statements.iter().map(|(sql, values)| Order::rows(*sql, values)).collect();
        let answers = self.link.exchange(orders).await?;
        Ok(answers.into_iter().map(|answer| answer.and_then(Answer::rows)).collect())
    }

    /// Gives rows that no other transaction has locked, and locks those of the table with this alias.
    pub(super) async fn claim(
        &mut self,
        sql: &'static str,
        alias: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        let free = if self.fence { format!(" FOR UPDATE OF {alias} SKIP LOCKED") } else { String::new() };
        let mut answers = self.link.exchange(vec![Order::rows([sql, &free].concat(), values)]).await?;
        answers.pop().ok_or_else(|| unavailable("no answer"))?.and_then(Answer::rows)
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let mut answers = self.link.exchange(vec![Order::count(sql, values)]).await?;
        answers.pop().ok_or_else(|| unavailable("no answer"))?.and_then(Answer::count)
    }

    /// Keeps a statement until something is waited for.
    pub(super) fn send(&mut self, sql: &'static str, values: &[Value<'_>]) {
        self.link.keep(Order::count(sql, values));
    }

    /// The same for a statement that must change exactly one row.
    pub(super) fn send_one(&mut self, sql: &'static str, values: &[Value<'_>], otherwise: StoreError) {
        self.link.keep(Order::one(sql, values, otherwise));
    }

    /// Defines a table or an index, whose texts are compared byte by byte.
    pub(super) async fn define(&mut self, sql: &'static str) -> Result<()> {
        let sql = if self.bytewise { sql.to_owned() } else { sql.replace(" TEXT", " TEXT COLLATE \"C\"") };
        self.link.exchange(vec![Order::plain(sql)]).await?.into_iter().try_for_each(|answer| answer.map(drop))
    }

    /// Locks a row; waits for it only with what is read next.
    pub(super) fn lock(&mut self, table: &'static str, id: &str, lock: Lock) {
        if self.fence && self.purpose == Purpose::Write {
            let mode = match lock {
                Lock::Shared => "SHARE",
                Lock::Alone => "UPDATE",
            };
            let sql = format!("SELECT 1 FROM {table} WHERE id = $1 FOR {mode}");
            self.link.keep(Order::count(sql, &[id.into()]));
        }
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.link.commit().await?;
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A transaction that ends without a commit is rolled back.
impl Drop for PostgresTx {
    fn drop(&mut self) {
        self.link.leave(self.purpose.ending());
    }
}

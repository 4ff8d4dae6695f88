//! The writer's turn, and the group of transactions that shares a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use rusqlite::Connection;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::super::{CommitMode, Result, StoreError, Value};
use super::errors::{explain, failed, unavailable};
use super::execute;

/// What was committed since the start.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) commits: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) largest: AtomicU64,
}

impl Groups {
    pub(super) fn count(&self, transactions: usize) {
        let transactions = transactions as u64;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.transactions.fetch_add(transactions, Ordering::Relaxed);
        self.largest.fetch_max(transactions, Ordering::Relaxed);
    }
}

/// The one connection that writes, and the group it is gathering.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) group_open: bool,
    pub(super) waiting: Vec<oneshot::Sender<Result<()>>>,
    /// How many the last group made durable.
    pub(super) last_group: usize,
    pub(super) mode: CommitMode,
    /// The [`data_version`] of the last group.
    pub(super) data_version: i64,
    /// Whether a transaction of the open group was answered before it was durable.
    pub(super) left_early: bool,
}

/// The writer's turn, held from `begin` to `commit` or to the end without it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) writer: Option<OwnedMutexGuard<Writer>>,
    pub(super) wake_committer: Option<Sender<()>>,
    /// How often another process was waited for in vain.
    in_vain: Arc<AtomicU64>,
    footing: Footing,
    /// A statement that runs before the first one that writes.
    pub(super) first: Option<First>,
}

/// How a transaction stands to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Footing {
    /// No group was open when it began, and it has written nothing: what it reads is on disk.
    Outside {
        /// Whether it has read anything.
        has_read: bool,
    },
    /// Part of the open group; has written nothing.
    Inside,
    /// Has written behind a savepoint.
    Saved,
    /// Has written without one: if it is taken back, its group goes with it.
    Unsaved,
}

/// A statement with values of its own, and what it means if it does not change one row.
#[derive(Debug)]
pub(super) struct First {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Owned>,
    pub(super) otherwise: StoreError,
}

/// A value that is kept for later.
#[derive(Debug)]
pub(super) enum Owned {
    Text(Option<String>),
    Integer(Option<i64>),
}

impl From<Value<'_>> for Owned {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.map(str::to_owned)),
            Value::Integer(number) => Self::Integer(number),
        }
    }
}

impl Owned {
    /// The value, lent.
    pub(super) fn lend(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text.as_deref()),
            Self::Integer(number) => Value::Integer(*number),
        }
    }
}

/// A place in the line for the turn, for counting.
pub(super) struct InLine<'a>(&'a AtomicU64);

impl<'a> InLine<'a> {
    pub(super) fn new(waiting: &'a AtomicU64) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A number that another one follows when another process changes something.
pub(super) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

impl Writer {
    /// Opens the group. Gives whether another process has changed anything since the last one.
    fn open_group(&mut self) -> Result<bool> {
        self.run("BEGIN IMMEDIATE").map_err(unavailable)?;
        self.group_open = true;
        let version = data_version(&self.connection).map_err(unavailable)?;
        Ok(std::mem::replace(&mut self.data_version, version) != version)
    }

    /// Whether there are others who commit now.
    pub(super) fn is_shared(&self) -> bool {
        self.waiting.len().max(self.last_group) > 1
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        execute(&self.connection, sql)
    }

    /// Makes the group durable; gives those who wait for it, and how it ended.
    pub(super) fn commit_group(&mut self) -> Committed {
        let outcome = self.run("COMMIT");
        if outcome.is_err() && !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        self.group_open = false;
        self.left_early = false;
        self.last_group = self.waiting.len();
        Committed { waiting: std::mem::take(&mut self.waiting), failure: outcome.err().map(explain) }
    }

    /// Some failures (a full disk above all) roll the whole group back by themselves. Then everybody
    /// who waits for it hears of it, and the next one begins anew.
    pub(super) fn notice_lost_group(&mut self) {
        if self.group_open && self.connection.is_autocommit() {
            self.group_open = false;
            for waiting in self.waiting.drain(..) {
                // A caller that stopped waiting does not want to know.
                drop(waiting.send(Err(unavailable(LOST))));
            }
        }
    }

    /// Takes the whole group back; whoever waits for it tries again.
    fn give_group_up(&mut self) {
        drop(self.connection.execute_batch("ROLLBACK"));
        self.group_open = false;
        self.left_early = false;
        for waiting in self.waiting.drain(..) {
            drop(waiting.send(Err(StoreError::Conflict)));
        }
    }
}

/// Why a transaction cannot go on.
const LOST: &str = "the group of transactions was rolled back";

/// A group that was committed, or was to be.
pub(super) struct Committed {
    pub(super) waiting: Vec<oneshot::Sender<Result<()>>>,
    failure: Option<String>,
}

impl Committed {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Answers everybody who waits for it.
    pub(super) fn answer(self) {
        for durable in self.waiting {
            let answer = self.failure.clone().map_or(Ok(()), |failure| Err(unavailable(failure)));
            // A caller that stopped waiting does not want to know.
            drop(durable.send(answer));
        }
    }
}

impl Turn {
    pub(super) fn new(
        writer: OwnedMutexGuard<Writer>,
        wake_committer: Option<Sender<()>>,
        in_vain: Arc<AtomicU64>,
    ) -> Self {
        let footing = if writer.group_open { Footing::Inside } else { Footing::Outside { has_read: false } };
        Self { writer: Some(writer), wake_committer, in_vain, footing, first: None }
    }

    /// The writer, for reading.
    pub(super) fn reads(&mut self) -> Result<&Writer> {
        if let Footing::Outside { has_read } = &mut self.footing {
            *has_read = true;
        }
        let is_lost =
            |writer: &Writer| !matches!(self.footing, Footing::Outside { .. }) && !writer.group_open;
        self.writer.as_deref().filter(|writer| !is_lost(writer)).ok_or_else(|| unavailable(LOST))
    }

    /// The writer, for writing: in an open group, and behind a savepoint unless all is decided.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another process has changed what was read.
    pub(super) fn writes(&mut self) -> Result<&mut Writer> {
        self.join()?;
        let writer = self.writer.as_deref_mut().filter(|writer| writer.group_open);
        let writer = writer.ok_or_else(|| unavailable(LOST))?;
        if self.footing == Footing::Inside {
            writer.run("SAVEPOINT one").map_err(unavailable)?;
            self.footing = Footing::Saved;
        }
        Ok(writer)
    }

    /// Says that nothing is taken back any more unless something is wrong, so that no savepoint is needed.
    pub(super) fn decided(&mut self) -> Result<()> {
        self.join()?;
        if self.footing == Footing::Inside {
            self.footing = Footing::Unsaved;
        }
        Ok(())
    }

    /// Makes sure that the transaction is part of a group.
    fn join(&mut self) -> Result<()> {
        let Footing::Outside { has_read } = self.footing else { return Ok(()) };
        let writer = self.writer.as_deref_mut().ok_or_else(|| unavailable(LOST))?;
        let opened = writer.open_group();
        let has_changed = opened.inspect_err(|_| {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        })?;
        self.footing = Footing::Inside;
        if has_changed && has_read { Err(StoreError::Conflict) } else { Ok(()) }
    }

    /// Ends a transaction of the group. Gives whether there is a group to wait for.
    pub(super) fn leave(&mut self) -> Result<bool> {
        let Some(writer) = self.writer.as_deref() else { return Err(unavailable(LOST)) };
        match self.footing {
            Footing::Outside { .. } => return Ok(false),
            _ if !writer.group_open => return Err(unavailable(LOST)),
            Footing::Saved => writer.run("RELEASE one").map_err(failed)?,
            Footing::Inside | Footing::Unsaved => {}
        }
        Ok(true)
    }
}

/// Wakes the committer when it goes.
pub(super) struct Closing(pub(super) Sender<()>);

impl Drop for Closing {
    fn drop(&mut self) {
        // It only ends with the process.
        let _ = self.0.send(());
    }
}

/// A turn that ends without a commit takes its statements back and leaves the group to the others.
impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        if !writer.group_open {
            return;
        }
        let alone = writer.mode == CommitMode::Alone && !writer.left_early;
        match self.footing {
            Footing::Unsaved => {
                tracing::error!("a transaction that was decided is taken back, and its group with it");
                writer.give_group_up();
            }
            _ if alone => writer.give_group_up(),
            Footing::Saved => {
                if let Err(error) = writer.connection.execute_batch("ROLLBACK TO one; RELEASE one") {
                    tracing::error!(%error, "a transaction could not be rolled back; its group is given up");
                    drop(writer.connection.execute_batch("ROLLBACK"));
                }
                writer.notice_lost_group();
            }
            Footing::Inside | Footing::Outside { .. } => {}
        }
        // Those who wait see to it that the group is closed.
        if writer.waiting.is_empty() {
            drop(writer);
            drop(self.wake_committer.take().map(Closing));
        }
    }
}

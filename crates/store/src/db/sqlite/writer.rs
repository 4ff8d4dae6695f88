//! The writer's turn, and the group of transactions that shares a commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use rusqlite::Connection;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::super::{CommitMode, Result};
use super::errors::{explain, failed, unavailable};

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
    pub(super) mode: CommitMode,
    /// Whether a transaction of the open group was answered before it was durable.
    pub(super) left_early: bool,
}

/// The writer's turn, held from `begin` to `commit` or to the end without it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) writer: Option<OwnedMutexGuard<Writer>>,
    pub(super) wake_committer: Option<Sender<()>>,
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

impl Writer {
    pub(super) fn enter(&mut self) -> Result<()> {
        if !self.group_open {
            self.connection
                .prepare_cached("BEGIN IMMEDIATE")
                .and_then(|mut s| s.execute([]))
                .map_err(unavailable)?;
            self.group_open = true;
        }
        self.connection
            .prepare_cached("SAVEPOINT one")
            .and_then(|mut s| s.execute([]))
            .map_err(unavailable)?;
        Ok(())
    }

    /// Ends a transaction of the group.
    pub(super) fn leave(&mut self) -> Result<()> {
        if !self.group_open {
            return Err(unavailable("the group of transactions was rolled back"));
        }
        let released = self.connection.prepare_cached("RELEASE one").and_then(|mut one| one.execute([]));
        released.map(drop).map_err(failed)
    }

    /// Makes the group durable; gives those who wait for it, and how it ended.
    pub(super) fn commit_group(&mut self) -> Committed {
        let outcome = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if outcome.is_err() && !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        self.group_open = false;
        self.left_early = false;
        Committed { waiting: std::mem::take(&mut self.waiting), failure: outcome.err().map(explain) }
    }

    /// Some failures (a full disk above all) roll the whole group back by themselves. Then everybody
    /// who waits for it hears of it, and the next one begins anew.
    pub(super) fn notice_lost_group(&mut self) {
        if self.group_open && self.connection.is_autocommit() {
            self.group_open = false;
            for waiting in self.waiting.drain(..) {
                // A caller that stopped waiting does not want to know.
                drop(waiting.send(Err(unavailable("the group of transactions was rolled back"))));
            }
        }
    }
}

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
    pub(super) fn wake(&self) -> Result<()> {
        let wake = self.wake_committer.as_ref().map_or(Ok(()), |wake| wake.send(()));
        wake.map_err(|_| unavailable("the committer has ended"))
    }
}

/// A turn that ends without a commit takes its statements back and leaves the group to the others.
impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        if writer.group_open {
            let alone = writer.mode == CommitMode::Alone && !writer.left_early;
            let take_back = if alone { "ROLLBACK" } else { "ROLLBACK TO one; RELEASE one" };
            if let Err(error) = writer.connection.execute_batch(take_back) {
                tracing::error!(%error, "a transaction could not be rolled back; its group is given up");
                drop(writer.connection.execute_batch("ROLLBACK"));
            }
            writer.notice_lost_group();
        }
        drop(writer);
        // Somebody must close the group even if nobody commits after this.
        drop(self.wake());
    }
}

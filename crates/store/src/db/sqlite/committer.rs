//! The thread that makes groups durable, and the one that moves pages from the log to the file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Mutex;

use super::errors::unavailable;
use super::writer::{Committed, Groups, Writer};
use super::{Result, connect};

/// Pages in the log from which on it is worth moving them (of 4 KiB each).
const LOG_PAGES_MAX: i32 = 2_000;

/// Pages in the log from which on readers are waited for.
const LOG_PAGES_LARGE: i32 = 2 * LOG_PAGES_MAX;

/// How long readers are waited for, with the writer.
const READERS_TIMEOUT: Duration = Duration::from_millis(50);

/// Starts both threads. They end when the last sender and the last owner of the writer are gone.
pub(super) fn start(writer: &Arc<Mutex<Writer>>, groups: &Arc<Groups>, path: &Path) -> Result<Sender<()>> {
    let log_pages = Arc::new(AtomicI32::new(0));
    let counted = Arc::clone(&log_pages);
    writer
        .try_lock()
        .map_err(unavailable)?
        .connection
        .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        }))
        .map_err(unavailable)?;
    let (wake_checkpointer, checkpoints) = channel();
    let (wake_committer, commits) = channel();
    let own = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    own.busy_timeout(READERS_TIMEOUT).map_err(unavailable)?;
    let (for_commits, counts) = (Arc::clone(writer), Arc::clone(groups));
    spawn("calotype-commit", move || {
        commit_groups(&for_commits, &counts, &commits, &log_pages, &wake_checkpointer);
    })?;
    let (for_checkpoints, counts) = (Arc::clone(writer), Arc::clone(groups));
    spawn("calotype-checkpoint", move || move_pages(&for_checkpoints, &counts, &own, &checkpoints))?;
    Ok(wake_committer)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(unavailable)?;
    Ok(())
}

fn commit_groups(
    writer: &Mutex<Writer>,
    groups: &Groups,
    commits: &Receiver<()>,
    log_pages: &AtomicI32,
    wake_checkpointer: &Sender<()>,
) {
    while commits.recv().is_ok() {
        // Waits behind everybody who is in the line now; they all join the group.
        let mut turn = writer.blocking_lock();
        // The wake-ups of those whose group is closed here; a later one comes with a later wake-up.
        while commits.try_recv().is_ok() {}
        if !turn.group_open {
            continue;
        }
        let committed = turn.commit_group();
        drop(turn);
        answer(committed, groups);
        if log_pages.load(Ordering::Relaxed) > LOG_PAGES_MAX {
            log_pages.store(0, Ordering::Relaxed);
            // It only ends with the process.
            let _ = wake_checkpointer.send(());
        }
    }
}

fn answer(committed: Committed, groups: &Groups) {
    groups.count(committed.len());
    committed.answer();
}

/// Moves the bulk while the writer goes on, then the rest in a turn of its own: only when all pages are moved and
/// nobody writes does the log begin anew instead of growing. A group that is open then is made durable first, because
/// it writes. Where readers that follow each other keep a log that has grown large, they are waited for.
fn move_pages(writer: &Mutex<Writer>, groups: &Groups, own: &Connection, checkpoints: &Receiver<()>) {
    while checkpoints.recv().is_ok() {
        while checkpoints.try_recv().is_ok() {}
        let left = checkpoint(own, "PRAGMA wal_checkpoint(PASSIVE)");
        let rest = if left > LOG_PAGES_LARGE {
            "PRAGMA wal_checkpoint(RESTART)"
        } else {
            "PRAGMA wal_checkpoint(PASSIVE)"
        };
        let mut turn = writer.blocking_lock();
        if turn.group_open {
            answer(turn.commit_group(), groups);
        }
        checkpoint(own, rest);
        drop(turn);
    }
}

/// Moves pages, and gives how many the log has.
fn checkpoint(own: &Connection, statement: &str) -> i32 {
    match own.query_row(statement, [], |row| row.get(1)) {
        Ok(pages) => pages,
        Err(error) => {
            tracing::warn!(%error, "pages could not be moved from the log; trying again later");
            0
        }
    }
}

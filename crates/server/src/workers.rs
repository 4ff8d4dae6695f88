//! The work behind the requests: bytes are filled in and erased, instances are switched.
//!
//! The rows are the tasks. A worker claims what is due, does it, and records it; every step may run
//! twice, and a worker that dies leaves rows that become due again. Workers are rung after a commit and
//! look on a timer as well.

pub mod erasures;
pub mod exports;
pub mod fills;
pub mod nonces;
pub mod reinits;

use std::sync::Arc;
use std::time::Duration;

use calotype_core::replica::Holder;
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::replicas::Lease;
use tokio::task::JoinSet;

use crate::app::App;

/// How long a claimed task is held before another worker may take it, in milliseconds.
pub const LEASE_MS: i64 = 60_000;

/// The longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Starts every worker: two for each region, so that one that is away delays only itself. They end when the
/// set is dropped; what they were doing goes on at the next start.
#[must_use]
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for region in app.wake.fills.regions() {
        workers.spawn(fills::run(Arc::clone(app), region.clone()));
        workers.spawn(erasures::run(Arc::clone(app), region.clone()));
    }
    workers.spawn(exports::run(Arc::clone(app)));
    workers.spawn(reinits::run(Arc::clone(app)));
    workers.spawn(nonces::run(Arc::clone(app)));
    workers
}

/// Does all the work that is due now, without waiting for what is not. For tests, which run no workers.
///
/// # Errors
/// [`StoreError`].
pub async fn drain(app: &App) -> Result<(), StoreError> {
    loop {
        let mut done = reinits::run_once(app).await? + exports::run_once(app).await?;
        for region in app.wake.fills.regions() {
            done += fills::run_once(app, region).await?;
            done += erasures::run_once(app, region).await?;
        }
        if done == 0 {
            return Ok(());
        }
    }
}

fn lease(app: &App, now: Timestamp) -> Lease {
    Lease { owner: app.server_id.clone(), until: now.plus_millis(LEASE_MS) }
}

fn is_due(due: Option<Timestamp>, now: Timestamp) -> bool {
    due.is_some_and(|due| due <= now)
}

/// Waits for the bell, for the next task to be due, or for the time to look anyway.
async fn wait(app: &App, bell: impl Future<Output = ()>, due: Option<Timestamp>) {
    let until_due = due.map(|due| due.as_millis().saturating_sub(app.clock.now().as_millis()));
    // A task that is due but held back by another one is looked at again after a pause.
    let until_due = until_due.map(|millis| Duration::from_millis(millis.max(20).unsigned_abs()));
    let pause = until_due.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
    tokio::select! {
        () = bell => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// What a task belongs to, as fields of a line in the log: `image` or `snapshot`.
fn named(holder: &Holder) -> (Option<&str>, Option<&str>) {
    match holder {
        Holder::Image(image) => (Some(image.as_str()), None),
        Holder::Snapshot(snapshot) => (None, Some(snapshot.as_str())),
    }
}

/// Logs what kept a worker from its work; the loop goes on.
fn log_failure(worker: &'static str, error: &StoreError) {
    tracing::error!(worker, %error, cause = ?std::error::Error::source(error), "a worker could not go on");
}

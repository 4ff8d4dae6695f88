//! Exports images: writes the bytes of one replica to an object of a bucket.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use calotype_core::replica::backoff_ms;
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::delivery::{DeliveryError, deliver};
use calotype_store::exports::{self, ExportTask};
use calotype_store::ingest::Progress;
use tokio::task::{Id, JoinSet};

use super::{is_due, lease, log_failure, wait};
use crate::app::App;

/// Exports at once to one bucket, and to all of them: a bucket that hangs must not keep the others waiting.
const PER_BUCKET_MAX: usize = 2;
const EXPORTS_MAX: usize = 16;

/// The time between two looks at how far an export is. A small part of the lease, which is renewed with it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long an export may go on without moving a byte, in looks.
const STALLED_LOOKS: u32 = 60;

/// How often an export is tried before it counts as failed.
const ATTEMPTS_MAX: u32 = 6;

/// Claims and exports until the task is dropped.
pub(super) async fn run(app: Arc<App>) {
    let mut running = Running::default();
    loop {
        match claim(&app, &running.busy()).await {
            Ok(Some(task)) => {
                running.begin(&app, task);
                continue;
            }
            Ok(None) => {}
            Err(error) => log_failure("exports", &error),
        }
        let due = next_due(&app, &running.busy()).await;
        tokio::select! {
            () = running.one_ended() => {}
            () = wait(&app, app.wake.exports.notified(), due) => {}
        }
    }
}

/// Exports everything that is due now, one after the other; gives how many.
///
/// # Errors
/// [`StoreError`]; then nothing was begun.
pub async fn run_once(app: &App) -> Result<usize, StoreError> {
    let mut count = 0;
    while let Some(task) = claim(app, &Busy::Buckets(Vec::new())).await? {
        work(app, task).await;
        count += 1;
    }
    Ok(count)
}

/// Where nothing more is begun now.
enum Busy {
    Buckets(Vec<String>),
    All,
}

/// The exports that are being written.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    buckets: BTreeMap<Id, String>,
}

impl Running {
    fn begin(&mut self, app: &Arc<App>, task: ExportTask) {
        let (app, bucket) = (Arc::clone(app), task.target.bucket.clone());
        let handle = self.tasks.spawn(async move { work(&app, task).await });
        self.buckets.insert(handle.id(), bucket);
    }

    fn busy(&self) -> Busy {
        if self.buckets.len() >= EXPORTS_MAX {
            return Busy::All;
        }
        let count = |bucket: &String| self.buckets.values().filter(|other| *other == bucket).count();
        let full = self.buckets.values().filter(|bucket| count(bucket) >= PER_BUCKET_MAX);
        Busy::Buckets(full.cloned().collect())
    }

    /// Waits until one has ended; for ever if there is none.
    async fn one_ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return std::future::pending().await,
        };
        self.buckets.remove(&id);
    }
}

async fn claim(app: &App, busy: &Busy) -> Result<Option<ExportTask>, StoreError> {
    let now = app.clock.now();
    let Busy::Buckets(busy_buckets) = busy else { return Ok(None) };
    // A look that finds nothing must not keep the writers waiting.
    if !is_due(next_due(app, busy).await, now) {
        return Ok(None);
    }
    let buckets: Vec<&str> = busy_buckets.iter().map(String::as_str).collect();
    let mut tx = app.db.begin().await?;
    let task = exports::claim(&mut tx, now, &lease(app, now), &buckets).await?;
    if task.is_some() {
        tx.commit().await?;
    }
    Ok(task)
}

async fn next_due(app: &App, busy: &Busy) -> Option<Timestamp> {
    let Busy::Buckets(buckets) = busy else { return None };
    let buckets: Vec<&str> = buckets.iter().map(String::as_str).collect();
    let mut tx = app.db.read().await.ok()?;
    exports::next_due(&mut tx, &buckets).await.ok()?
}

/// Why an export is watched no longer.
enum Hold {
    /// Somebody else has the task now.
    Lost,
    /// No byte has moved for too long.
    Stalled,
}

/// Writes one object and records how it ended.
async fn work(app: &App, task: ExportTask) {
    let progress = Progress::default();
    let mut exporting = std::pin::pin!(export(app, &task, &progress));
    let ended = tokio::select! {
        ended = &mut exporting => ended,
        hold = watch(app, &task, &progress) => return give_up(app, &task, exporting, &hold).await,
    };
    record(app, &task, ended).await;
}

/// Gives an export up that somebody else has, or that hangs. What it leaves is removed by the next attempt.
async fn give_up(
    app: &App,
    task: &ExportTask,
    exporting: Pin<&mut impl Future<Output = Result<(), DeliveryError>>>,
    hold: &Hold,
) {
    match hold {
        Hold::Lost => {
            tracing::info!(image = %task.image, attempt = task.tries, "another worker has the export");
        }
        Hold::Stalled => {
            record(app, task, Err(DeliveryError::Stalled)).await;
            // Its place is taken until the call that hangs comes back: such calls must not pile up.
            drop(exporting.await);
        }
    }
}

async fn export(app: &App, task: &ExportTask, progress: &Progress) -> Result<(), DeliveryError> {
    let object = &task.target.object;
    let bucket = app.places.bucket(&task.target.bucket).ok_or(DeliveryError::NoBucket)?.objects;
    for attempt in task.stale_attempts.clone() {
        bucket.forget_delivery(object, attempt).await.map_err(DeliveryError::Bucket)?;
    }
    let origin = task.origin.as_ref().ok_or(DeliveryError::NoBytes)?;
    let region = app.places.region(&origin.region).ok_or(DeliveryError::NoRegion)?;
    deliver(region, origin, &bucket, object, task.attempt, progress).await
}

/// Renews the lease as long as the work goes on; ends when it does not.
async fn watch(app: &App, task: &ExportTask, progress: &Progress) -> Hold {
    let (mut seen, mut still) = (0, 0);
    while still < STALLED_LOOKS {
        tokio::time::sleep(LOOK_EVERY).await;
        still = if progress.bytes() == seen { still + 1 } else { 0 };
        seen = progress.bytes();
        let renewed = async {
            let mut tx = app.db.begin().await?;
            let held =
                exports::renew(&mut tx, &task.image, task.attempt, &lease(app, app.clock.now())).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(held)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return Hold::Lost,
            Err(error) => log_failure("exports", &error),
        }
    }
    Hold::Stalled
}

/// Records how an attempt ended: the export with it, or the time of the next one if that can end better.
async fn record(app: &App, task: &ExportTask, ended: Result<(), DeliveryError>) {
    let error = ended.err();
    let again = error.as_ref().is_some_and(|error| task.tries < ATTEMPTS_MAX && error.is_passing());
    let due = again.then(|| {
        let [chance] = app.chance.bytes();
        app.clock.now().plus_millis(backoff_ms(task.tries, chance))
    });
    let reason = error.as_ref().map(ToString::to_string);
    let recorded = async {
        let (image, attempt, owner) = (&task.image, task.attempt, &app.server_id);
        let mut tx = app.db.begin().await?;
        match (due, reason.as_deref()) {
            (Some(due), Some(reason)) => {
                exports::record_retry(&mut tx, image, attempt, owner, reason, due).await?;
            }
            (_, reason) => exports::record_end(&mut tx, image, attempt, owner, reason).await?,
        }
        tx.commit().await
    };
    match recorded.await {
        Ok(()) => log(task, error.as_ref(), due),
        // Whoever has it now writes the same bytes to the same place.
        Err(StoreError::Conflict) => {
            tracing::info!(image = %task.image, attempt = task.tries, "another worker has the export");
        }
        // The lease runs out, and the export is tried again.
        Err(error) => log_failure("exports", &error),
    }
}

fn log(task: &ExportTask, error: Option<&DeliveryError>, due: Option<Timestamp>) {
    let (image, target, attempt) = (&task.image, &task.target, task.tries);
    match error {
        None => {
            let bytes = task.origin.as_ref().map(|origin| origin.bytes.size_bytes);
            tracing::info!(%image, %target, attempt, bytes, "image exported");
        }
        Some(error) => tracing::warn!(
            %image,
            %target,
            attempt,
            %error,
            cause = ?std::error::Error::source(error),
            due = due.map(tracing::field::display),
            "an image could not be exported"
        ),
    }
}

//! Fills replicas: imports, copies and blank disks.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use calotype_core::ids::RegionId;
use calotype_core::image::Stage;
use calotype_core::replica::{Bytes, Holder, Source, backoff_ms};
use calotype_core::snapshot::SnapshotState;
use calotype_core::time::Timestamp;
use calotype_store::db::{StoreError, Tx};
use calotype_store::ingest::{self, FillError, Progress};
use calotype_store::objects::Objects;
use calotype_store::replicas::{self, FillTask};
use calotype_store::{images, snapshots};
use tokio::task::JoinSet;

use super::{is_due, lease, log_failure, named, wait};
use crate::app::App;
use crate::metrics::{Attempt, Task};

/// Replicas that are filled at once in one region.
const FILLS_MAX: usize = 4;

/// The time between two looks at how far a fill is. A small part of the lease, which is renewed with it.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// How long a fill may go on without moving a byte, in looks.
const STALLED_LOOKS: u32 = 60;

/// How often filling a replica is tried before the image counts as failed.
const ATTEMPTS_MAX: u32 = 6;

/// Claims and fills in one region until the task is dropped.
pub(super) async fn run(app: Arc<App>, region: RegionId) {
    let mut running = JoinSet::new();
    loop {
        match claim(&app, &region, FILLS_MAX - running.len()).await {
            Ok(tasks) => {
                for task in tasks {
                    let app = Arc::clone(&app);
                    running.spawn(async move { work(&app, task).await });
                }
            }
            Err(error) => log_failure("fills", &error),
        }
        let due = if running.len() < FILLS_MAX { next_due(&app, &region).await } else { None };
        tokio::select! {
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = wait(&app, app.wake.fills.heard(&region), due) => {}
        }
    }
}

/// Fills what is due in a region now, one after the other; gives how many.
///
/// # Errors
/// [`StoreError`]; then nothing was begun.
pub async fn run_once(app: &App, region: &RegionId) -> Result<usize, StoreError> {
    let tasks = claim(app, region, FILLS_MAX).await?;
    let count = tasks.len();
    for task in tasks {
        work(app, task).await;
    }
    Ok(count)
}

async fn claim(app: &App, region: &RegionId, limit: usize) -> Result<Vec<FillTask>, StoreError> {
    let now = app.clock.now();
    // A look that finds nothing must not keep the writers waiting.
    if limit == 0 || !is_due(next_due(app, region).await, now) {
        return Ok(Vec::new());
    }
    let mut tx = app.db.begin().await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let tasks = replicas::claim_fills(&mut tx, region, now, &lease(app, now), limit).await?;
    if !tasks.is_empty() {
        tx.commit().await?;
    }
    Ok(tasks)
}

async fn next_due(app: &App, region: &RegionId) -> Option<Timestamp> {
    let mut tx = app.db.read().await.ok()?;
    replicas::next_due(&mut tx, region, "copying").await.ok()?
}

/// Why a fill is watched no longer.
enum Hold {
    /// Somebody else has the task now.
    Lost,
    /// No byte has moved for too long.
    Stalled,
}

/// Fills one replica and records how it ended.
async fn work(app: &App, task: FillTask) {
    let Some(target) = app.places.region(&task.region) else {
        let error = FillError::Refused(format!("region {} is not configured", task.region));
        return record_error(app, &task, None, &error).await;
    };
    let progress = Progress::default();
    let mut filling = std::pin::pin!(fill(app, &task, target, &progress));
    let filled = tokio::select! {
        filled = &mut filling => filled,
        hold = watch(app, &task, &progress) => return give_up(app, &task, target, filling, hold).await,
    };
    match filled {
        Ok(bytes) => match record_filled(app, &task, &bytes).await {
            Ok(()) => {
                let (image, snapshot) = named(&task.holder);
                let (region, attempt, bytes) = (&task.region, task.tries, bytes.size_bytes);
                tracing::info!(image, snapshot, %region, attempt, bytes, "bytes stored");
                app.metrics.tried(region, Task::Fill, Attempt::Done);
                // Bytes that were waited for may be erased now.
                app.wake.erasures.ring();
            }
            Err(StoreError::Conflict) => {
                let (image, snapshot) = named(&task.holder);
                let (region, attempt) = (&task.region, task.tries);
                tracing::info!(image, snapshot, %region, attempt, "bytes stored for nobody are erased again");
                app.metrics.tried(region, Task::Fill, Attempt::Lost);
                drop(target.erase(&task.key).await);
            }
            // The lease runs out, and the next attempt erases what lies there.
            Err(error) => {
                app.metrics.tried(&task.region, Task::Fill, Attempt::Lost);
                log_failure("fills", &error);
            }
        },
        Err(error) => record_error(app, &task, Some(target), &error).await,
    }
}

/// Gives a fill up that somebody else has, or that hangs. What it writes after this is nobody's: the next
/// attempt has a key of its own.
async fn give_up(
    app: &App,
    task: &FillTask,
    target: &Objects,
    filling: Pin<&mut impl Future<Output = Result<Bytes, FillError>>>,
    hold: Hold,
) {
    match hold {
        Hold::Stalled => {
            record_error(app, task, None, &FillError::Stalled).await;
            // Its place is taken until the call that hangs comes back: such calls must not pile up.
            drop(filling.await);
        }
        Hold::Lost => app.metrics.tried(&task.region, Task::Fill, Attempt::Lost),
    }
    drop(target.erase(&task.key).await);
}

async fn fill(app: &App, task: &FillTask, target: &Objects, progress: &Progress) -> Result<Bytes, FillError> {
    for stale in &task.stale_keys {
        target.erase(stale).await.map_err(|error| FillError::Failed(Stage::Uploading, error))?;
    }
    match (&task.source, &task.origin) {
        (Source::Bucket { bucket, object }, _) => {
            let found = app.places.bucket(bucket);
            let found = found.ok_or_else(|| FillError::Refused(format!("bucket {bucket} is gone")))?;
            ingest::import(&found.objects, object, target, &task.key, progress).await
        }
        (Source::Replica(_), Some(origin)) => {
            let from = app.places.region(&origin.region);
            let from = from
                .ok_or_else(|| FillError::Refused(format!("region {} is not configured", origin.region)))?;
            ingest::copy(from, &origin.key, &origin.bytes, target, &task.key, progress).await
        }
        (Source::Replica(_), None) => Err(FillError::Refused("the bytes to copy are gone".to_owned())),
        (Source::Blank { size_gib }, _) => ingest::blank(*size_gib, target, &task.key).await,
    }
}

/// Shows the progress and renews the lease as long as the work goes on; ends when it does not.
async fn watch(app: &App, task: &FillTask, progress: &Progress) -> Hold {
    let (mut seen, mut still) = (0, 0);
    while still < STALLED_LOOKS {
        tokio::time::sleep(SHOW_EVERY).await;
        still = if progress.bytes() == seen { still + 1 } else { 0 };
        seen = progress.bytes();
        let renewed = async {
            let mut tx = app.db.begin().await?;
            let held = replicas::renew(&mut tx, &task.id, task.attempt, &lease(app, app.clock.now())).await?;
            replicas::record_progress(&mut tx, &task.id, task.attempt, seen).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(held)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return Hold::Lost,
            Err(error) => log_failure("fills", &error),
        }
    }
    Hold::Stalled
}

async fn record_filled(app: &App, task: &FillTask, bytes: &Bytes) -> Result<(), StoreError> {
    let mut tx = app.db.begin().await?;
    replicas::record_filled(&mut tx, &task.id, task.attempt, &app.server_id, bytes).await?;
    match &task.holder {
        Holder::Image(image) => images::record_made(&mut tx, image, bytes).await?,
        Holder::Snapshot(snapshot) => {
            snapshots::record_state(&mut tx, snapshot, SnapshotState::Available).await?;
        }
    }
    tx.commit().await
}

/// Records a failed attempt: the next one if that can end better, the end if not. What the attempt left
/// is erased first, so that a failed replica has no bytes.
async fn record_error(app: &App, task: &FillTask, target: Option<&Objects>, error: &FillError) {
    let erased = match target {
        Some(target) => target.erase(&task.key).await.is_ok(),
        None => true,
    };
    let again = task.tries < ATTEMPTS_MAX && (error.is_passing() || !erased);
    let due = again.then(|| {
        let [chance] = app.chance.bytes();
        app.clock.now().plus_millis(backoff_ms(task.tries, chance))
    });
    let (image, snapshot) = named(&task.holder);
    tracing::warn!(
        image,
        snapshot,
        region = %task.region,
        attempt = task.tries,
        %error,
        cause = ?std::error::Error::source(error),
        due = due.map(tracing::field::display),
        "bytes could not be stored"
    );
    let recorded = async {
        let mut tx = app.db.begin().await?;
        if let Some(due) = due {
            let text = error.to_string();
            replicas::record_retry(&mut tx, &task.id, task.attempt, &app.server_id, &text, due).await?;
        } else {
            record_end(&mut tx, app, task, error).await?;
        }
        tx.commit().await
    };
    let attempt = match recorded.await {
        Ok(()) if again => Attempt::Retry,
        Ok(()) => Attempt::Failed,
        Err(StoreError::Conflict) => Attempt::Lost,
        Err(error) => {
            log_failure("fills", &error);
            Attempt::Lost
        }
    };
    app.metrics.tried(&task.region, Task::Fill, attempt);
}

async fn record_end(tx: &mut Tx, app: &App, task: &FillTask, error: &FillError) -> Result<(), StoreError> {
    let reason = error.to_string();
    replicas::record_failed(tx, &task.id, task.attempt, &app.server_id, &reason).await?;
    match &task.holder {
        Holder::Image(image) => images::record_failed(tx, image, error.stage(), &reason).await,
        Holder::Snapshot(snapshot) => snapshots::record_state(tx, snapshot, SnapshotState::Error).await,
    }
}

//! Fills replicas: imports, copies and blank disks.

use std::sync::Arc;
use std::time::Duration;

use calotype_core::image::Stage;
use calotype_core::replica::{Bytes, Holder, Source, backoff_ms};
use calotype_core::snapshot::SnapshotState;
use calotype_store::db::{StoreError, Tx};
use calotype_store::ingest::{self, FillError, Progress};
use calotype_store::objects::Objects;
use calotype_store::replicas::{self, FillTask};
use calotype_store::{images, snapshots};
use tokio::task::JoinSet;

use super::{lease, log_failure, wait};
use crate::app::App;
use crate::clock::chance;

/// Replicas that are filled at once.
const FILLS_MAX: usize = 4;

/// The time between two looks at how far a fill is. A small part of the lease, which is renewed with it.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// How often filling a replica is tried before the image counts as failed.
const ATTEMPTS_MAX: u32 = 6;

/// Claims and fills until the task is dropped.
pub(super) async fn run(app: Arc<App>) {
    let mut running = JoinSet::new();
    loop {
        match claim(&app, FILLS_MAX - running.len()).await {
            Ok(tasks) => {
                for task in tasks {
                    let app = Arc::clone(&app);
                    running.spawn(async move { work(&app, task).await });
                }
            }
            Err(error) => log_failure("fills", &error),
        }
        let due = if running.len() < FILLS_MAX { next_due(&app).await } else { None };
        tokio::select! {
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = wait(&app, &app.wake.fills, due) => {}
        }
    }
}

/// Fills what is due now, one after the other; gives how many.
pub(super) async fn run_once(app: &Arc<App>) -> Result<usize, StoreError> {
    let tasks = claim(app, FILLS_MAX).await?;
    let count = tasks.len();
    for task in tasks {
        work(app, task).await;
    }
    Ok(count)
}

async fn claim(app: &App, limit: usize) -> Result<Vec<FillTask>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let tasks = replicas::claim_fills(&mut tx, now, &lease(app, now), limit).await?;
    if !tasks.is_empty() {
        tx.commit().await?;
    }
    Ok(tasks)
}

async fn next_due(app: &App) -> Option<calotype_core::time::Timestamp> {
    let mut tx = app.db.read().await.ok()?;
    replicas::next_due(&mut tx, "copying").await.ok()?
}

/// Fills one replica and records how it ended.
async fn work(app: &App, task: FillTask) {
    let Some(target) = app.places.region(&task.region) else {
        let error = FillError::Refused(format!("region {} is not configured", task.region));
        return record_error(app, &task, None, &error).await;
    };
    let progress = Progress::default();
    let filled = tokio::select! {
        filled = fill(app, &task, target, &progress) => filled,
        // Whoever holds the task now fills it; what was written here is nobody's.
        () = lose_lease(app, &task, &progress) => {
            drop(target.erase(&task.key).await);
            return;
        }
    };
    match filled {
        Ok(bytes) => match record_filled(app, &task, &bytes).await {
            Ok(()) => {
                let size_bytes = bytes.size_bytes;
                tracing::info!(holder = ?task.holder, region = %task.region, size_bytes, "bytes stored");
                // Bytes that were waited for may be erased now.
                app.wake.erasures.notify_one();
            }
            Err(StoreError::Conflict) => {
                tracing::info!(holder = ?task.holder, "bytes stored for nobody are erased again");
                drop(target.erase(&task.key).await);
            }
            // The lease runs out, and the next attempt erases what lies there.
            Err(error) => log_failure("fills", &error),
        },
        Err(error) => record_error(app, &task, Some(target), &error).await,
    }
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

/// Shows the progress and renews the lease as long as the work goes on; ends only when the lease is lost.
async fn lose_lease(app: &App, task: &FillTask, progress: &Progress) {
    loop {
        tokio::time::sleep(SHOW_EVERY).await;
        let renewed = async {
            let mut tx = app.db.begin().await?;
            let held = replicas::renew(&mut tx, &task.id, task.attempt, &lease(app, app.clock.now())).await?;
            replicas::record_progress(&mut tx, &task.id, task.attempt, progress.bytes()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(held)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => log_failure("fills", &error),
        }
    }
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
    tracing::warn!(
        holder = ?task.holder,
        region = %task.region,
        attempt = task.tries,
        again,
        reason = %error,
        cause = ?std::error::Error::source(error),
        "bytes could not be stored"
    );
    let recorded = async {
        let mut tx = app.db.begin().await?;
        if again {
            let [chance] = chance();
            let due = app.clock.now().plus_millis(backoff_ms(task.tries, chance));
            let text = error.to_string();
            replicas::record_retry(&mut tx, &task.id, task.attempt, &app.server_id, &text, due).await?;
        } else {
            record_end(&mut tx, app, task, error).await?;
        }
        tx.commit().await
    };
    match recorded.await {
        Ok(()) | Err(StoreError::Conflict) => {}
        Err(error) => log_failure("fills", &error),
    }
}

async fn record_end(tx: &mut Tx, app: &App, task: &FillTask, error: &FillError) -> Result<(), StoreError> {
    let reason = error.to_string();
    replicas::record_failed(tx, &task.id, task.attempt, &app.server_id, &reason).await?;
    match &task.holder {
        Holder::Image(image) => images::record_failed(tx, image, error.stage(), &reason).await,
        Holder::Snapshot(snapshot) => snapshots::record_state(tx, snapshot, SnapshotState::Error).await,
    }
}

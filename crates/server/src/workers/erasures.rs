//! Erases the bytes of deleted images and snapshots, each region by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use calotype_core::ids::{ImageId, RegionId};
use calotype_core::replica::{Holder, backoff_ms};
use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, StoreError};
use calotype_store::objects::{ObjectError, Objects};
use calotype_store::replicas::{self, EraseTask};
use calotype_store::{deletions, images};

use super::{is_due, lease, log_failure, named, wait};
use crate::app::App;
use crate::logging;
use crate::metrics::{Attempt, Task};

/// Replicas that are claimed at once.
const BATCH: i64 = 256;

/// How long a region may take over a batch before the batch counts as failed. Well within the lease.
const BATCH_TIMEOUT: Duration = Duration::from_secs(45);

/// Why bytes are still there.
#[derive(Clone, Debug)]
struct Failure {
    /// For the record and for the log.
    error: String,
    /// For the log only.
    cause: Option<String>,
}

impl Failure {
    fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), cause: None }
    }

    fn of(error: &ObjectError) -> Self {
        let cause = std::error::Error::source(error).map(|cause| format!("{cause:?}"));
        Self { error: error.to_string(), cause }
    }
}

/// How an attempt was recorded.
#[derive(Clone, Copy, Debug)]
enum Recorded {
    Erased,
    Retry { due: Timestamp },
    Lost,
}

/// Claims and erases in one region until the task is dropped.
pub(super) async fn run(app: Arc<App>, region: RegionId) {
    loop {
        match run_once(&app, &region).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => log_failure("erasures", &error),
        }
        let due = next_due(&app, &region).await;
        wait(&app, app.wake.erasures.heard(&region), due).await;
    }
}

async fn next_due(app: &App, region: &RegionId) -> Option<Timestamp> {
    let mut tx = app.db.read().await.ok()?;
    replicas::next_due(&mut tx, region, "erasing").await.ok()?
}

/// Erases one batch of what is due in a region now; gives how many were tried.
///
/// # Errors
/// [`StoreError`]; then nothing was recorded, and what was erased is erased again after the lease.
pub async fn run_once(app: &App, region: &RegionId) -> Result<usize, StoreError> {
    let now = app.clock.now();
    // A look that finds nothing must not keep the writers waiting.
    if !is_due(next_due(app, region).await, now) {
        return Ok(0);
    }
    let mut tx = app.db.begin().await?;
    let tasks = replicas::claim_erasures(&mut tx, region, now, &lease(app, now), BATCH).await?;
    if tasks.is_empty() {
        return Ok(0);
    }
    tx.commit().await?;
    tasks.iter().for_each(log_claim);
    let Some(objects) = app.places.region(region) else {
        let failure = Failure::new("the region is not configured");
        record(app, &tasks, &vec![Err(failure); tasks.len()]).await?;
        return Ok(tasks.len());
    };
    let mut erasing = std::pin::pin!(erase(objects, &tasks));
    if let Ok(results) = tokio::time::timeout(BATCH_TIMEOUT, &mut erasing).await {
        record(app, &tasks, &results).await?;
    } else {
        let failure = Failure::new(format!("the store gave no answer within {BATCH_TIMEOUT:?}"));
        record(app, &tasks, &vec![Err(failure); tasks.len()]).await?;
        // Nothing new is begun in a region that still owes answers: calls that hang must not pile up.
        erasing.await;
    }
    Ok(tasks.len())
}

/// Erases the bytes of each task, then makes that durable once. The results stand in the tasks' order.
async fn erase(objects: &Objects, tasks: &[EraseTask]) -> Vec<Result<(), Failure>> {
    // What an empty mount point does not have is not erased.
    if let Err(error) = objects.verify().await {
        return vec![Err(Failure::of(&error)); tasks.len()];
    }
    let keys: Vec<_> = tasks.iter().flat_map(|task| task.keys.iter().cloned()).collect();
    let results = by_task(tasks, objects.erase_all(&keys).await);
    match objects.sync().await {
        Ok(()) => results,
        Err(error) => vec![Err(Failure::of(&error)); tasks.len()],
    }
}

/// The first failure of each task, from the results of all its keys.
fn by_task(tasks: &[EraseTask], results: Vec<Result<(), ObjectError>>) -> Vec<Result<(), Failure>> {
    let mut results = results.into_iter();
    let one = |task: &EraseTask| {
        let own: Vec<_> = results.by_ref().take(task.keys.len()).collect();
        own.into_iter().collect::<Result<(), _>>().map_err(|error| Failure::of(&error))
    };
    tasks.iter().map(one).collect()
}

/// Records a batch in one transaction; then counts and tells what became of each task.
async fn record(app: &App, tasks: &[EraseTask], results: &[Result<(), Failure>]) -> Result<(), StoreError> {
    let now = app.clock.now();
    let recorded = record_rows(app, tasks, results, now).await;
    let Ok((ends, complete)) = recorded else {
        for task in tasks {
            app.metrics.tried(&task.region, Task::Erase, Attempt::Lost);
        }
        return recorded.map(drop);
    };
    for ((task, result), end) in tasks.iter().zip(results).zip(ends) {
        count(app, task, end);
        log(task, result, end);
    }
    log_complete(app, &complete, now).await;
    Ok(())
}

/// Gives how each attempt was recorded, and the images whose deletion is complete.
async fn record_rows(
    app: &App,
    tasks: &[EraseTask],
    results: &[Result<(), Failure>],
    now: Timestamp,
) -> Result<(Vec<Recorded>, Vec<ImageId>), StoreError> {
    let (mut ends, mut complete) = (Vec::with_capacity(tasks.len()), Vec::new());
    let mut tx = app.db.begin().await?;
    // Of two regions that end at once, the later one must see that nothing is left. In the order of their ids, so
    // that two such transactions do not wait for each other.
    let images = tasks.iter().filter_map(|task| match &task.holder {
        Holder::Image(image) => Some(image),
        Holder::Snapshot(_) => None,
    });
    for image in images.collect::<BTreeSet<_>>() {
        images::lock(&mut tx, image, Lock::Alone);
    }
    for (task, result) in tasks.iter().zip(results) {
        let (recorded, end) = match result {
            Ok(()) => {
                let erased = replicas::record_erased(&mut tx, &task.id, task.attempt, &app.server_id).await;
                (erased, Recorded::Erased)
            }
            Err(Failure { error, .. }) => {
                let [chance] = app.chance.bytes();
                let due = now.plus_millis(backoff_ms(task.tries, chance));
                let (id, owner) = (&task.id, &app.server_id);
                let retry = replicas::record_retry(&mut tx, id, task.attempt, owner, error, due).await;
                (retry, Recorded::Retry { due })
            }
        };
        match recorded {
            Ok(()) => ends.push(end),
            // Another worker has the task now and will do it again, which does no harm.
            Err(StoreError::Conflict) => ends.push(Recorded::Lost),
            Err(error) => return Err(error),
        }
        if let (Ok(()), Holder::Image(image)) = (result, &task.holder)
            && deletions::complete_if_erased(&mut tx, image, now).await?
        {
            complete.push(image.clone());
        }
    }
    tx.commit().await?;
    Ok((ends, complete))
}

fn count(app: &App, task: &EraseTask, end: Recorded) {
    let attempt = match end {
        Recorded::Erased => Attempt::Done,
        Recorded::Retry { .. } => Attempt::Retry,
        Recorded::Lost => Attempt::Lost,
    };
    app.metrics.tried(&task.region, Task::Erase, attempt);
    if attempt == Attempt::Done {
        app.metrics.erased(&task.region, task.size_bytes);
    }
}

fn log_claim(task: &EraseTask) {
    let (image, snapshot) = named(&task.holder);
    let (request_id, region, attempt) = (&task.request_id, &task.region, task.tries);
    tracing::debug!(request_id, image, snapshot, %region, attempt, "bytes are being erased");
}

fn log(task: &EraseTask, result: &Result<(), Failure>, end: Recorded) {
    let (image, snapshot) = named(&task.holder);
    let (request_id, region, attempt) = (&task.request_id, &task.region, task.tries);
    let failure = result.as_ref().err();
    let (error, cause) =
        failure.map_or((None, None), |failure| (Some(&failure.error), failure.cause.as_ref()));
    match end {
        Recorded::Erased => {
            let bytes = task.size_bytes;
            tracing::info!(request_id, image, snapshot, %region, attempt, bytes, "bytes erased");
        }
        Recorded::Retry { due } => tracing::warn!(
            request_id, image, snapshot, %region, attempt, error, cause, %due, "bytes are still to be erased"
        ),
        Recorded::Lost => tracing::info!(
            request_id, image, snapshot, %region, attempt, error, cause, "another worker has the erasure"
        ),
    }
}

/// Says of each image that nothing of it is left, with the request that asked for it.
async fn log_complete(app: &App, images: &[ImageId], now: Timestamp) {
    if images.is_empty() {
        return;
    }
    let told = async {
        let mut tx = app.db.read().await?;
        for image in images {
            if let Some(deletion) = deletions::latest(&mut tx, image).await? {
                let took_ms = now.as_millis().saturating_sub(deletion.accepted.as_millis());
                logging::deletion_complete(&deletion.request_id, image, &deletion.id, took_ms);
            }
        }
        Ok(())
    };
    if let Err(error) = told.await {
        log_failure("erasures", &error);
    }
}

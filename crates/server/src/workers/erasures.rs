//! Erases the bytes of deleted images and snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use calotype_core::replica::{Holder, backoff_ms};
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::deletions;
use calotype_store::objects::{ObjectError, Objects};
use calotype_store::replicas::{self, EraseTask};
use futures::StreamExt as _;

use super::{lease, log_failure, wait};
use crate::app::App;
use crate::clock::chance;

/// Replicas that are claimed at once.
const BATCH: i64 = 64;

/// Erasures in one region at once.
const CONCURRENCY: usize = 16;

/// Claims and erases until the task is dropped.
pub(super) async fn run(app: Arc<App>) {
    loop {
        match run_once(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => log_failure("erasures", &error),
        }
        let due = next_due(&app).await;
        wait(&app, &app.wake.erasures, due).await;
    }
}

async fn next_due(app: &App) -> Option<Timestamp> {
    let mut tx = app.db.read().await.ok()?;
    replicas::next_due(&mut tx, "erasing").await.ok()?
}

/// Erases one batch of what is due now; gives how many were tried.
pub(super) async fn run_once(app: &Arc<App>) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let tasks = replicas::claim_erasures(&mut tx, now, &lease(app, now), BATCH).await?;
    if tasks.is_empty() {
        return Ok(0);
    }
    tx.commit().await?;

    let count = tasks.len();
    let mut by_region: BTreeMap<_, Vec<EraseTask>> = BTreeMap::new();
    for task in tasks {
        by_region.entry(task.region.clone()).or_default().push(task);
    }
    for (region, tasks) in by_region {
        let results = match app.places.region(&region) {
            Some(objects) => erase(objects, &tasks).await,
            None => tasks.iter().map(|_| Err("the region is not configured".to_owned())).collect(),
        };
        record(app, &tasks, &results).await?;
    }
    Ok(count)
}

/// Erases the bytes of each task, then makes that durable once. The results stand in the tasks' order.
async fn erase(objects: &Objects, tasks: &[EraseTask]) -> Vec<Result<(), String>> {
    let one = async |task: &EraseTask| {
        for key in &task.keys {
            objects.erase(key).await.map_err(|error| describe(&error))?;
        }
        Ok(())
    };
    let results: Vec<_> = futures::stream::iter(tasks.iter().map(one)).buffered(CONCURRENCY).collect().await;
    match objects.sync().await {
        Ok(()) => results,
        Err(error) => tasks.iter().map(|_| Err(describe(&error))).collect(),
    }
}

fn describe(error: &ObjectError) -> String {
    tracing::warn!(%error, cause = ?std::error::Error::source(error), "bytes could not be erased");
    error.to_string()
}

async fn record(app: &App, tasks: &[EraseTask], results: &[Result<(), String>]) -> Result<(), StoreError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    for (task, result) in tasks.iter().zip(results) {
        let recorded = match result {
            Ok(()) => replicas::record_erased(&mut tx, &task.id, task.attempt, &app.server_id).await,
            Err(text) => {
                let [chance] = chance();
                let due = now.plus_millis(backoff_ms(task.tries, chance));
                replicas::record_retry(&mut tx, &task.id, task.attempt, &app.server_id, text, due).await
            }
        };
        match recorded {
            // Another worker has the task now and will do it again, which does no harm.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        if let (Ok(()), Holder::Image(image)) = (result, &task.holder) {
            deletions::complete_if_erased(&mut tx, image, now).await?;
        }
    }
    tx.commit().await
}

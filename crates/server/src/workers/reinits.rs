//! Ends the reinitialisation of instances.

use std::collections::BTreeSet;
use std::sync::Arc;

use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, StoreError};
use calotype_store::{images, instances};

use super::{log_failure, wait};
use crate::app::App;

/// Instances that are switched in one transaction.
const BATCH: i64 = 64;

/// Switches what is due until the task is dropped.
pub(super) async fn run(app: Arc<App>) {
    loop {
        match run_once(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => log_failure("reinits", &error),
        }
        let due = next_due(&app).await;
        wait(&app, app.wake.reinits.notified(), due).await;
    }
}

async fn next_due(app: &App) -> Option<Timestamp> {
    let mut tx = app.db.read().await.ok()?;
    instances::next_due(&mut tx).await.ok()?
}

/// Switches one batch of what is due now; gives how many. The images that the instances leave are free
/// when this returns.
pub async fn run_once(app: &App) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let due = instances::due_reinits(&mut tx, now, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    // In the order of their ids, so that two such transactions do not wait for each other.
    for image in due.iter().flat_map(|(_, from, to)| [from, to]).collect::<BTreeSet<_>>() {
        images::lock(&mut tx, image, Lock::Shared);
    }
    for (instance, _, to) in &due {
        instances::end_reinit(&mut tx, instance, to).await?;
    }
    tx.commit().await?;
    for (instance, _, to) in &due {
        tracing::info!(%instance, image = %to, "instance reinitialised");
    }
    Ok(due.len())
}

//! Forgets nonces that have expired, and sessions that have long been over.

use std::sync::Arc;
use std::time::Duration;

use calotype_store::db::StoreError;
use calotype_store::{nonces, sessions};

use super::log_failure;
use crate::app::App;
use crate::sessions::KEPT_AFTER_END_MS;

/// The time between two rounds.
const EVERY: Duration = Duration::from_mins(1);

/// Forgets until the task is dropped.
pub(super) async fn run(app: Arc<App>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = run_once(&app).await {
            log_failure("nonces", &error);
        }
    }
}

/// Does one round.
///
/// # Errors
/// [`StoreError`].
pub async fn run_once(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    nonces::forget_expired(&mut tx, now).await?;
    sessions::forget_ended(&mut tx, now.plus_millis(-KEPT_AFTER_END_MS)).await?;
    tx.commit().await
}

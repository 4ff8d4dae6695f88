//! Forgets nonces that have expired.

use std::sync::Arc;
use std::time::Duration;

use calotype_store::db::StoreError;
use calotype_store::nonces;

use super::log_failure;
use crate::app::App;

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

async fn run_once(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.begin().await?;
    nonces::forget_expired(&mut tx, app.clock.now()).await?;
    tx.commit().await
}

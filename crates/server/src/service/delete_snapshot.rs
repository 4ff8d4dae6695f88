//! Deletes a snapshot.

use calotype_core::ids::SnapshotId;
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::snapshots;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The account has no such snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such snapshot")]
pub struct NoSnapshot;

/// Deletes a snapshot of the caller's. Images made of it stay: they have bytes of their own.
///
/// # Errors
/// [`ServiceError`].
pub async fn delete_snapshot(
    app: &App,
    caller: &Caller,
    id: &SnapshotId,
    now: Timestamp,
) -> Result<(), ServiceError<NoSnapshot>> {
    caller.authorize_one("snapshot", id.as_str())?;
    let mut tx = begin(app, caller).await?;
    snapshots::lock(&mut tx, id, Lock::Alone);
    let snapshot = snapshots::load(&mut tx, id, caller.account()).await?;
    let snapshot = snapshot.ok_or(ServiceError::Refused(NoSnapshot))?;
    snapshots::delete(&mut tx, &snapshot.id, now).await?;
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, snapshot = %id, "snapshot deleted");
    app.wake.erasures.ring();
    Ok(())
}

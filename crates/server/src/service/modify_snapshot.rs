//! Changes what the owner says about a snapshot.

use calotype_core::ids::SnapshotId;
use calotype_store::snapshots;

use super::delete_snapshot::NoSnapshot;
use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Changes name and description of a snapshot of the caller's; what is absent stays.
///
/// # Errors
/// [`ServiceError`].
pub async fn modify_snapshot(
    app: &App,
    caller: &Caller,
    id: &SnapshotId,
    name: Option<&str>,
    description: Option<&str>,
) -> Result<(), ServiceError<NoSnapshot>> {
    caller.authorize_one("snapshot", id.as_str())?;
    let mut tx = begin(app, caller).await?;
    let snapshot = snapshots::load(&mut tx, id, caller.account()).await?;
    let snapshot = snapshot.ok_or(ServiceError::Refused(NoSnapshot))?;
    let name = name.unwrap_or(&snapshot.name);
    let description = description.unwrap_or(&snapshot.description);
    snapshots::relabel(&mut tx, &snapshot.id, name, description).await?;
    tx.commit().await?;
    Ok(())
}

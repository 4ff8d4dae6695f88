//! Lists snapshots.

use std::convert::Infallible;

use calotype_core::snapshot::Snapshot;
use calotype_store::snapshots;

use super::describe_images::Page;
use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which snapshots a listing asks for.
pub type SnapshotFilter<'a> = snapshots::Filter<'a>;

/// Lists snapshots of the caller's.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_snapshots(
    app: &App,
    caller: &Caller,
    filter: &SnapshotFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<Snapshot>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (items, total) = snapshots::list(&mut tx, caller.account(), filter, offset, limit).await?;
    Ok(Page { items, total })
}

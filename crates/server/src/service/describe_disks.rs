//! Lists disks of instances.

use std::convert::Infallible;

use calotype_store::disks;

use super::describe_images::Page;
use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which disks a listing asks for.
pub type DiskFilter<'a> = disks::Filter<'a>;

/// A disk and what there is to say about its instance.
pub type ListedDisk = disks::ListedDisk;

/// Lists the disks of the caller's ENS instances.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_disks(
    app: &App,
    caller: &Caller,
    filter: &DiskFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<ListedDisk>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (items, total) = disks::list(&mut tx, caller.account(), filter, offset, limit).await?;
    Ok(Page { items, total })
}

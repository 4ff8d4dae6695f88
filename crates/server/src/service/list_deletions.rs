//! Lists deletions.

use std::convert::Infallible;

use calotype_store::deletions::{self, Deletion};

use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which deletions are listed.
pub type DeletionFilter<'a> = deletions::Filter<'a>;

/// Deletions of the caller's account, the latest first, and whether there are more.
///
/// # Errors
/// [`ServiceError`], never refused.
pub async fn list_deletions(
    app: &App,
    caller: &Caller,
    filter: &DeletionFilter<'_>,
    limit: usize,
) -> Result<(Vec<Deletion>, bool), ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let asked = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = deletions::list(&mut tx, caller.account(), filter, asked).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}

//! Lists tags.

use std::convert::Infallible;

use calotype_store::tags::{self, Tag};

use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which tags a listing asks for.
pub type TagFilter<'a> = tags::Filter<'a>;

/// How many tags a listing can be filtered by.
pub const TAGS_IN_FILTER_MAX: usize = tags::TAGS_IN_FILTER_MAX;

/// A part of a listing of tags.
#[derive(Clone, Debug)]
pub struct Tags {
    /// The tags, in the order of things and keys.
    pub tags: Vec<Tag>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// Lists tags of the caller's things, `limit` at most.
///
/// # Errors
/// [`ServiceError`].
pub async fn list_tags(
    app: &App,
    caller: &Caller,
    filter: &TagFilter<'_>,
    limit: i64,
) -> Result<Tags, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    // One more than is shown tells whether there is more.
    let mut found = tags::list(&mut tx, caller.account(), filter, limit + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(tags::place);
    Ok(Tags { tags: found, next })
}

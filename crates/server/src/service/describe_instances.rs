//! Lists instances and their tags.

use std::convert::Infallible;

use calotype_core::instance::Instance;
use calotype_store::instances;
use calotype_store::tags::{self, Tag};

use super::describe_images::Page;
use super::{Caller, ServiceError};
use crate::app::App;

/// Which instances a listing asks for.
pub type InstanceFilter<'a> = instances::Filter<'a>;

/// An instance and its tags.
#[derive(Clone, Debug)]
pub struct TaggedInstance {
    /// The instance.
    pub instance: Instance,
    /// Its tags, in the order of their keys.
    pub tags: Vec<Tag>,
}

/// Lists instances of the caller's.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_instances(
    app: &App,
    caller: &Caller,
    filter: &InstanceFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<TaggedInstance>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = app.db.read().await?;
    let (found, total) = instances::list(&mut tx, caller.account(), filter, offset, limit).await?;
    let mut items = Vec::with_capacity(found.len());
    for instance in found {
        let tags = tags::of(&mut tx, instances::TAG_KIND, instance.id.as_str()).await?;
        items.push(TaggedInstance { instance, tags });
    }
    Ok(Page { items, total })
}

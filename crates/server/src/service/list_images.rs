//! Lists App Streaming images with all that belongs to them.

use std::convert::Infallible;

use calotype_core::image::{ImageView, Product};
use calotype_core::replica::RegionEntry;
use calotype_store::tags::{self, Tag};
use calotype_store::versions::{self, Version};
use calotype_store::{images, replicas};

use super::describe_images::{ImageFilter, Page};
use super::{Caller, ServiceError, look};
use crate::app::App;

/// How many tags a listing can be filtered by.
pub const TAGS_IN_FILTER_MAX: usize = images::TAGS_IN_FILTER_MAX;

/// How many details a listing can be filtered by.
pub const DETAILS_IN_FILTER_MAX: usize = images::DETAILS_IN_FILTER_MAX;

/// An image and all that belongs to it.
#[derive(Clone, Debug)]
pub struct ListedImage {
    /// The image.
    pub view: ImageView,
    /// Its versions, the oldest first.
    pub versions: Vec<Version>,
    /// Where its versions are.
    pub entries: Vec<RegionEntry>,
    /// Its tags, in the order of their keys.
    pub tags: Vec<Tag>,
}

/// Lists App Streaming images that the caller sees.
///
/// # Errors
/// [`ServiceError`].
pub async fn list_images(
    app: &App,
    caller: &Caller,
    filter: &ImageFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<ListedImage>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (views, total) =
        images::list(&mut tx, Product::AppStreaming, caller.account(), filter, offset, limit).await?;
    let mut items = Vec::with_capacity(views.len());
    for view in views {
        let id = &view.image.id;
        items.push(ListedImage {
            versions: versions::of_image(&mut tx, id).await?,
            entries: tx.ask(replicas::of_image(id)).await?,
            tags: tags::of(&mut tx, tags::IMAGE_KIND, id.as_str()).await?,
            view,
        });
    }
    Ok(Page { items, total })
}

//! Lists instances, their tags and their images.

use std::convert::Infallible;

use calotype_core::image::{ImageView, Standing};
use calotype_core::instance::Instance;
use calotype_core::usage::ConsumerKind;
use calotype_store::tags::{self, Tag};
use calotype_store::{images, instances, usages};

use super::describe_images::Page;
use super::{Caller, ServiceError, look, product_of};
use crate::app::App;

/// Which instances a listing asks for.
pub type InstanceFilter<'a> = instances::Filter<'a>;

/// How many tags a listing can be filtered by.
pub const TAGS_IN_FILTER_MAX: usize = instances::TAGS_IN_FILTER_MAX;

/// An instance and what belongs to it.
#[derive(Clone, Debug)]
pub struct TaggedInstance {
    /// The instance.
    pub instance: Instance,
    /// Its tags, in the order of their keys.
    pub tags: Vec<Tag>,
    /// Its image, if the caller sees it. Not looked up for ENS instances, which show its id only.
    pub image: Option<ImageView>,
}

/// Lists instances of the caller's.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_instances(
    app: &App,
    caller: &Caller,
    kind: ConsumerKind,
    filter: &InstanceFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<TaggedInstance>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (found, total) = instances::list(&mut tx, kind, caller.account(), filter, offset, limit).await?;
    let mut items = Vec::with_capacity(found.len());
    for instance in found {
        let tags = tags::of(&mut tx, usages::kind_to_text(kind), instance.id.as_str()).await?;
        let image = match kind {
            ConsumerKind::Instance => None,
            ConsumerKind::DeliveryGroup | ConsumerKind::Workstation => {
                tx.ask(images::load(product_of(kind), &instance.image, caller.account())).await?
            }
        };
        let image = image.filter(|view| view.standing != Standing::Hidden);
        items.push(TaggedInstance { instance, tags, image });
    }
    Ok(Page { items, total })
}

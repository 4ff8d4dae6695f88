//! Lists cloud-desktop templates.

use std::collections::BTreeMap;
use std::convert::Infallible;

use calotype_core::ids::ImageId;
use calotype_core::image::{ImageView, Product};
use calotype_core::template::Template;
use calotype_store::{images, templates};

use super::describe_images::Page;
use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which templates a listing asks for.
pub type TemplateFilter<'a> = templates::Filter<'a>;

/// A template, and its image as the caller sees it.
#[derive(Clone, Debug)]
pub struct ListedTemplate {
    /// The template.
    pub template: Template,
    /// The image that it references, if it references one.
    pub image: Option<ImageView>,
}

/// Lists templates of the caller's.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_templates(
    app: &App,
    caller: &Caller,
    filter: &TemplateFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<ListedTemplate>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (found, total) = templates::list(&mut tx, caller.account(), filter, offset, limit).await?;
    let mut views: BTreeMap<ImageId, Option<ImageView>> = BTreeMap::new();
    for id in found.iter().filter_map(|template| template.image.as_ref()) {
        if !views.contains_key(id) {
            let view = tx.ask(images::load(Product::AppStreaming, id, caller.account())).await?;
            views.insert(id.clone(), view);
        }
    }
    let list = |template: Template| {
        let image = template.image.as_ref().and_then(|id| views.get(id).cloned().flatten());
        ListedTemplate { template, image }
    };
    Ok(Page { items: found.into_iter().map(list).collect(), total })
}

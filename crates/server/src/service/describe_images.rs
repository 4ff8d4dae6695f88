//! Lists images.

use std::convert::Infallible;

use calotype_core::image::{ImageView, Product};
use calotype_store::images;

use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which images a listing asks for.
pub type ImageFilter<'a> = images::Filter<'a>;

/// One page of a listing, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The things of the page, in the order of the listing.
    pub items: Vec<T>,
    /// How many there are.
    pub total: i64,
}

/// Lists images that the caller sees.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_images(
    app: &App,
    caller: &Caller,
    product: Product,
    filter: &ImageFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<ImageView>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (items, total) = images::list(&mut tx, product, caller.account(), filter, offset, limit).await?;
    Ok(Page { items, total })
}

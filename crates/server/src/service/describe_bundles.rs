//! Lists bundles.

use std::convert::Infallible;

use calotype_core::image::{ImageView, Product, Standing};
use calotype_core::template::Bundle;
use calotype_store::{bundles, images};

use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which bundles a listing asks for.
pub type BundleFilter<'a> = bundles::Filter<'a>;

/// A bundle, and its image.
#[derive(Clone, Debug)]
pub struct ListedBundle {
    /// The bundle.
    pub bundle: Bundle,
    /// Its image, unless that is gone or no longer the caller's to see.
    pub image: Option<ImageView>,
}

/// A part of a listing.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// The things, in the order of the listing.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// Bundles that one call looks at, at most: behind them it gives what it has found and where to go on.
const LOOKED_AT_MAX: u16 = 500;

/// Lists bundles of the caller's in the order of their ids, `limit` at most of those that `keep` keeps.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_bundles(
    app: &App,
    caller: &Caller,
    filter: &BundleFilter<'_>,
    keep: impl Fn(&ListedBundle) -> bool + Send,
    limit: usize,
) -> Result<Part<ListedBundle>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    // One more than is looked at tells whether there is more.
    let found = bundles::list(&mut tx, caller.account(), filter, i64::from(LOOKED_AT_MAX) + 1).await?;
    let mut found = found.into_iter();
    let (mut items, mut last) = (Vec::new(), None);
    for bundle in found.by_ref().take(LOOKED_AT_MAX.into()) {
        last = Some(bundle.id.to_string());
        let view = tx.ask(images::load(Product::AppStreaming, &bundle.image, caller.account())).await?;
        let image = view.filter(|view| view.standing != Standing::Hidden);
        let listed = ListedBundle { bundle, image };
        if keep(&listed) {
            items.push(listed);
        }
        if items.len() == limit {
            break;
        }
    }
    let more = found.next().is_some();
    Ok(Part { items, next: last.filter(|_| more) })
}

//! Lists App Streaming images of one region.

use std::convert::Infallible;

use calotype_core::ids::RegionId;
use calotype_core::image::{ImageState, ImageView, Product, Standing};
use calotype_core::replica::{EntryState, RegionEntry};
use calotype_store::{images, replicas, shares, versions};

use super::describe_bundles::Part;
use super::describe_images::ImageFilter;
use super::{Caller, ServiceError, look};
use crate::app::App;

/// An image, as it is in one region.
#[derive(Clone, Debug)]
pub struct RegionalImage {
    /// The image.
    pub view: ImageView,
    /// How far its bytes are in the region: the furthest of its versions.
    pub state: EntryState,
    /// The name of its newest version; empty if it has none.
    pub version: String,
    /// How many accounts it is shared with, if it is the caller's own.
    pub share_count: usize,
}

/// Images that one call looks at, at most: behind them it gives what it has found and where to go on.
const LOOKED_AT_MAX: u16 = 500;

/// Lists the images that the caller sees and that are in the region, or are being made there: `limit` at
/// most of those that `keep` keeps, the newest first, from the place `offset` of all that the caller sees.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_regional_images(
    app: &App,
    caller: &Caller,
    region: &RegionId,
    filter: &ImageFilter<'_>,
    keep: impl Fn(&RegionalImage) -> bool + Send,
    offset: i64,
    limit: usize,
) -> Result<Part<RegionalImage>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (product, account) = (Product::AppStreaming, caller.account());
    let (views, total) =
        images::list(&mut tx, product, account, filter, offset, LOOKED_AT_MAX.into()).await?;
    let (mut items, mut place) = (Vec::new(), offset);
    for view in views {
        place += 1;
        let id = view.image.id.clone();
        let entries = tx.ask(replicas::of_image(&id)).await?;
        let Some(state) = regional_state(&view, &entries, region) else { continue };
        let own = view.standing == Standing::Own;
        let image = RegionalImage {
            state,
            version: versions::of_image(&mut tx, &id).await?.pop().map_or_else(String::new, |last| last.name),
            share_count: if own { tx.ask(shares::of_image(&id)).await?.len() } else { 0 },
            view,
        };
        if keep(&image) {
            items.push(image);
        }
        if items.len() == limit {
            break;
        }
    }
    Ok(Part { items, next: (place < total).then(|| place.to_string()) })
}

/// How far an image is in a region; none if it is not there. A copy that failed is not there, unless it was
/// to be the first.
fn regional_state(view: &ImageView, entries: &[RegionEntry], region: &RegionId) -> Option<EntryState> {
    let failed = matches!(view.image.state, ImageState::Failed { .. });
    let rank = |state: EntryState| match state {
        EntryState::Failed => 0,
        EntryState::Waiting => 1,
        EntryState::Copying(hundredths) => 2 + u16::from(hundredths),
        EntryState::Available => u16::MAX,
    };
    let there = entries.iter().filter(|entry| entry.region == *region).map(|entry| entry.state);
    there.filter(|state| failed || *state != EntryState::Failed).max_by_key(|state| rank(*state))
}

//! Tells how far a deletion is.

use std::convert::Infallible;

use calotype_core::ids::{DeletionId, ImageId};
use calotype_store::deletions;

use super::{Caller, ServiceError, look};
use crate::app::App;

/// An accepted delete.
pub type Deletion = deletions::Deletion;

/// How far the erasure of one replica is.
pub type Erasure = deletions::Erasure;

/// The deletion that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one of this id.
    Deletion(DeletionId),
    /// The latest of this image.
    Image(ImageId),
}

/// A deletion and how far it is in each region; `None` if the caller's account has no such deletion.
///
/// # Errors
/// [`ServiceError`], never refused.
pub async fn get_deletion(
    app: &App,
    caller: &Caller,
    which: &Which,
) -> Result<Option<(Deletion, Vec<Erasure>)>, ServiceError<Infallible>> {
    match which {
        Which::Deletion(id) => caller.authorize_one("deletion", id.as_str())?,
        Which::Image(id) => caller.authorize_one("image", id.as_str())?,
    };
    let mut tx = look(app, caller).await?;
    let found = match which {
        Which::Deletion(id) => deletions::load(&mut tx, id, caller.account()).await?,
        Which::Image(id) => deletions::latest(&mut tx, id).await?,
    };
    let Some(found) = found.filter(|found| found.owner == *caller.account()) else { return Ok(None) };
    let erasures = deletions::erasures(&mut tx, &found.image).await?;
    Ok(Some((found, erasures)))
}

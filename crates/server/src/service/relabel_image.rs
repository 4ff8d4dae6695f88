//! Changes name and details of an App Streaming image.

use calotype_core::ids::ImageId;
use calotype_core::image::{NotChangeable, Product, changeable};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::images;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Gives an image of the caller's another name, if there is one, and these details in the place of those of the
/// same names.
///
/// # Errors
/// [`ServiceError`].
pub async fn relabel_image(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    name: Option<&str>,
    changed: Vec<(String, String)>,
    now: Timestamp,
) -> Result<(), ServiceError<NotChangeable>> {
    caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, image, Lock::Alone);
    let view = tx.ask(images::load(Product::AppStreaming, image, caller.account())).await?;
    let found = changeable(view.as_ref()).map_err(ServiceError::Refused)?;
    let mut details = found.labels.details.clone();
    for (name, value) in changed {
        details.retain(|(other, _)| *other != name);
        details.push((name, value));
    }
    images::relabel(&mut tx, &found.id, name.unwrap_or(&found.name), &details, now).await?;
    tx.commit().await?;
    Ok(())
}

//! Renames an image.

use calotype_core::ids::ImageId;
use calotype_core::image::{NotChangeable, Product, changeable};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::images;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Gives an image of the caller's another name.
///
/// # Errors
/// [`ServiceError`].
pub async fn rename_image(
    app: &App,
    caller: &Caller,
    product: Product,
    image: &ImageId,
    name: &str,
    now: Timestamp,
) -> Result<(), ServiceError<NotChangeable>> {
    caller.authorize_one("image", image.as_str())?;
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, image, Lock::Alone);
    let view = tx.ask(images::load(product, image, caller.account())).await?;
    let found = changeable(view.as_ref()).map_err(ServiceError::Refused)?;
    images::rename(&mut tx, &found.id, name, now).await?;
    tx.commit().await?;
    Ok(())
}

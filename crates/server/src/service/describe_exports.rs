//! Shows the exports of images.

use std::convert::Infallible;

use calotype_core::export_image::{Export, ExportRefusal};
use calotype_core::ids::ImageId;
use calotype_core::image::{Product, Standing};
use calotype_store::{exports, images};

use super::describe_images::Page;
use super::{Caller, ServiceError, look};
use crate::app::App;

/// Which exports a listing asks for.
pub type ExportFilter<'a> = exports::Filter<'a>;

/// An image that is being exported or was.
pub type ExportedImage = exports::ExportedImage;

/// Lists images of the caller's that are being exported or were.
///
/// # Errors
/// [`ServiceError`].
pub async fn describe_exports(
    app: &App,
    caller: &Caller,
    filter: &ExportFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Page<ExportedImage>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    let mut tx = look(app, caller).await?;
    let (items, total) = exports::list(&mut tx, caller.account(), filter, offset, limit).await?;
    Ok(Page { items, total })
}

/// The latest export of one image that the caller sees; nothing if it was never exported. What its owner does with
/// an image is not told to those it is shared with.
///
/// # Errors
/// [`ServiceError`], refused as not found or not own.
pub async fn describe_export(
    app: &App,
    caller: &Caller,
    image: &ImageId,
) -> Result<Option<Export>, ServiceError<ExportRefusal>> {
    caller.authorize_one("image", image.as_str())?;
    let mut tx = look(app, caller).await?;
    let view = tx.ask(images::load(Product::Ens, image, caller.account())).await?;
    match view.map(|view| view.standing) {
        Some(Standing::Own) => Ok(tx.ask(exports::latest(image)).await?),
        Some(Standing::Public | Standing::SharedIn | Standing::Community) => {
            Err(ServiceError::Refused(ExportRefusal::NotOwn))
        }
        Some(Standing::Hidden) | None => Err(ServiceError::Refused(ExportRefusal::NotFound)),
    }
}

//! Shares images with accounts, and shows whom they are shared with.

use calotype_core::ids::{AccountId, ImageId};
use calotype_core::image::Product;
use calotype_core::ram::{Authorized, Denied};
use calotype_core::share_image::{SHARES_MAX, ShareImage, ShareRefusal, ShareView, decide};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::{images, shares};

use super::{Caller, ServiceError, begin, look};
use crate::app::App;

/// Accounts that one App Streaming image can be shared with.
const APP_STREAMING_SHARES_MAX: usize = 50;

/// Shares an image with accounts and takes shares back; all of it or nothing.
///
/// # Errors
/// [`ServiceError`].
pub async fn share_image(
    app: &App,
    caller: &Caller,
    product: Product,
    command: &ShareImage,
    now: Timestamp,
) -> Result<(), ServiceError<ShareRefusal>> {
    authorize(caller, product, &command.image)?;
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, &command.image, Lock::Alone);
    let view = ShareView {
        image: tx.ask(images::load(product, &command.image, caller.account())).await?,
        shares: tx.ask(shares::of_image(&command.image)).await?,
    };
    let plan = decide(command, &view).map_err(ServiceError::Refused)?;
    if view.shares.len() + plan.add.len() > shares_max(product) + plan.remove.len() {
        return Err(ServiceError::Refused(ShareRefusal::TooMany));
    }
    for account in &plan.remove {
        shares::remove(&mut tx, &command.image, account).await?;
    }
    for account in &plan.add {
        shares::add(&mut tx, &command.image, account, now).await?;
    }
    tx.commit().await?;
    tracing::info!(
        request_id = caller.request_id,
        image = %command.image,
        added = plan.add.len(),
        removed = plan.remove.len(),
        "image shared"
    );
    Ok(())
}

/// The accounts that an image of the caller's is shared with, in the order of their ids.
///
/// # Errors
/// [`ServiceError`].
pub async fn image_shares(
    app: &App,
    caller: &Caller,
    product: Product,
    image: &ImageId,
) -> Result<Vec<AccountId>, ServiceError<ShareRefusal>> {
    authorize(caller, product, image)?;
    let mut tx = look(app, caller).await?;
    let view = ShareView {
        image: tx.ask(images::load(product, image, caller.account())).await?,
        shares: tx.ask(shares::of_image(image)).await?,
    };
    view.own().map_err(ServiceError::Refused)?;
    Ok(view.shares)
}

/// Sharing of App Streaming images declares no resources, so there it is everything.
fn authorize(caller: &Caller, product: Product, image: &ImageId) -> Result<Authorized, Box<Denied>> {
    match product {
        Product::Ens => caller.authorize_one("image", image.as_str()),
        Product::AppStreaming => caller.authorize_all(),
    }
}

fn shares_max(product: Product) -> usize {
    match product {
        Product::Ens => SHARES_MAX,
        Product::AppStreaming => APP_STREAMING_SHARES_MAX,
    }
}

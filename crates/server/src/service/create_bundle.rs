//! Makes bundles.

use calotype_core::ids::{BundleId, ImageId};
use calotype_core::image::Product;
use calotype_core::template::{Bundle, Details, TemplateRefusal, decide_create};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::{bundles, images};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: make a bundle.
#[derive(Clone, Debug)]
pub struct CreateBundle {
    /// Its name; the id, if absent.
    pub name: Option<String>,
    /// The image that it references.
    pub image: ImageId,
    /// Its region.
    pub region: String,
    /// What else is said about it.
    pub details: Details,
}

/// Makes the bundle and gives its id.
///
/// # Errors
/// [`ServiceError`].
pub async fn create_bundle(
    app: &App,
    caller: &Caller,
    command: CreateBundle,
    now: Timestamp,
) -> Result<BundleId, ServiceError<TemplateRefusal>> {
    let authorized = caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, &command.image, Lock::Shared);
    let view = tx.ask(images::load(Product::AppStreaming, &command.image, caller.account())).await?;
    decide_create(&command.details, view.as_ref()).map_err(ServiceError::Refused)?;
    let id = BundleId::fresh(now, app.chance.id());
    let bundle = Bundle {
        owner: authorized.account().clone(),
        image: command.image,
        region: command.region,
        name: command.name.unwrap_or_else(|| id.to_string()),
        details: command.details,
        created: now,
        id,
    };
    bundles::insert(&mut tx, &bundle).await?;
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, bundle = %bundle.id, "bundle made");
    Ok(bundle.id)
}

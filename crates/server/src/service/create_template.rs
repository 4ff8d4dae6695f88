//! Makes cloud-desktop templates.

use calotype_core::ids::{ImageId, TemplateId};
use calotype_core::image::Product;
use calotype_core::template::{Details, Template, TemplateRefusal, decide_create};
use calotype_core::time::Timestamp;
use calotype_store::db::Lock;
use calotype_store::{images, templates};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: make a template.
#[derive(Clone, Debug)]
pub struct CreateTemplate {
    /// Its name.
    pub name: String,
    /// The image that it references.
    pub image: Option<ImageId>,
    /// What else is said about it.
    pub details: Details,
}

/// Makes the template and gives its id. From now on it references the image, until it is moved to another
/// one or goes, by itself or with the image.
///
/// # Errors
/// [`ServiceError`].
pub async fn create_template(
    app: &App,
    caller: &Caller,
    command: CreateTemplate,
    now: Timestamp,
) -> Result<TemplateId, ServiceError<TemplateRefusal>> {
    let authorized = caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    if let Some(image) = &command.image {
        images::lock(&mut tx, image, Lock::Shared);
        let view = tx.ask(images::load(Product::AppStreaming, image, caller.account())).await?;
        decide_create(&command.details, view.as_ref()).map_err(ServiceError::Refused)?;
    }
    let template = Template {
        id: TemplateId::fresh(now, app.chance.id()),
        owner: authorized.account().clone(),
        image: command.image,
        name: command.name,
        details: command.details,
        created: now,
        modified: now,
    };
    templates::insert(&mut tx, &template).await?;
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, template = %template.id, "template made");
    Ok(template.id)
}

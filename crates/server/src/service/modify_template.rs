//! Changes cloud-desktop templates.

use std::collections::BTreeSet;

use calotype_core::image::Product;
use calotype_core::template::{ModifyTemplate, TemplateRefusal, decide_modify};
use calotype_core::time::Timestamp;
use calotype_store::db::{Lock, StoreError};
use calotype_store::{images, templates};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Changes a template of the caller's. If it names another image, the template references that one from
/// now on, and the old one no more.
///
/// # Errors
/// [`ServiceError`].
pub async fn modify_template(
    app: &App,
    caller: &Caller,
    command: &ModifyTemplate,
    now: Timestamp,
) -> Result<(), ServiceError<TemplateRefusal>> {
    caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    let found = templates::load(&mut tx, &command.template, caller.account()).await?;
    let referenced = found.as_ref().and_then(|template| template.image.clone());
    // In the order of their ids, so that two such transactions do not wait for each other.
    for image in referenced.iter().chain(&command.image).collect::<BTreeSet<_>>() {
        images::lock(&mut tx, image, Lock::Shared);
    }
    // Which images are to be locked is known only from the template, so it is read again under the locks.
    let template = templates::load(&mut tx, &command.template, caller.account()).await?;
    if template != found {
        return Err(StoreError::Conflict.into());
    }
    let view = match command.image.as_ref().or(referenced.as_ref()) {
        Some(image) => tx.ask(images::load(Product::AppStreaming, image, caller.account())).await?,
        None => None,
    };
    let changed =
        decide_modify(template.as_ref(), command, view.as_ref(), now).map_err(ServiceError::Refused)?;
    if let Some(before) = &template {
        templates::update(&mut tx, before, &changed).await?;
    }
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, template = %changed.id, "template changed");
    Ok(())
}

//! Deletes cloud-desktop templates.

use std::collections::BTreeSet;

use calotype_core::ids::TemplateId;
use calotype_core::template::TemplateRefusal;
use calotype_store::db::{Lock, StoreError};
use calotype_store::{images, templates};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Deletes templates of the caller's, all or none. What was made from them stays.
///
/// # Errors
/// [`ServiceError`], refused with [`TemplateRefusal::NotFound`] if one of them is not there.
pub async fn delete_templates(
    app: &App,
    caller: &Caller,
    ids: &BTreeSet<TemplateId>,
) -> Result<(), ServiceError<TemplateRefusal>> {
    caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    let mut referenced = BTreeSet::new();
    for id in ids {
        let template = templates::load(&mut tx, id, caller.account()).await?;
        let template = template.ok_or(ServiceError::Refused(TemplateRefusal::NotFound))?;
        referenced.extend(template.image);
    }
    for image in &referenced {
        images::lock(&mut tx, image, Lock::Shared);
    }
    // One that was moved or went with its image meanwhile is met as a conflict here, and judged anew.
    for id in ids {
        let template = templates::load(&mut tx, id, caller.account()).await?;
        if template.is_none_or(|template| template.image.is_some_and(|image| !referenced.contains(&image))) {
            return Err(StoreError::Conflict.into());
        }
        templates::delete(&mut tx, id).await?;
    }
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, count = ids.len(), "templates deleted");
    Ok(())
}

//! Deletes images, and tells why one cannot be deleted.

use std::collections::BTreeMap;
use std::convert::Infallible;

use calotype_core::delete_image::{DeleteImage, DeletePlan, DeleteRefusal, DeleteRules, decide, explain};
use calotype_core::ids::{AccountId, DeletionId, ImageId, TemplateId};
use calotype_core::image::Product;
use calotype_core::ram::{Authorized, Denied};
use calotype_core::time::Timestamp;
use calotype_store::db::{StoreError, Tx};
use calotype_store::deletions::DeletionAct;
use calotype_store::{images, tags, templates, versions};

use super::create_derived_image::IMAGE_TAG_KIND;
use super::{Caller, ServiceError, begin};
use crate::app::App;
use crate::clock::id_chance;

/// Why an image was not deleted, and at which step.
#[derive(Debug, thiserror::Error)]
pub enum DeleteImageError {
    /// RAM does not allow it.
    #[error("denied")]
    Denied(Box<Denied>),
    /// The request was seen before.
    #[error("the request was seen before")]
    Replayed,
    /// The ladder refused.
    #[error("refused")]
    Refused(DeleteRefusal),
    /// The templates could not be dealt with.
    #[error("templates")]
    Templates(TemplateStep, #[source] Option<StoreError>),
    /// The store did not do its part.
    #[error("store")]
    Store(StoreError),
}

/// The step that failed for the templates of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateStep {
    /// Looking them up (D40).
    Query,
    /// One that was found was gone when it was to be deleted (D41).
    Vanished,
    /// Deleting them (D39).
    Delete,
}

impl From<ServiceError<DeleteRefusal>> for DeleteImageError {
    fn from(error: ServiceError<DeleteRefusal>) -> Self {
        match error {
            ServiceError::Denied(denied) => Self::Denied(denied),
            ServiceError::Replayed => Self::Replayed,
            ServiceError::Refused(refusal) => Self::Refused(refusal),
            ServiceError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Box<Denied>> for DeleteImageError {
    fn from(denied: Box<Denied>) -> Self {
        Self::Denied(denied)
    }
}

impl From<StoreError> for DeleteImageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Deletes the image, with all that goes with it, or changes nothing. When this returns the delete is
/// durable; the bytes are erased later, by the workers.
///
/// # Errors
/// [`DeleteImageError`], refused with the first [`DeleteRefusal`] of the ladder.
pub async fn delete_image(
    app: &App,
    caller: &Caller,
    product: Product,
    rules: &DeleteRules,
    image: ImageId,
    now: Timestamp,
) -> Result<(), DeleteImageError> {
    let authorized = caller.authorize_image(product, image.as_str())?;
    let command = command(app, image, now);
    let mut tx = begin::<DeleteRefusal>(app, caller).await?;
    let deleted = delete_in(&mut tx, caller, &authorized, product, rules, &command, now).await?;
    tx.commit().await?;
    deleted.log(caller);
    app.wake.erasures.notify_one();
    Ok(())
}

/// The command to delete an image under a deletion of its own.
pub(super) fn command(app: &App, image: ImageId, now: Timestamp) -> DeleteImage {
    DeleteImage { image, deletion: DeletionId::fresh(now, id_chance()), grace_ms: app.settings.grace_ms }
}

/// An image that was deleted, and what went with it.
#[derive(Debug)]
pub(super) struct Deleted {
    plan: DeletePlan,
    templates: Vec<TemplateId>,
}

impl Deleted {
    /// Says so in the log, once the delete is committed.
    pub(super) fn log(&self, caller: &Caller) {
        tracing::info!(
            request_id = caller.request_id,
            image = %self.plan.image.id,
            deletion = %self.plan.deletion,
            caller = caller.principal.arn(),
            replicas = self.plan.replicas.len(),
            shares = self.plan.shares.len(),
            templates = self.templates.len(),
            "image deleted"
        );
    }
}

/// Deletes the image within a transaction: load, decide, apply.
pub(super) async fn delete_in(
    tx: &mut Tx,
    caller: &Caller,
    authorized: &Authorized,
    product: Product,
    rules: &DeleteRules,
    command: &DeleteImage,
    now: Timestamp,
) -> Result<Deleted, DeleteImageError> {
    let view = images::load_delete_view(tx, product, &command.image, caller.account()).await?;
    let plan = decide(authorized, command, rules, &view, now).map_err(|refusal| {
        let (request_id, image) = (&caller.request_id, &command.image);
        tracing::info!(request_id, %image, %refusal, blockers = ?refusal, "delete refused");
        DeleteImageError::Refused(refusal)
    })?;
    let templates = delete_templates(tx, &plan).await?;
    if product == Product::AppStreaming {
        versions::remove_all(tx, &plan.image.id).await?;
        tags::remove_all(tx, IMAGE_TAG_KIND, plan.image.id.as_str()).await?;
    }
    let act =
        DeletionAct { caller: authorized.caller(), request_id: &caller.request_id, templates: &templates };
    images::apply_delete(tx, &plan, &act).await?;
    Ok(Deleted { plan, templates })
}

/// Deletes the templates that go with the image, in its transaction; gives their ids.
async fn delete_templates(tx: &mut Tx, plan: &DeletePlan) -> Result<Vec<TemplateId>, DeleteImageError> {
    if !plan.templates_go {
        return Ok(Vec::new());
    }
    let failed = |step| move |error| DeleteImageError::Templates(step, Some(error));
    let found = templates::of_image(tx, &plan.image.id).await.map_err(failed(TemplateStep::Query))?;
    if found.is_empty() {
        return Ok(found);
    }
    let deleted =
        templates::delete_of_image(tx, &plan.image.id).await.map_err(failed(TemplateStep::Delete))?;
    if deleted != found.len() as u64 {
        return Err(DeleteImageError::Templates(TemplateStep::Vanished, None));
    }
    Ok(found)
}

/// Why an image cannot be deleted now.
#[derive(Debug)]
pub struct Explained {
    /// The product whose image it is.
    pub product: Product,
    /// Every reason, in the order of the ladder; none if the image can be deleted.
    pub refusals: Vec<DeleteRefusal>,
    /// Who stands behind a share, a community image or a copy, by its name, and since when.
    pub blockers: BTreeMap<String, (AccountId, Timestamp)>,
}

/// Explains why the image cannot be deleted; nothing at all if there is no such image.
///
/// # Errors
/// [`ServiceError`], never refused.
pub async fn explain_delete_image(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    rules: fn(Product) -> &'static DeleteRules,
) -> Result<Option<Explained>, ServiceError<Infallible>> {
    caller.authorize_one("image", image.as_str())?;
    let mut tx = app.db.read().await?;
    for product in [Product::AppStreaming, Product::Ens] {
        let view = images::load_delete_view(&mut tx, product, image, caller.account()).await?;
        let refusals = explain(rules(product), &view);
        if refusals != [DeleteRefusal::NotFound] {
            let blockers = images::blockers(&mut tx, image).await?;
            return Ok(Some(Explained { product, refusals, blockers }));
        }
    }
    Ok(None)
}

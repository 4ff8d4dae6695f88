//! Deletes images, and tells why one cannot be deleted.

use std::collections::BTreeMap;
use std::convert::Infallible;

use calotype_core::delete_image::{DeleteImage, DeletePlan, DeleteRefusal, DeleteRules, decide, explain};
use calotype_core::ids::{AccountId, DeletionId, ImageId};
use calotype_core::image::Product;
use calotype_core::ram::{Authorized, Denied};
use calotype_core::template::{Bundle, Template};
use calotype_core::time::Timestamp;
use calotype_store::db::{StoreError, Tx};
use calotype_store::deletions::{DeletionAct, Kept};
use calotype_store::images::Companions;
use calotype_store::{images, templates};

use super::{Caller, ServiceError, begin, look};
use crate::app::App;
use crate::audit::{Change, Ending, Matter, Refusal};

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

impl DeleteImageError {
    /// How the decision ended, for the audit.
    pub(super) fn ending(&self) -> Ending<'_> {
        match self {
            Self::Denied(denied) => Ending::Denied(denied),
            Self::Replayed => Ending::Refused(Refusal::REPLAYED),
            Self::Refused(refusal) => Ending::Refused(refusal.into()),
            Self::Templates(_, error) => Ending::Failed(error.as_ref()),
            Self::Store(error) => Ending::Failed(Some(error)),
        }
    }
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
        if matches!(error, StoreError::Spent) { Self::Replayed } else { Self::Store(error) }
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
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), DeleteImageError> {
    let mut audit = caller.audit(app, Matter::Delete(product), std::slice::from_ref(&image));
    let delete = async {
        let authorized = caller.authorize_image(product, image.as_str())?;
        let command = command(app, image.clone(), now);
        let mut tx = begin(app, caller).await?;
        let planned = decide_in(&mut tx, caller, &authorized, product, rules, &command, now).await?;
        // Templates may be gone before they are deleted, which is told (D41).
        if planned.1.has_no_templates() {
            tx.decided()?;
        }
        audit.commits(vec![apply_in(&mut tx, caller, planned, Vec::new(), reason).await?]);
        tx.commit().await?;
        Ok(())
    };
    let deleted = delete.await;
    audit.end(deleted.as_ref().err().map_or(Ending::Accepted, DeleteImageError::ending));
    deleted?;
    // Bytes that outlive the delete are found when their time has come.
    if app.settings.grace_ms == 0 {
        app.wake.erasures.ring();
    }
    Ok(())
}

/// Refuses to delete what cannot be an image of App Streaming at all. Whoever may not delete does not learn even
/// that.
pub fn refuse_to_delete(app: &App, caller: &Caller) -> DeleteImageError {
    let audit = caller.audit(app, Matter::Delete(Product::AppStreaming), &[]);
    let error = match caller.authorize_all() {
        Ok(_) => DeleteImageError::Refused(DeleteRefusal::NotFound),
        Err(denied) => DeleteImageError::Denied(denied),
    };
    audit.end(error.ending());
    error
}

/// The command to delete an image under a deletion of its own.
pub(super) fn command(app: &App, image: ImageId, now: Timestamp) -> DeleteImage {
    DeleteImage { image, deletion: DeletionId::fresh(now, app.chance.id()), grace_ms: app.settings.grace_ms }
}

/// Decides about the image within a transaction; gives the plan, and what goes with the image.
pub(super) async fn decide_in(
    tx: &mut Tx,
    caller: &Caller,
    authorized: &Authorized,
    product: Product,
    rules: &DeleteRules,
    command: &DeleteImage,
    now: Timestamp,
) -> Result<(DeletePlan, Companions), DeleteImageError> {
    let (view, companions) =
        images::load_delete_view(tx, product, &command.image, caller.account(), rules.templates_go).await?;
    let plan = decide(authorized, command, rules, view, now).map_err(DeleteImageError::Refused)?;
    Ok((plan, companions))
}

/// Carries a plan out within its transaction, and gives what that changes. The bundles are deleted already, and kept
/// with the rest.
pub(super) async fn apply_in(
    tx: &mut Tx,
    caller: &Caller,
    (plan, companions): (DeletePlan, Companions),
    bundles: Vec<Bundle>,
    reason: Option<&str>,
) -> Result<Change, DeleteImageError> {
    let templates = delete_templates(tx, &plan.image.id, companions.templates).await?;
    let shares = companions.shares;
    let kept = Kept { shares, templates, bundles };
    let arn = caller.principal.arn();
    let act = DeletionAct { caller: &arn, request_id: &caller.request_id, reason, kept: &kept };
    images::apply_delete(tx, &plan, &act).await?;
    Ok(Change {
        product: plan.image.product,
        image: plan.image.id,
        deletion: plan.deletion,
        replicas: plan.replicas.len(),
        shares: kept.shares.len(),
        templates: kept.templates.len(),
        bundles: kept.bundles.len(),
    })
}

/// Deletes the templates that go with the image, in its transaction; gives them.
async fn delete_templates(
    tx: &mut Tx,
    image: &ImageId,
    found: Result<Vec<Template>, StoreError>,
) -> Result<Vec<Template>, DeleteImageError> {
    let failed = |step| move |error| DeleteImageError::Templates(step, Some(error));
    let found = found.map_err(failed(TemplateStep::Query))?;
    if found.is_empty() {
        return Ok(found);
    }
    let deleted = templates::delete_of_image(tx, image).await.map_err(failed(TemplateStep::Delete))?;
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
    let mut tx = look(app, caller).await?;
    for product in [Product::AppStreaming, Product::Ens] {
        let (view, _) = images::load_delete_view(&mut tx, product, image, caller.account(), false).await?;
        let refusals = explain(rules(product), &view);
        if refusals != [DeleteRefusal::NotFound] {
            let blockers = images::blockers(&mut tx, image).await?;
            return Ok(Some(Explained { product, refusals, blockers }));
        }
    }
    Ok(None)
}

//! The straight line of each operation: begin, authorize, load, decide, apply, commit.
//!
//! Knows no wire name and no product. Nothing but the refusals of the decisions and [`ServiceError`]
//! reaches a product.

pub mod assume_role;
pub mod caller_identity;
pub mod copy_image;
pub mod create_bundle;
pub mod create_derived_image;
pub mod create_image;
pub mod create_snapshot;
pub mod create_template;
pub mod delete_bundles;
pub mod delete_image;
pub mod delete_images;
pub mod delete_snapshot;
pub mod delete_templates;
pub mod describe_bundles;
pub mod describe_disks;
pub mod describe_ens_regions;
pub mod describe_exports;
pub mod describe_images;
pub mod describe_instances;
pub mod describe_regional_images;
pub mod describe_snapshots;
pub mod describe_templates;
pub mod distribute_image;
pub mod export_image;
pub mod get_deletion;
pub mod import_image;
pub mod list_deletions;
pub mod list_images;
pub mod list_regions;
pub mod list_tags;
pub mod modify_image_attribute;
pub mod modify_instance;
pub mod modify_snapshot;
pub mod modify_template;
#[cfg(feature = "bench")]
pub mod no_op;
pub mod power_instance;
pub mod publish_image;
pub mod reinit_instance;
pub mod relabel_image;
pub mod release_instance;
pub mod restore_image;
pub mod run_instances;
pub mod share_image;

use calotype_core::ids::{AccountId, ImageId};
use calotype_core::image::Product;
use calotype_core::ram::{self, Arn, Authorized, Context, Denied, Policies, Principal};
use calotype_core::usage::ConsumerKind;
use calotype_store::db::{StoreError, Tx};
use calotype_store::nonces::{self, SpentNonce};

use crate::app::App;
use crate::audit::{Asked, Audit, Matter};

/// A proven caller of one operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// What it may do.
    pub policies: Policies,
    /// The facts that conditions of policies can ask for.
    pub context: Context,
    /// The RAM action of the operation.
    pub action: &'static str,
    /// The id of the request.
    pub request_id: String,
    /// The nonce that the request was signed with.
    pub nonce: SpentNonce,
    /// Whether the call is made again if it meets another transaction.
    pub repeats: bool,
}

impl Caller {
    /// The account that the caller acts for.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.principal.account
    }

    /// Asks RAM whether the caller may do the operation to everything.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn authorize_all(&self) -> Result<Authorized, Box<Denied>> {
        self.authorize(Arn::all(self.service(), self.account()))
    }

    /// Asks RAM whether the caller may do the operation to one thing.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn authorize_one(&self, kind: &str, id: &str) -> Result<Authorized, Box<Denied>> {
        self.authorize(Arn::of(self.service(), self.account(), kind, id))
    }

    /// Asks RAM whether the caller may do the operation to an image. App Streaming declares no resources, so
    /// there it is everything.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn authorize_image(&self, product: Product, id: &str) -> Result<Authorized, Box<Denied>> {
        match product {
            Product::Ens => self.authorize_one("image", id),
            Product::AppStreaming => self.authorize_all(),
        }
    }

    /// Asks RAM whether the caller may do the operation to what runs an image. App Streaming declares no
    /// resources, so there it is everything.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn authorize_consumer(&self, kind: ConsumerKind, id: &str) -> Result<Authorized, Box<Denied>> {
        match kind {
            ConsumerKind::Instance => self.authorize_one("instance", id),
            ConsumerKind::DeliveryGroup | ConsumerKind::Workstation => self.authorize_all(),
        }
    }

    /// Begins to decide about these images, for the audit.
    fn audit<'a>(&'a self, app: &'a App, matter: Matter, images: &'a [ImageId]) -> Audit<'a> {
        let asked = Asked {
            request_id: &self.request_id,
            action: self.action,
            caller: &self.principal,
            source_ip: self.context.source_ip,
            repeats: self.repeats,
        };
        Audit::begin(&app.metrics, asked, matter, images)
    }

    fn authorize(&self, resource: Arn) -> Result<Authorized, Box<Denied>> {
        ram::authorize(&self.principal, &self.policies, self.action, resource, &self.context)
            .map_err(Box::new)
    }

    fn service(&self) -> &'static str {
        self.action.split_once(':').map_or(self.action, |(service, _)| service)
    }
}

/// Why an operation was not done; `R` is what its decision may refuse.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError<R> {
    /// RAM does not allow it.
    #[error("denied")]
    Denied(#[from] Box<Denied>),
    /// The request was seen before.
    #[error("the request was seen before")]
    Replayed,
    /// The decision refused.
    #[error("refused")]
    Refused(R),
    /// The store did not do its part.
    #[error("store")]
    Store(#[source] StoreError),
}

impl<R> From<StoreError> for ServiceError<R> {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Spent) { Self::Replayed } else { Self::Store(error) }
    }
}

/// The product whose images a consumer of this kind runs.
fn product_of(kind: ConsumerKind) -> Product {
    match kind {
        ConsumerKind::Instance => Product::Ens,
        ConsumerKind::DeliveryGroup | ConsumerKind::Workstation => Product::AppStreaming,
    }
}

/// Begins a transaction that changes something, and spends the request's nonce with it.
async fn begin(app: &App, caller: &Caller) -> Result<Tx, StoreError> {
    let mut tx = app.db.begin().await?;
    nonces::spend(&mut tx, &caller.nonce).await?;
    Ok(tx)
}

/// Begins a transaction that only reads. Where other servers answer, too, it tells them that the request's nonce is
/// spent; else the memory of this one is enough.
async fn look(app: &App, caller: &Caller) -> Result<Tx, StoreError> {
    if !app.db.is_shared() {
        return app.db.read().await;
    }
    let mut tx = app.db.note().await?;
    nonces::spend(&mut tx, &caller.nonce).await?;
    Ok(tx)
}

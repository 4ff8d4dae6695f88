//! Decides whether an image may be deleted, and what goes with it.
//!
//! One ladder serves every product: they differ in [`DeleteRules`] and in the wire code that each
//! refusal maps to, never in the order. This module must never see a clock, a row or a wire name.

use crate::ids::{AccountId, DeletionId, ImageId, ReplicaId};
use crate::image::{Image, ImageState, ImageView, Standing};
use crate::ram::Authorized;
use crate::time::Timestamp;
use crate::usage::{Usage, UsageOrigin};

/// The command: delete this image for this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteImage {
    /// The image to delete.
    pub image: ImageId,
    /// The id that the deletion will carry.
    pub deletion: DeletionId,
    /// How long the bytes outlive the delete, in milliseconds.
    pub grace_ms: i64,
}

/// What the products rule differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteRules {
    /// Whether an image that its owner shares with others must be unshared first (D42); if not, the
    /// shares go with the image (D20).
    pub outgoing_shares_block: bool,
}

/// Every fact that the decision may ask for, read under the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteView {
    /// The image as the caller sees it; `None` if no live image has that id.
    pub image: Option<ImageView>,
    /// The accounts it is shared with, in the order of their ids.
    pub shares: Vec<AccountId>,
    /// Its live uses, by any account, the oldest first.
    pub usages: Vec<Usage>,
    /// Its replicas, in every region.
    pub replicas: Vec<ReplicaId>,
}

/// What an accepted delete does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletePlan {
    /// The image that goes.
    pub image: Image,
    /// The id of the deletion.
    pub deletion: DeletionId,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When its bytes may be erased.
    pub erase_from: Timestamp,
    /// The accounts that lose their share.
    pub shares: Vec<AccountId>,
    /// The replicas to erase.
    pub replicas: Vec<ReplicaId>,
}

/// Why an image may not be deleted, in the order in which the reasons are given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRefusal {
    /// No image of that id is visible to the caller (D17b, D33).
    #[error("no such image")]
    NotFound,
    /// The image is another account's, shared to the caller (D15, D36).
    #[error("the image is shared to the caller by its owner")]
    SharedIn,
    /// The image is public and nobody's to delete (D15, D34).
    #[error("the image is public")]
    Public,
    /// The image is still being made (D18, D38).
    #[error("the image is being made")]
    Making,
    /// The owner shares the image with these accounts (D42).
    #[error("the image is shared with {} accounts", .0.len())]
    SharedOut(Vec<AccountId>),
    /// These consumers were made from the image (D16, D37).
    #[error("{} consumers were made from the image", .0.len())]
    CreatedUse(Vec<Usage>),
    /// These consumers were switched to the image, or are being switched (D17a, D37).
    #[error("{} consumers were switched to the image", .0.len())]
    SwitchedUse(Vec<Usage>),
}

/// Decides: the plan, or the first refusal of the ladder.
///
/// # Errors
/// [`DeleteRefusal`], the first that applies in the order of its variants.
///
/// # Panics
/// If `authorized` is for another image than the command's: a defect of the caller.
///
/// Source: `docs/requirements.md`, order of checks.
pub fn decide(
    authorized: &Authorized,
    command: &DeleteImage,
    rules: &DeleteRules,
    view: &DeleteView,
    now: Timestamp,
) -> Result<DeletePlan, DeleteRefusal> {
    assert!(authorized.covers("image", command.image.as_str()), "authorized for another image");
    let Some(ImageView { image, standing }) = &view.image else {
        return Err(DeleteRefusal::NotFound);
    };
    match standing {
        Standing::Own => {}
        Standing::Hidden => return Err(DeleteRefusal::NotFound),
        Standing::SharedIn => return Err(DeleteRefusal::SharedIn),
        Standing::Public => return Err(DeleteRefusal::Public),
    }
    match image.state {
        ImageState::Making(_) => return Err(DeleteRefusal::Making),
        ImageState::Available | ImageState::Unavailable | ImageState::Failed { .. } => {}
    }
    if rules.outgoing_shares_block && !view.shares.is_empty() {
        return Err(DeleteRefusal::SharedOut(view.shares.clone()));
    }
    let (created, switched): (Vec<Usage>, Vec<Usage>) =
        view.usages.iter().cloned().partition(|usage| usage.origin == UsageOrigin::Created);
    if !created.is_empty() {
        return Err(DeleteRefusal::CreatedUse(created));
    }
    if !switched.is_empty() {
        return Err(DeleteRefusal::SwitchedUse(switched));
    }
    Ok(DeletePlan {
        image: image.clone(),
        deletion: command.deletion.clone(),
        accepted: now,
        erase_from: now.plus_millis(command.grace_ms),
        shares: view.shares.clone(),
        replicas: view.replicas.clone(),
    })
}

#[cfg(test)]
mod tests;

//! Decides whether an image may be deleted, and what goes with it.
//!
//! One ladder serves every product: they differ in [`DeleteRules`] and in the wire code that each
//! refusal maps to, never in the order. This module must never see a clock, a row or a wire name.

use crate::export_image::ExportTarget;
use crate::ids::{AccountId, DeletionId, ImageId, RegionId, ReplicaId};
use crate::image::{Image, ImageView, Standing};
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
    /// Whether cloud-desktop templates that reference the image go with it (D24).
    pub templates_go: bool,
}

/// Every fact that the ladder asks for, read under the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteView {
    /// The image as the caller sees it; `None` if no live image has that id.
    pub image: Option<ImageView>,
    /// The accounts it is shared with, in the order of their ids.
    pub shares: Vec<AccountId>,
    /// Its published children.
    pub community_children: Vec<ImageId>,
    /// Its live uses, by any account, the oldest first.
    pub usages: Vec<Usage>,
    /// Its replicas, in every region.
    pub replicas: Vec<ReplicaId>,
    /// The regions that it is being copied to.
    pub copying: Vec<RegionId>,
    /// The object that it is being exported to.
    pub exporting: Option<ExportTarget>,
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
    /// Whether the templates that reference it go with it.
    pub templates_go: bool,
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
    /// The image is public, or another account's community image (D15, D34).
    #[error("the image is public")]
    Public,
    /// The image is still being made, or copied to these regions (D18, D38).
    #[error("the image is being made")]
    Making(Vec<RegionId>),
    /// The image is being exported to this object (D18).
    #[error("the image is being exported")]
    Exporting(ExportTarget),
    /// The owner shares the image with these accounts (D42).
    #[error("the image is shared with {} accounts", .0.len())]
    SharedOut(Vec<AccountId>),
    /// These community images were derived from the image (D35).
    #[error("{} community images were derived from the image", .0.len())]
    CommunityParent(Vec<ImageId>),
    /// These consumers were made from the image (D16, D37).
    #[error("{} consumers were made from the image", .0.len())]
    CreatedUse(Vec<Usage>),
    /// These consumers were switched to the image, or are being switched (D17a, D37).
    #[error("{} consumers were switched to the image", .0.len())]
    SwitchedUse(Vec<Usage>),
}

/// One rung: the refusal, if it applies.
type Rung = fn(DeleteRules, &Image, &DeleteView) -> Option<DeleteRefusal>;

/// The rungs of the ladder behind the first, in the order of [`DeleteRefusal`].
const LADDER: [Rung; 6] = [making, exporting, shared_out, community_parent, created_use, switched_use];

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
    view: DeleteView,
    now: Timestamp,
) -> Result<DeletePlan, DeleteRefusal> {
    assert!(authorized.covers("image", command.image.as_str()), "authorized for another image");
    let image = own(&view)?;
    if let Some(refusal) = LADDER.iter().find_map(|rung| rung(*rules, image, &view)) {
        return Err(refusal);
    }
    Ok(DeletePlan {
        image: view.image.ok_or(DeleteRefusal::NotFound)?.image,
        deletion: command.deletion.clone(),
        accepted: now,
        erase_from: now.plus_millis(command.grace_ms),
        shares: view.shares,
        replicas: view.replicas,
        templates_go: rules.templates_go,
    })
}

/// Every refusal that applies, in the order of the ladder; none if the image may be deleted. Whoever may
/// not delete the image at all learns that and nothing else.
#[must_use]
pub fn explain(rules: &DeleteRules, view: &DeleteView) -> Vec<DeleteRefusal> {
    match own(view) {
        Ok(image) => LADDER.iter().filter_map(|rung| rung(*rules, image, view)).collect(),
        Err(refusal) => vec![refusal],
    }
}

/// Whose image it is comes before what state it is in.
fn own(view: &DeleteView) -> Result<&Image, DeleteRefusal> {
    let Some(ImageView { image, standing }) = &view.image else {
        return Err(DeleteRefusal::NotFound);
    };
    match standing {
        Standing::Own => Ok(image),
        Standing::Hidden => Err(DeleteRefusal::NotFound),
        Standing::SharedIn => Err(DeleteRefusal::SharedIn),
        Standing::Public | Standing::Community => Err(DeleteRefusal::Public),
    }
}

fn making(_: DeleteRules, image: &Image, view: &DeleteView) -> Option<DeleteRefusal> {
    let in_progress = image.state.is_making() || !view.copying.is_empty();
    in_progress.then(|| DeleteRefusal::Making(view.copying.clone()))
}

fn exporting(_: DeleteRules, _: &Image, view: &DeleteView) -> Option<DeleteRefusal> {
    view.exporting.clone().map(DeleteRefusal::Exporting)
}

fn shared_out(rules: DeleteRules, _: &Image, view: &DeleteView) -> Option<DeleteRefusal> {
    let blocks = rules.outgoing_shares_block && !view.shares.is_empty();
    blocks.then(|| DeleteRefusal::SharedOut(view.shares.clone()))
}

fn community_parent(_: DeleteRules, _: &Image, view: &DeleteView) -> Option<DeleteRefusal> {
    let children = &view.community_children;
    (!children.is_empty()).then(|| DeleteRefusal::CommunityParent(children.clone()))
}

fn created_use(_: DeleteRules, _: &Image, view: &DeleteView) -> Option<DeleteRefusal> {
    uses(view, UsageOrigin::Created).map(DeleteRefusal::CreatedUse)
}

fn switched_use(_: DeleteRules, _: &Image, view: &DeleteView) -> Option<DeleteRefusal> {
    uses(view, UsageOrigin::Switched).map(DeleteRefusal::SwitchedUse)
}

fn uses(view: &DeleteView, origin: UsageOrigin) -> Option<Vec<Usage>> {
    let found: Vec<Usage> = view.usages.iter().filter(|usage| usage.origin == origin).cloned().collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests;

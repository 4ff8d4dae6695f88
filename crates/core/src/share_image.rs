//! Decides whether an image may be shared, and with whom.

use crate::ids::{AccountId, ImageId};
use crate::image::{Image, ImageView, Standing};

/// Accounts that one image can be shared with.
pub const SHARES_MAX: usize = 1_000;

/// The command: share this image with some accounts and take shares back from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareImage {
    /// The image.
    pub image: ImageId,
    /// The accounts to share with.
    pub add: Vec<AccountId>,
    /// The accounts to take the share from.
    pub remove: Vec<AccountId>,
}

/// What the decision looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareView {
    /// The image as the caller sees it.
    pub image: Option<ImageView>,
    /// The accounts it is shared with.
    pub shares: Vec<AccountId>,
}

/// What changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharePlan {
    /// Accounts that get a share.
    pub add: Vec<AccountId>,
    /// Accounts that lose theirs.
    pub remove: Vec<AccountId>,
}

/// Why an image is not shared, in the order in which the reasons are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareRefusal {
    /// No image of that id is visible to the caller.
    #[error("no such image")]
    NotFound,
    /// The image is another account's.
    #[error("the image is another account's")]
    NotOwner,
    /// The image is public: everybody sees it already.
    #[error("the image is public")]
    Public,
    /// The owner has the image anyway.
    #[error("an image is not shared with its owner")]
    WithOwner,
    /// There would be more than [`SHARES_MAX`].
    #[error("too many shares")]
    TooMany,
}

impl ShareView {
    /// The image, if it is the caller's own.
    ///
    /// # Errors
    /// [`ShareRefusal::NotFound`], [`ShareRefusal::NotOwner`] or [`ShareRefusal::Public`].
    pub fn own(&self) -> Result<&Image, ShareRefusal> {
        let view = self.image.as_ref().ok_or(ShareRefusal::NotFound)?;
        match view.standing {
            Standing::Own => Ok(&view.image),
            Standing::Public => Err(ShareRefusal::Public),
            Standing::SharedIn => Err(ShareRefusal::NotOwner),
            Standing::Hidden => Err(ShareRefusal::NotFound),
        }
    }
}

/// Decides. An account that is both added and removed ends up without a share.
///
/// # Errors
/// [`ShareRefusal`], the first that applies in the order of its variants.
pub fn decide(command: &ShareImage, view: &ShareView) -> Result<SharePlan, ShareRefusal> {
    let image = view.own()?;
    if command.add.contains(&image.owner) {
        return Err(ShareRefusal::WithOwner);
    }
    let is_new = |account: &&AccountId| !view.shares.contains(account) && !command.remove.contains(account);
    let mut add: Vec<AccountId> = command.add.iter().filter(is_new).cloned().collect();
    add.sort();
    add.dedup();
    let remove: Vec<AccountId> =
        command.remove.iter().filter(|account| view.shares.contains(account)).cloned().collect();
    if view.shares.len() + add.len() - remove.len().min(view.shares.len()) > SHARES_MAX {
        return Err(ShareRefusal::TooMany);
    }
    Ok(SharePlan { add, remove })
}

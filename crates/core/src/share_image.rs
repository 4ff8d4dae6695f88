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
            Standing::SharedIn | Standing::Community => Err(ShareRefusal::NotOwner),
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
    let mut remove: Vec<AccountId> =
        command.remove.iter().filter(|account| view.shares.contains(account)).cloned().collect();
    remove.sort();
    remove.dedup();
    if view.shares.len() + add.len() - remove.len() > SHARES_MAX {
        return Err(ShareRefusal::TooMany);
    }
    Ok(SharePlan { add, remove })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::{image, owner, view};
    use crate::image::{ImageState, Stage};

    fn accounts<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<AccountId> {
        names.into_iter().map(AccountId::trusted).collect()
    }

    fn ask(add: &[&str], remove: &[&str], shares: &[&str]) -> Result<SharePlan, ShareRefusal> {
        let image = Some(view(Standing::Own, ImageState::Available));
        decide(&command(add, remove), &ShareView { image, shares: accounts(shares.iter().copied()) })
    }

    fn command(add: &[&str], remove: &[&str]) -> ShareImage {
        let (add, remove) = (accounts(add.iter().copied()), accounts(remove.iter().copied()));
        ShareImage { image: image().id, add, remove }
    }

    /// So many accounts, in the order of their names.
    fn many(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("a{number:05}")).collect()
    }

    #[test]
    fn only_what_changes_is_planned() {
        let table = [
            ("b a b", "", "", "a b", ""),
            ("a b", "", "a", "b", ""),
            ("", "a c", "a b", "", "a"),
            ("a", "a", "", "", ""),
            ("a", "a", "a", "", "a"),
            ("", "", "a", "", ""),
        ];
        let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        for (add, remove, shares, added, removed) in table {
            let plan = SharePlan { add: accounts(words(added)), remove: accounts(words(removed)) };
            let answer = ask(&words(add), &words(remove), &words(shares));
            assert_eq!(answer, Ok(plan), "+{add:?} -{remove:?} of {shares:?}");
        }
    }

    #[test]
    fn the_first_refusal_that_applies_is_given() {
        let full = many(SHARES_MAX);
        let owner = owner();
        let mut add: Vec<&str> = full.iter().map(String::as_str).collect();
        add.extend([owner.as_str(), "one-more"]);
        let standings = [
            (None, ShareRefusal::NotFound),
            (Some(Standing::Hidden), ShareRefusal::NotFound),
            (Some(Standing::SharedIn), ShareRefusal::NotOwner),
            (Some(Standing::Public), ShareRefusal::Public),
            (Some(Standing::Own), ShareRefusal::WithOwner),
        ];
        for (standing, refusal) in standings {
            let image = standing.map(|standing| view(standing, ImageState::Available));
            let share_view = ShareView { image, shares: Vec::new() };
            assert_eq!(decide(&command(&add, &[]), &share_view), Err(refusal), "{standing:?}");
        }
        add.retain(|name| *name != owner.as_str());
        assert_eq!(ask(&add, &[], &[]), Err(ShareRefusal::TooMany));
    }

    #[test]
    fn an_image_that_is_being_made_can_be_shared() {
        let image = Some(view(Standing::Own, ImageState::Making(Stage::Creating)));
        let share_view = ShareView { image, shares: Vec::new() };
        assert_eq!(decide(&command(&["a"], &[]), &share_view).unwrap().add, accounts(["a"]));
    }

    #[test]
    fn there_are_never_more_shares_than_the_limit() {
        let full = many(SHARES_MAX);
        let full: Vec<&str> = full.iter().map(String::as_str).collect();
        assert_eq!(ask(&full, &[], &[]).unwrap().add.len(), SHARES_MAX);
        assert_eq!(ask(&["x"], &[], &full), Err(ShareRefusal::TooMany));
        assert_eq!(ask(&full, &[], &full), Ok(SharePlan::default()));
        // One goes and one comes.
        assert!(ask(&["x"], &full[..1], &full).is_ok());
        assert_eq!(ask(&["x", "y"], &full[..1], &full), Err(ShareRefusal::TooMany));
    }

    #[test]
    fn an_account_named_twice_for_removal_is_counted_once() {
        let full = many(SHARES_MAX);
        let full: Vec<&str> = full.iter().map(String::as_str).collect();
        assert_eq!(ask(&["x", "y"], &[full[0], full[0]], &full), Err(ShareRefusal::TooMany));
    }
}

//! Images: what they are, who may see them and when they may be used.

use crate::ids::{AccountId, ImageId, InstanceId, RegionId, SnapshotId};
use crate::time::Timestamp;

/// The product whose API an image belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Edge Node Service.
    Ens,
    /// App Streaming, whose images cloud desktops use too.
    AppStreaming,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// Made by the operator, public.
    System,
    /// Made by an account, private to it and those it is shared with.
    Custom,
}

/// A stage of making an image's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Accepted; nothing is done yet.
    Creating,
    /// The source is read and checked.
    Packing,
    /// The bytes are written to the region's store.
    Uploading,
    /// The bytes are copied to a further region.
    Copying,
}

/// The state of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// Being made: cannot be used and cannot be deleted (D18).
    Making(Stage),
    /// Ready for use.
    Available,
    /// Taken out of use by the operator.
    Unavailable,
    /// Making it failed at a stage; `reason` is for operators and never leaves by a vendor's API.
    Failed {
        /// The stage that failed.
        stage: Stage,
        /// Why, in one line without secrets or paths.
        reason: String,
    },
}

impl ImageState {
    /// Tells whether the image is still being made.
    #[must_use]
    pub fn is_making(&self) -> bool {
        matches!(self, Self::Making(_))
    }
}

/// What the owner says about an image; no rule reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageLabels {
    /// `x86_64` or `i386`.
    pub architecture: String,
    /// `ens_vm` and the like.
    pub compute_type: String,
    /// `centos`, `ubuntu`, ...
    pub platform: String,
    /// `linux` or `windows`.
    pub os_type: String,
    /// Free text.
    pub os_version: String,
    /// `CloudApp`, `WuyingServer`, `CloudDesktop`, joined by commas; empty for ENS.
    pub product_type: String,
    /// Whatever else the vendor's listings show, by the names they show it under.
    pub details: Vec<(String, String)>,
}

/// An image that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// The API it belongs to.
    pub product: Product,
    /// The account that made it; system images belong to [`AccountId`] `system`.
    pub owner: AccountId,
    /// Where it comes from.
    pub kind: ImageKind,
    /// Its state.
    pub state: ImageState,
    /// Its name; not unique.
    pub name: String,
    /// What the owner says about it.
    pub labels: ImageLabels,
    /// The region that the owner chose for the bytes.
    pub region: RegionId,
    /// The size of the disk that the bytes describe; `None` until they were read.
    pub virtual_size_bytes: Option<u64>,
    /// The length of the bytes; `None` until they are stored.
    pub stored_size_bytes: Option<u64>,
    /// The instance it was made from.
    pub source_instance: Option<InstanceId>,
    /// The snapshot it was made from.
    pub source_snapshot: Option<SnapshotId>,
    /// The image it was derived from, which may be gone.
    pub parent: Option<ImageId>,
    /// The system image that its line of parents began with.
    pub base: Option<ImageId>,
    /// Since when everybody sees it, if it is published as a community image.
    pub published: Option<Timestamp>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
}

/// How an image stands to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The account made it.
    Own,
    /// A system image.
    Public,
    /// Another account's, shared to this one.
    SharedIn,
    /// Another account's, published for everybody.
    Community,
    /// Another account's: to be answered as if it did not exist (D9, D17b).
    Hidden,
}

impl Image {
    /// Tells how the image stands to `account`; `shared_in` says whether its share list names the account.
    #[must_use]
    pub fn standing(&self, account: &AccountId, shared_in: bool) -> Standing {
        match self.kind {
            ImageKind::System => Standing::Public,
            ImageKind::Custom if self.owner == *account => Standing::Own,
            ImageKind::Custom if shared_in => Standing::SharedIn,
            ImageKind::Custom if self.published.is_some() => Standing::Community,
            ImageKind::Custom => Standing::Hidden,
        }
    }
}

/// An image as one account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageView {
    /// The image.
    pub image: Image,
    /// How it stands to the account that asks.
    pub standing: Standing,
}

/// Why an image cannot be used for a new instance, template or copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No image of that id is visible to the account.
    #[error("no such image")]
    NotFound,
    /// It is not [`ImageState::Available`].
    #[error("the image is not available")]
    NotAvailable,
}

/// Decides whether an image can be used by the account that the view was made for.
///
/// # Errors
/// [`Unusable`], not-found first.
pub fn usable(view: Option<&ImageView>) -> Result<&Image, Unusable> {
    let view = view.ok_or(Unusable::NotFound)?;
    if view.standing == Standing::Hidden {
        return Err(Unusable::NotFound);
    }
    if view.image.state != ImageState::Available {
        return Err(Unusable::NotAvailable);
    }
    Ok(&view.image)
}

/// Why an account cannot change an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChangeable {
    /// No image of that id is visible to the account.
    #[error("no such image")]
    NotFound,
    /// The image is public or another account's.
    #[error("the image is not the account's own")]
    NotOwner,
    /// The image is still being made.
    #[error("the image is being made")]
    Making,
}

/// Decides whether the account that the view was made for can change the image.
///
/// # Errors
/// [`NotChangeable`], the first that applies in the order of its variants.
pub fn changeable(view: Option<&ImageView>) -> Result<&Image, NotChangeable> {
    let view = view.ok_or(NotChangeable::NotFound)?;
    match view.standing {
        Standing::Own => {}
        Standing::Hidden => return Err(NotChangeable::NotFound),
        Standing::Public | Standing::SharedIn | Standing::Community => {
            return Err(NotChangeable::NotOwner);
        }
    }
    if view.image.state.is_making() {
        return Err(NotChangeable::Making);
    }
    Ok(&view.image)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn owner() -> AccountId {
        AccountId::trusted("1000000000000001")
    }

    pub(crate) fn stranger() -> AccountId {
        AccountId::trusted("1000000000000002")
    }

    /// A custom image of [`owner`]'s that is available.
    pub(crate) fn image() -> Image {
        Image {
            id: ImageId::trusted("m-1"),
            product: Product::Ens,
            owner: owner(),
            kind: ImageKind::Custom,
            state: ImageState::Available,
            name: "golden".to_owned(),
            labels: ImageLabels::default(),
            region: RegionId::trusted("cn-chengdu"),
            virtual_size_bytes: Some(1 << 30),
            stored_size_bytes: Some(1 << 18),
            source_instance: None,
            source_snapshot: None,
            parent: None,
            base: None,
            published: None,
            created: Timestamp::from_millis(0),
            modified: Timestamp::from_millis(0),
        }
    }

    pub(crate) fn view(standing: Standing, state: ImageState) -> ImageView {
        ImageView { image: Image { state, ..image() }, standing }
    }

    const STAGES: [Stage; 4] = [Stage::Creating, Stage::Packing, Stage::Uploading, Stage::Copying];

    fn failed(stage: Stage) -> ImageState {
        ImageState::Failed { stage, reason: "cut off".to_owned() }
    }

    #[test]
    fn d9_the_standing_follows_from_kind_owner_and_shares() {
        let table = [
            (ImageKind::Custom, owner(), false, Standing::Own),
            (ImageKind::Custom, owner(), true, Standing::Own),
            (ImageKind::Custom, stranger(), false, Standing::Hidden),
            (ImageKind::Custom, stranger(), true, Standing::SharedIn),
            (ImageKind::System, owner(), false, Standing::Public),
            (ImageKind::System, stranger(), false, Standing::Public),
            (ImageKind::System, stranger(), true, Standing::Public),
        ];
        for (kind, account, shared_in, standing) in table {
            let image = Image { kind, ..image() };
            assert_eq!(image.standing(&account, shared_in), standing, "{kind:?} {account} {shared_in}");
        }
    }

    #[test]
    fn only_the_stages_of_making_count_as_making() {
        for stage in STAGES {
            assert!(ImageState::Making(stage).is_making());
            assert!(!failed(stage).is_making());
        }
        assert!(!ImageState::Available.is_making());
        assert!(!ImageState::Unavailable.is_making());
    }

    #[test]
    fn usable_is_what_is_available_and_visible() {
        assert_eq!(usable(None), Err(Unusable::NotFound));
        for standing in [Standing::Own, Standing::Public, Standing::SharedIn] {
            let available = view(standing, ImageState::Available);
            assert_eq!(usable(Some(&available)), Ok(&available.image), "{standing:?}");
            let others = STAGES.into_iter().flat_map(|stage| [ImageState::Making(stage), failed(stage)]);
            for state in others.chain([ImageState::Unavailable]) {
                let other = view(standing, state);
                assert_eq!(usable(Some(&other)), Err(Unusable::NotAvailable), "{other:?}");
            }
        }
        // Whether a hidden image is available is not told.
        for state in [ImageState::Available, ImageState::Making(Stage::Creating)] {
            assert_eq!(usable(Some(&view(Standing::Hidden, state))), Err(Unusable::NotFound));
        }
    }

    #[test]
    fn changeable_is_what_the_account_made_and_finished() {
        let making = || ImageState::Making(Stage::Uploading);
        assert_eq!(changeable(None), Err(NotChangeable::NotFound));
        for state in [ImageState::Available, ImageState::Unavailable, failed(Stage::Packing)] {
            let own = view(Standing::Own, state);
            assert_eq!(changeable(Some(&own)), Ok(&own.image));
        }
        assert_eq!(changeable(Some(&view(Standing::Own, making()))), Err(NotChangeable::Making));
        for state in [ImageState::Available, making()] {
            let ask = |standing| changeable(Some(&view(standing, state.clone()))).err();
            assert_eq!(ask(Standing::Hidden), Some(NotChangeable::NotFound));
            assert_eq!(ask(Standing::Public), Some(NotChangeable::NotOwner));
            assert_eq!(ask(Standing::SharedIn), Some(NotChangeable::NotOwner));
        }
    }
}

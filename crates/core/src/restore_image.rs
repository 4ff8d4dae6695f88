//! Decides whether a deleted image comes back, with all that went with it.

use crate::ids::{AccountId, DeletionId, ImageId, RegionId};
use crate::ram::Authorized;
use crate::time::Timestamp;

/// Every fact that a restore asks for, read under the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreView {
    /// The latest delete of the image; `None` if the account has never deleted it.
    pub deletion: Option<DeletedImage>,
    /// The regions that its bytes were in, and whether a worker was ever sent to erase them there.
    pub regions: Vec<(RegionId, bool)>,
    /// For a community image that was derived from another one: that one, and whether it is deleted.
    pub parent: Option<(ImageId, bool)>,
}

/// An accepted delete, as far as a restore asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedImage {
    /// The id of the deletion.
    pub id: DeletionId,
    /// The account that the image belonged to.
    pub owner: AccountId,
    /// When its bytes may be erased.
    pub erase_from: Timestamp,
    /// Whether the image was restored since.
    pub restored: bool,
}

/// Why an image does not come back, in the order in which the reasons are given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreRefusal {
    /// The account has deleted no such image.
    #[error("no such deletion")]
    NotFound,
    /// The image was restored already.
    #[error("the image is restored")]
    Restored,
    /// The grace period is over.
    #[error("the grace period is over")]
    GraceOver,
    /// These can no longer come back, and the act comes back whole or not at all.
    #[error("{} things cannot come back", .0.len())]
    Lost(Vec<Lost>),
}

/// Something that cannot come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The bytes in a region: they are being erased.
    Region(RegionId),
    /// The publication: the image that it was derived from is deleted. It must come back first.
    Parent(ImageId),
}

/// Decides: the deletion to take back, or the first refusal.
///
/// # Errors
/// [`RestoreRefusal`], the first that applies in the order of its variants.
///
/// # Panics
/// If `authorized` is for another image: a defect of the caller.
pub fn decide(
    authorized: &Authorized,
    image: &ImageId,
    view: &RestoreView,
    now: Timestamp,
) -> Result<DeletionId, RestoreRefusal> {
    assert!(authorized.covers("image", image.as_str()), "authorized for another image");
    let deletion = view.deletion.as_ref().ok_or(RestoreRefusal::NotFound)?;
    if deletion.owner != *authorized.account() {
        return Err(RestoreRefusal::NotFound);
    }
    if deletion.restored {
        return Err(RestoreRefusal::Restored);
    }
    if now >= deletion.erase_from {
        return Err(RestoreRefusal::GraceOver);
    }
    let regions = view.regions.iter().filter(|(_, touched)| *touched);
    let parent = view.parent.iter().filter(|(_, deleted)| *deleted);
    let lost: Vec<_> = regions
        .map(|(region, _)| Lost::Region(region.clone()))
        .chain(parent.map(|(parent, _)| Lost::Parent(parent.clone())))
        .collect();
    if lost.is_empty() { Ok(deletion.id.clone()) } else { Err(RestoreRefusal::Lost(lost)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::{Arn, Context, Policies, Principal, PrincipalKind, authorize};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn image() -> ImageId {
        ImageId::trusted("m-1")
    }

    fn authorized(account: &str) -> Authorized {
        let principal = Principal { account: AccountId::trusted(account), kind: PrincipalKind::Root };
        let context = Context {
            source_ip: None,
            secure_transport: true,
            now: NOW,
            user_agent: None,
            principal_arn: principal.arn(),
            access_key_id: "key".to_owned(),
            external_id: None,
            request_tags: Vec::new(),
            resource_tags: Vec::new(),
        };
        let resource = Arn::of("calotype", &principal.account, "image", "m-1");
        authorize(&principal, &Policies::default(), "calotype:RestoreImage", resource, &context).unwrap()
    }

    fn view() -> RestoreView {
        let deletion = DeletedImage {
            id: DeletionId::trusted("del-1"),
            owner: AccountId::trusted("1"),
            erase_from: Timestamp::from_millis(1_001),
            restored: false,
        };
        let regions = ["a", "b"].map(|region| (RegionId::trusted(region), false));
        let parent = Some((ImageId::trusted("m-parent"), false));
        RestoreView { deletion: Some(deletion), regions: regions.into(), parent }
    }

    fn ask(view: &RestoreView) -> Result<DeletionId, RestoreRefusal> {
        decide(&authorized("1"), &image(), view, NOW)
    }

    fn deletion(view: &mut RestoreView) -> &mut DeletedImage {
        view.deletion.as_mut().unwrap()
    }

    #[test]
    fn within_its_grace_period_a_delete_is_taken_back() {
        assert_eq!(ask(&view()), Ok(DeletionId::trusted("del-1")));
        assert_eq!(ask(&RestoreView { parent: None, regions: Vec::new(), ..view() }), ask(&view()));
    }

    #[test]
    fn refusals_come_in_the_order_of_their_variants() {
        type Spoil = fn(&mut RestoreView);
        let lost = RestoreRefusal::Lost(vec![
            Lost::Region(RegionId::trusted("b")),
            Lost::Parent(ImageId::trusted("m-parent")),
        ]);
        let ladder: [(RestoreRefusal, Spoil); 4] = [
            (lost, |view| {
                view.regions[1].1 = true;
                view.parent.as_mut().unwrap().1 = true;
            }),
            (RestoreRefusal::GraceOver, |view| deletion(view).erase_from = NOW),
            (RestoreRefusal::Restored, |view| deletion(view).restored = true),
            (RestoreRefusal::NotFound, |view| deletion(view).owner = AccountId::trusted("2")),
        ];
        let mut all = view();
        for (refusal, spoil) in &ladder {
            let mut one = view();
            spoil(&mut one);
            assert_eq!(ask(&one), Err(refusal.clone()), "alone");
            spoil(&mut all);
            assert_eq!(ask(&all), Err(refusal.clone()), "before all that were there");
        }
        assert_eq!(ask(&RestoreView { deletion: None, ..view() }), Err(RestoreRefusal::NotFound));
    }
}

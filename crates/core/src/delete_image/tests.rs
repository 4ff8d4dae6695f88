//! The ladder as a table.

mod properties;

use super::*;
use crate::image::tests::{image, owner, stranger};
use crate::image::{ImageState, Stage};
use crate::ram::{Arn, Context, Policies, Principal, PrincipalKind, authorize};
use crate::usage::ConsumerKind;

const BLOCKING: DeleteRules = DeleteRules { outgoing_shares_block: true, templates_go: true };
const CASCADING: DeleteRules = DeleteRules { outgoing_shares_block: false, templates_go: false };
const NOW: Timestamp = Timestamp::from_millis(1_000);

/// One rung: the name of its refusal and what makes it true.
type Case = (&'static str, fn(&mut DeleteView));

/// One way to earn each refusal, in the order of `docs/requirements.md`.
const RUNGS: [Case; 10] = [
    ("NotFound", |view| stand(view, Standing::Hidden)),
    ("SharedIn", |view| stand(view, Standing::SharedIn)),
    ("Public", |view| stand(view, Standing::Public)),
    ("Making", |view| put(view, ImageState::Making(Stage::Creating))),
    ("Making", |view| view.copying = vec![RegionId::trusted("cn-beijing")]),
    ("Exporting", |view| view.exporting = Some(target())),
    ("SharedOut", |view| view.shares = vec![stranger()]),
    ("CommunityParent", |view| view.community_children = vec![ImageId::trusted("imgc-child")]),
    ("CreatedUse", |view| view.usages.push(usage("i-created", UsageOrigin::Created))),
    ("SwitchedUse", |view| view.usages.push(usage("i-switched", UsageOrigin::Switched))),
];

fn stand(view: &mut DeleteView, standing: Standing) {
    view.image.as_mut().unwrap().standing = standing;
}

fn put(view: &mut DeleteView, state: ImageState) {
    view.image.as_mut().unwrap().image.state = state;
}

fn target() -> ExportTarget {
    ExportTarget::of("golden", "", &image().id)
}

fn usage(consumer: &str, origin: UsageOrigin) -> Usage {
    Usage {
        image: image().id,
        consumer_kind: ConsumerKind::Instance,
        consumer: consumer.to_owned(),
        consumer_owner: owner(),
        origin,
        in_progress: false,
        since: NOW,
    }
}

fn replica(name: &str) -> ReplicaId {
    ReplicaId::trusted(name)
}

/// An available image of the caller's own, in two regions, that nothing stands in the way of.
fn deletable() -> DeleteView {
    DeleteView {
        image: Some(ImageView { image: image(), standing: Standing::Own }),
        shares: Vec::new(),
        community_children: Vec::new(),
        usages: Vec::new(),
        replicas: vec![replica("r-1"), replica("r-2")],
        copying: Vec::new(),
        exporting: None,
    }
}

fn command() -> DeleteImage {
    DeleteImage { image: image().id, deletion: DeletionId::trusted("del-1"), grace_ms: 500 }
}

/// Permission on one thing, as the account itself has it.
fn authorized_on(resource: Arn) -> Authorized {
    let principal = Principal { account: owner(), kind: PrincipalKind::Root };
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
    authorize(&principal, &Policies::default(), "ens:DeleteImage", resource, &context).unwrap()
}

fn ask(rules: DeleteRules, view: &DeleteView) -> Result<DeletePlan, DeleteRefusal> {
    let authorized = authorized_on(Arn::of("ens", &owner(), "image", image().id.as_str()));
    decide(&authorized, &command(), &rules, view.clone(), NOW)
}

/// The name of the refusal's variant.
fn name(refusal: &DeleteRefusal) -> &'static str {
    match refusal {
        DeleteRefusal::NotFound => "NotFound",
        DeleteRefusal::SharedIn => "SharedIn",
        DeleteRefusal::Public => "Public",
        DeleteRefusal::Making(_) => "Making",
        DeleteRefusal::Exporting(_) => "Exporting",
        DeleteRefusal::SharedOut(_) => "SharedOut",
        DeleteRefusal::CommunityParent(_) => "CommunityParent",
        DeleteRefusal::CreatedUse(_) => "CreatedUse",
        DeleteRefusal::SwitchedUse(_) => "SwitchedUse",
    }
}

fn refused(rules: DeleteRules, view: &DeleteView) -> Option<&'static str> {
    ask(rules, view).err().as_ref().map(name)
}

#[test]
fn the_first_refusal_that_applies_is_given() {
    for (place, (expected, make_true)) in RUNGS.into_iter().enumerate() {
        let mut alone = deletable();
        make_true(&mut alone);
        assert_eq!(refused(BLOCKING, &alone), Some(expected), "alone");
        for (also, make_also_true) in RUNGS.into_iter().skip(place + 1) {
            let mut both = deletable();
            // The standing has one value only: there the earlier rung is the one that holds.
            make_also_true(&mut both);
            make_true(&mut both);
            assert_eq!(refused(BLOCKING, &both), Some(expected), "with {also}");
        }
    }
}

#[test]
fn the_ladder_has_the_order_of_the_variants() {
    let source = include_str!("../delete_image.rs");
    let variants = source.split_once("pub enum DeleteRefusal {").unwrap().1.split_once("\n}").unwrap().0;
    let declared: Vec<&str> = variants
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split(['(', ',', ' ']).next().unwrap())
        .collect();
    let mut ladder: Vec<&str> = RUNGS.iter().map(|(name, _)| *name).collect();
    ladder.dedup();
    assert_eq!(declared, ladder);
}

#[test]
fn d1_nothing_in_the_way_gives_the_whole_plan() {
    let expected = DeletePlan {
        image: image(),
        deletion: DeletionId::trusted("del-1"),
        accepted: NOW,
        erase_from: Timestamp::from_millis(1_500),
        shares: Vec::new(),
        replicas: vec![replica("r-1"), replica("r-2")],
        templates_go: true,
    };
    assert_eq!(ask(BLOCKING, &deletable()), Ok(expected));
}

#[test]
fn d15_an_image_shared_in_and_a_public_one_are_told_apart() {
    let mut view = deletable();
    stand(&mut view, Standing::SharedIn);
    assert_eq!(ask(CASCADING, &view), Err(DeleteRefusal::SharedIn));
    stand(&mut view, Standing::Public);
    assert_eq!(ask(CASCADING, &view), Err(DeleteRefusal::Public));
}

#[test]
fn d16_d17a_each_use_is_named_under_its_own_refusal() {
    let created = usage("i-1", UsageOrigin::Created);
    let switched = usage("i-2", UsageOrigin::Switched);
    let mut view = deletable();
    view.usages = vec![switched.clone(), created.clone(), switched.clone()];
    assert_eq!(ask(CASCADING, &view), Err(DeleteRefusal::CreatedUse(vec![created])));
    view.usages.remove(1);
    assert_eq!(ask(CASCADING, &view), Err(DeleteRefusal::SwitchedUse(vec![switched.clone(), switched])));
}

#[test]
fn d16_uses_by_other_accounts_count() {
    for (origin, expected) in [(UsageOrigin::Created, "CreatedUse"), (UsageOrigin::Switched, "SwitchedUse")] {
        let mut view = deletable();
        view.usages = vec![Usage { consumer_owner: stranger(), ..usage("i-1", origin) }];
        assert_eq!(refused(CASCADING, &view), Some(expected));
    }
}

#[test]
fn d17a_a_switch_in_progress_counts() {
    let mut view = deletable();
    view.usages = vec![Usage { in_progress: true, ..usage("i-1", UsageOrigin::Switched) }];
    assert_eq!(refused(CASCADING, &view), Some("SwitchedUse"));
}

#[test]
fn d17b_an_absent_image_and_a_strangers_give_the_same_answer() {
    let mut hidden = deletable();
    stand(&mut hidden, Standing::Hidden);
    let absent = DeleteView { image: None, ..deletable() };
    assert_eq!(ask(CASCADING, &hidden), Err(DeleteRefusal::NotFound));
    assert_eq!(ask(CASCADING, &absent), Err(DeleteRefusal::NotFound));
}

#[test]
fn d18_no_stage_of_making_may_be_deleted_every_other_state_may() {
    let mut view = deletable();
    for stage in [Stage::Creating, Stage::Packing, Stage::Uploading, Stage::Copying] {
        put(&mut view, ImageState::Making(stage));
        assert_eq!(ask(CASCADING, &view), Err(DeleteRefusal::Making(Vec::new())), "{stage:?}");
        put(&mut view, ImageState::Failed { stage, reason: "cut off".to_owned() });
        assert!(ask(CASCADING, &view).is_ok(), "failed at {stage:?}");
    }
    put(&mut view, ImageState::Unavailable);
    assert!(ask(CASCADING, &view).is_ok());
}

#[test]
fn d18_an_image_that_is_being_exported_may_not_be_deleted() {
    for rules in [BLOCKING, CASCADING] {
        let view = DeleteView { exporting: Some(target()), ..deletable() };
        assert_eq!(ask(rules, &view), Err(DeleteRefusal::Exporting(target())));
        assert!(ask(rules, &DeleteView { exporting: None, ..view }).is_ok());
    }
}

#[test]
fn d20_d42_shares_go_with_the_image_or_stand_in_its_way() {
    let mut view = deletable();
    view.shares = vec![AccountId::trusted("a"), AccountId::trusted("b")];
    assert_eq!(ask(CASCADING, &view).unwrap().shares, view.shares);
    assert_eq!(ask(BLOCKING, &view), Err(DeleteRefusal::SharedOut(view.shares)));
}

#[test]
fn permission_on_every_image_is_enough() {
    let authorized = authorized_on(Arn::all("ens", &owner()));
    assert!(decide(&authorized, &command(), &BLOCKING, deletable(), NOW).is_ok());
}

#[test]
#[should_panic(expected = "authorized for another image")]
fn permission_for_another_image_is_a_defect() {
    let authorized = authorized_on(Arn::of("ens", &owner(), "image", "m-other"));
    let _ = decide(&authorized, &command(), &BLOCKING, deletable(), NOW);
}

#[test]
#[should_panic(expected = "authorized for another image")]
fn permission_for_an_instance_of_that_name_is_a_defect() {
    let authorized = authorized_on(Arn::of("ens", &owner(), "instance", image().id.as_str()));
    let _ = decide(&authorized, &command(), &BLOCKING, deletable(), NOW);
}

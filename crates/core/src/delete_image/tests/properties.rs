//! What holds for every view.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn any_state() -> impl Strategy<Value = ImageState> {
    let failed = ImageState::Failed { stage: Stage::Packing, reason: String::new() };
    select(vec![
        ImageState::Making(Stage::Creating),
        ImageState::Making(Stage::Copying),
        ImageState::Available,
        ImageState::Available,
        ImageState::Unavailable,
        failed,
    ])
}

fn any_standing() -> impl Strategy<Value = Standing> {
    prop_oneof![5 => Just(Standing::Own), 3 => select(vec![
        Standing::Public, Standing::SharedIn, Standing::Community, Standing::Hidden,
    ])]
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let origin = select(vec![UsageOrigin::Created, UsageOrigin::Switched]);
    (origin, any::<bool>(), "i-[0-9]{1,3}", any::<bool>()).prop_map(
        |(origin, in_progress, consumer, ours)| {
            let consumer_owner = if ours { owner() } else { stranger() };
            Usage { consumer_owner, in_progress, ..usage(&consumer, origin) }
        },
    )
}

fn any_view() -> impl Strategy<Value = DeleteView> {
    let image = (any_state(), any_standing())
        .prop_map(|(state, standing)| ImageView { image: Image { state, ..image() }, standing });
    let shares = vec("[a-z]{1,3}".prop_map(AccountId::trusted), 0..3);
    // Half of the images are free of uses: else hardly any plan would be looked at.
    let usages = prop_oneof![Just(Vec::new()), vec(any_usage(), 0..4)];
    let replicas = vec("r-[0-9]{1,3}".prop_map(ReplicaId::trusted), 0..4);
    let community_children = few(vec("imgc-[a-z]{1,3}".prop_map(ImageId::trusted), 1..3));
    let copying = few(vec("cn-[a-z]{1,3}".prop_map(RegionId::trusted), 1..3));
    let image = proptest::option::weighted(0.9, image);
    let exporting = proptest::option::weighted(0.2, Just(target()));
    (image, shares, community_children, usages, replicas, copying, exporting).prop_map(
        |(image, shares, community_children, usages, replicas, copying, exporting)| DeleteView {
            image,
            shares,
            community_children,
            usages,
            replicas,
            copying,
            exporting,
        },
    )
}

/// Mostly none: else hardly any plan would be looked at.
fn few<T: std::fmt::Debug + Clone>(some: impl Strategy<Value = Vec<T>>) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 1 => some]
}

fn any_rules() -> impl Strategy<Value = DeleteRules> {
    any::<[bool; 2]>()
        .prop_map(|[outgoing_shares_block, templates_go]| DeleteRules { outgoing_shares_block, templates_go })
}

/// The view as it is read after the plan was applied.
fn applied(view: &DeleteView, plan: &DeletePlan) -> DeleteView {
    DeleteView {
        image: None,
        shares: view.shares.iter().filter(|account| !plan.shares.contains(account)).cloned().collect(),
        community_children: view.community_children.clone(),
        usages: view.usages.clone(),
        replicas: view.replicas.clone(),
        copying: view.copying.clone(),
        exporting: view.exporting.clone(),
    }
}

proptest! {
    #[test]
    fn nothing_in_use_is_ever_planned(rules in any_rules(), view in any_view()) {
        if ask(rules, &view).is_ok() {
            prop_assert_eq!(view.usages, Vec::new());
        }
    }

    #[test]
    fn a_plan_is_for_the_owners_finished_image_and_for_all_that_it_has(
        rules in any_rules(),
        view in any_view(),
    ) {
        if let Ok(plan) = ask(rules, &view) {
            let seen = view.image.unwrap();
            prop_assert_eq!(seen.standing, Standing::Own);
            prop_assert!(!seen.image.state.is_making() && view.copying.is_empty());
            prop_assert_eq!(view.exporting, None);
            prop_assert_eq!(view.community_children, Vec::new());
            prop_assert_eq!(plan.templates_go, rules.templates_go);
            prop_assert_eq!(plan.image, seen.image);
            prop_assert_eq!(&plan.shares, &view.shares);
            prop_assert!(plan.shares.is_empty() || !rules.outgoing_shares_block);
            prop_assert_eq!(plan.replicas, view.replicas);
        }
    }

    #[test]
    fn nothing_is_refused_without_a_reason(rules in any_rules(), view in any_view()) {
        let free = view.image.as_ref().is_some_and(|seen| {
            seen.standing == Standing::Own && !matches!(seen.image.state, ImageState::Making(_))
        });
        let free = free && view.copying.is_empty() && view.exporting.is_none();
        let free = free && view.community_children.is_empty();
        let unshared = view.shares.is_empty() || !rules.outgoing_shares_block;
        prop_assert_eq!(ask(rules, &view).is_ok(), free && unshared && view.usages.is_empty());
    }

    #[test]
    fn d45_deciding_again_after_the_delete_finds_nothing(rules in any_rules(), view in any_view()) {
        if let Ok(plan) = ask(rules, &view) {
            let after = applied(&view, &plan);
            prop_assert_eq!(&after.shares, &Vec::new());
            prop_assert_eq!(ask(rules, &after), Err(DeleteRefusal::NotFound));
        }
    }

    #[test]
    fn an_explanation_begins_with_the_refusal_and_is_empty_without_one(
        rules in any_rules(),
        view in any_view(),
    ) {
        let all = explain(&rules, &view);
        prop_assert_eq!(ask(rules, &view).err(), all.first().cloned());
        let place = |refusal| RUNGS.iter().position(|(rung, _)| *rung == name(refusal));
        let order: Vec<_> = all.iter().map(place).collect();
        prop_assert!(order.is_sorted());
    }

    #[test]
    fn the_same_arguments_give_the_same_answer(rules in any_rules(), view in any_view()) {
        prop_assert_eq!(ask(rules, &view), ask(rules, &view.clone()));
    }

    #[test]
    fn bytes_outlive_the_delete_by_the_grace_period(now in any::<i64>(), grace_ms in 0..i64::MAX) {
        let now = Timestamp::from_millis(now);
        let command = DeleteImage { grace_ms, ..command() };
        let authorized = authorized_on(Arn::all("ens", &owner()));
        let plan = decide(&authorized, &command, &BLOCKING, deletable(), now).unwrap();
        prop_assert_eq!(plan.accepted, now);
        prop_assert_eq!(plan.erase_from.as_millis(), now.as_millis().saturating_add(grace_ms));
    }
}

//! Calls that meet each other: over HTTP, on connections that stay open, from behind a barrier.
//!
//! A few hundred rounds run by default; `CALOTYPE_RACE_ROUNDS` sets another number.

mod app_streaming;
pub mod arena;
mod exports;

use std::collections::BTreeMap;

use crate::support::refusals::{INVALID_IMAGE_ID, NOT_EXIST, Row, USED_OTHERWISE, USED_TO_CREATE};
use crate::support::{OTHER, Setup, World};
use arena::{Arena, Outcome, violations};

/// Rounds of each race, if nothing else is said.
const ROUNDS: usize = 300;

/// Rounds after which the negative control gives up.
const CONTROL_ROUNDS_MAX: usize = 1_000;

fn rounds() -> usize {
    std::env::var("CALOTYPE_RACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// A call of ENS: its name and its parameters.
type Call = (&'static str, Vec<(&'static str, String)>);

fn delete(image: &str) -> Call {
    ("DeleteImage", vec![("ImageId", image.to_owned())])
}

fn run(image: &str) -> Call {
    ("RunInstances", vec![("ImageId", image.to_owned()), ("InstanceType", "ens.sn1.small".to_owned())])
}

fn reinit(instance: &str, image: &str) -> Call {
    ("ReinitInstance", vec![("InstanceId", instance.to_owned()), ("ImageId", image.to_owned())])
}

fn share(image: &str) -> Call {
    let add = ("AddAccounts", OTHER.to_owned());
    ("ModifyImageSharePermission", vec![("ImageId", image.to_owned()), add])
}

/// Checks that exactly one of two calls won, and that the other lost in the words for that.
fn one_wins(outcomes: &[Outcome], lost: [Row; 2], won: &mut BTreeMap<usize, usize>) {
    let winners: Vec<usize> = (0..2).filter(|place| outcomes[*place].0 == 200).collect();
    assert_eq!(winners.len(), 1, "exactly one wins: {outcomes:?}");
    let loser = 1 - winners[0];
    let (status, code, message) = &outcomes[loser];
    assert_eq!((*status, code.as_str(), message.as_str()), lost[loser]);
    *won.entry(winners[0]).or_default() += 1;
}

/// A race in which one side always wins is none.
fn both_have_won(won: &BTreeMap<usize, usize>) {
    let rounds: usize = won.values().sum();
    assert!(won.len() == 2 || rounds < 50, "each side wins now and then: {won:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_run_instances() {
    let rounds = rounds();
    let arena = Arena::open(Setup::default(), rounds).await;
    let mut won = BTreeMap::new();
    for (round, image) in arena.images.iter().enumerate() {
        let outcomes = arena.meet(vec![delete(image), run(image)], round).await;
        one_wins(&outcomes, [USED_TO_CREATE, INVALID_IMAGE_ID], &mut won);
        assert_eq!(violations(&arena.world, Some(image)).await, 0, "round {round}");
    }
    both_have_won(&won);
    assert_eq!(violations(&arena.world, None).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_reinit_instance() {
    let rounds = rounds();
    let arena = Arena::open(Setup::default(), rounds).await;
    let mut instance = arena.world.owner.launch(&arena.original).await;
    let mut won = BTreeMap::new();
    for (round, image) in arena.images.iter().enumerate() {
        let outcomes = arena.meet(vec![delete(image), reinit(&instance, image)], round).await;
        one_wins(&outcomes, [USED_OTHERWISE, INVALID_IMAGE_ID], &mut won);
        assert_eq!(violations(&arena.world, Some(image)).await, 0, "round {round}");
        if outcomes[1].0 == 200 {
            // Its switch is in progress, and stays so: the next round takes another one.
            instance = arena.world.owner.launch(&arena.original).await;
        }
    }
    both_have_won(&won);
    assert_eq!(violations(&arena.world, None).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d48_two_deletes_one_wins() {
    let rounds = rounds();
    let arena = Arena::open(Setup::default(), rounds).await;
    let mut won = BTreeMap::new();
    for (round, image) in arena.images.iter().enumerate() {
        let outcomes = arena.meet(vec![delete(image), delete(image)], round).await;
        one_wins(&outcomes, [NOT_EXIST, NOT_EXIST], &mut won);
    }
    both_have_won(&won);
    let written = arena.world.count("SELECT COUNT(*) FROM deletions", &[]).await;
    assert_eq!(usize::try_from(written).unwrap(), rounds, "one deletion for each image");
}

/// Two deletes, two launches, a switch and a share at once: either one delete wins and nothing else
/// does, or no delete does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_everything_at_once() {
    let arena = Arena::open(Setup::default(), rounds() / 2).await;
    let mut instance = arena.world.owner.launch(&arena.original).await;
    for (round, image) in arena.images.iter().enumerate() {
        let calls = vec![
            delete(image),
            run(image),
            share(image),
            delete(image),
            reinit(&instance, image),
            run(image),
        ];
        let outcomes = arena.meet(calls, round).await;
        let count = |places: &[usize]| places.iter().filter(|place| outcomes[**place].0 == 200).count();
        let (deletes, uses) = (count(&[0, 3]), count(&[1, 4, 5]));
        assert!(deletes == 1 && uses == 0 || deletes == 0 && uses == 3, "round {round}: {outcomes:?}");
        assert_eq!(violations(&arena.world, Some(image)).await, 0, "round {round}");
        if uses > 0 {
            instance = arena.world.owner.launch(&arena.original).await;
        }
    }
    assert_eq!(violations(&arena.world, None).await, 0);
}

/// The workers end a switch while both of its images are being deleted again and again: the old one
/// goes when the switch is done, the new one never.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d17a_a_switch_that_ends_while_its_images_are_deleted() {
    let arena = Arena::open(Setup::default(), 2 * (rounds() / 6)).await;
    for (round, pair) in arena.images.chunks(2).enumerate() {
        let [old, new] = pair else { panic!("images come in pairs") };
        let instance = arena.world.owner.launch(old).await;
        arena.world.owner.reinit(&instance, new).await;
        let deletes =
            arena.meet(vec![delete(old), delete(new), delete(old), delete(new), delete(old)], round);
        let (outcomes, ()) = tokio::join!(deletes, arena.end_switches());
        for place in [1, 3] {
            let (status, code, message) = &outcomes[place];
            assert_eq!((*status, code.as_str(), message.as_str()), USED_OTHERWISE);
        }
        let old_deleted = [0, 2, 4].iter().filter(|place| outcomes[**place].0 == 200).count();
        assert!(old_deleted <= 1, "{outcomes:?}");
        assert_eq!(violations(&arena.world, None).await, 0, "round {round}");
        assert_eq!(arena.world.owner.instance(&instance).await["ImageId"], new.as_str());
    }
}

/// The negative control: without the fence the same race goes wrong, so the races above can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_without_the_fence_the_race_goes_wrong() {
    goes_wrong_without_the_fence(|_, image| run(image)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_reinit_instance_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(reinit).await;
}

/// Lets the delete of an image meet a call that uses it, by an instance of another one.
async fn goes_wrong_without_the_fence(opponent: fn(instance: &str, image: &str) -> Call) {
    let setup = Setup { unfenced: true, ..Setup::default() };
    let arena = Arena::open(setup, CONTROL_ROUNDS_MAX).await;
    for (round, image) in arena.images.iter().enumerate() {
        let instance = arena.world.owner.launch(&arena.original).await;
        arena.meet(vec![delete(image), opponent(&instance, image)], round).await;
        if violations(&arena.world, Some(image)).await > 0 {
            return;
        }
    }
    panic!("{CONTROL_ROUNDS_MAX} rounds without the fence, and nothing went wrong");
}

#[tokio::test]
async fn the_invariant_is_seen_to_be_broken() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    world.owner.launch(&image).await;
    assert_eq!(violations(&world, Some(&image)).await, 0);
    world.change("UPDATE images SET deleted_ms = 1 WHERE id = $1", &[(&image).into()]).await;
    assert_eq!((violations(&world, Some(&image)).await, violations(&world, None).await), (3, 3));
}

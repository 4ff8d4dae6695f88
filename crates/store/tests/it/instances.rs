//! Instances: their rows, their states, and their uses of images.

use calotype_core::ids::{DiskId, ImageId, InstanceId};
use calotype_core::instance::{ChargeType, Instance, InstanceLabels, PowerState, Transition};
use calotype_core::usage::ConsumerKind;
use calotype_store::db::{StoreError, Tx};
use calotype_store::tags::{self, Tag};
use calotype_store::{instances, usages};

use crate::support::{TestDb, number};
use crate::things::{account, at, instance, switch, tag_kind, usage};

const ENS: ConsumerKind = ConsumerKind::Instance;

fn id(text: &str) -> InstanceId {
    InstanceId::trusted(text)
}

fn image(text: &str) -> ImageId {
    ImageId::trusted(text)
}

/// Writes instances that use `m-1`.
pub async fn put(test: &TestDb, things: &[Instance]) {
    let mut tx = test.db.begin().await.unwrap();
    for instance in things {
        instances::insert(&mut tx, instance).await.unwrap();
        usages::insert(&mut tx, &usage(&instance.image, instance.id.as_str())).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn load(tx: &mut Tx, text: &str) -> Option<Instance> {
    instances::load(tx, ENS, &id(text), &account(1)).await.unwrap()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn every_field_of_an_instance_comes_back_to_its_owner() {
    let test = TestDb::new().await;
    let mut place = 0;
    for power in [PowerState::Running, PowerState::Stopped] {
        for transition in [Transition::Pending, Transition::Starting, Transition::Stopping] {
            for charge_type in [ChargeType::PrePaid, ChargeType::PostPaid] {
                place += 1;
                let text = format!("i-{place}");
                let written = Instance {
                    power,
                    transition,
                    charge_type,
                    settles: at(i64::MAX),
                    deletion_protection: place % 2 == 0,
                    labels: InstanceLabels {
                        name: "\u{5b9e}\u{4f8b} '%_\"".to_owned(),
                        echo: pairs(&[("Ip", "1,2"), ("Net\"work", "\u{7f51}\\ \"x\""), ("empty", "")]),
                        ..instance("i").labels
                    },
                    ..instance(&text)
                };
                put(&test, std::slice::from_ref(&written)).await;
                let mut tx = test.db.read().await.unwrap();
                assert_eq!(load(&mut tx, &text).await.as_ref(), Some(&written));
                assert_eq!(instances::load(&mut tx, ENS, &id(&text), &account(2)).await.unwrap(), None);
                let disk = &written.disks[1].id;
                let found = instances::load_by_disk(&mut tx, disk, &account(1)).await.unwrap();
                assert_eq!(found, Some(written.clone()));
                assert_eq!(instances::load_by_disk(&mut tx, disk, &account(2)).await.unwrap(), None);
            }
        }
    }
    let mut tx = test.db.read().await.unwrap();
    let nothing = instances::load_by_disk(&mut tx, &DiskId::trusted("d-none"), &account(1)).await.unwrap();
    assert_eq!(nothing, None);
}

#[tokio::test]
async fn ids_of_instances_and_disks_are_taken_once() {
    let test = TestDb::new().await;
    put(&test, &[instance("i-1")]).await;
    let same_disk = Instance { id: id("i-2"), ..instance("i-1") };
    for again in [instance("i-1"), same_disk] {
        let mut tx = test.db.begin().await.unwrap();
        let inserted = match instances::insert(&mut tx, &again).await {
            Ok(()) => tx.commit().await,
            refused => refused,
        };
        assert!(matches!(inserted, Err(StoreError::Conflict)), "{inserted:?}");
    }
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM instances").await, 1);
}

#[tokio::test]
async fn power_is_written_unless_the_instance_is_gone_or_reinitialised() {
    let test = TestDb::new().await;
    put(&test, &[instance("i-1"), instance("i-2")]).await;
    let mut tx = test.db.begin().await.unwrap();
    let (power, transition) = (PowerState::Stopped, Transition::Stopping);
    instances::set_power(&mut tx, &id("i-1"), power, transition, at(77)).await.unwrap();
    let expected = Instance { power, transition, settles: at(77), ..instance("i-1") };
    assert_eq!(load(&mut tx, "i-1").await, Some(expected));
    assert_eq!(load(&mut tx, "i-2").await, Some(instance("i-2")));
    instances::begin_reinit(&mut tx, &id("i-2"), &image("m-2"), at(5)).await.unwrap();
    for text in ["i-2", "i-3"] {
        let answer = instances::set_power(&mut tx, &id(text), power, transition, at(77)).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{text}");
    }
}

#[tokio::test]
async fn d17a_a_reinitialisation_moves_the_use_when_it_ends() {
    let test = TestDb::new().await;
    put(&test, &[instance("i-1"), instance("i-2")]).await;
    let mut tx = test.db.begin().await.unwrap();
    instances::begin_reinit(&mut tx, &id("i-1"), &image("m-2"), at(50)).await.unwrap();
    usages::begin_switch(&mut tx, &switch(&image("m-2"), "i-1")).await.unwrap();
    let again = instances::begin_reinit(&mut tx, &id("i-1"), &image("m-3"), at(60)).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "one at a time");
    assert_eq!(load(&mut tx, "i-1").await.unwrap().reinit_image, Some(image("m-2")));
    assert_eq!(instances::next_due(&mut tx).await.unwrap(), Some(at(50)));
    assert_eq!(instances::due_reinits(&mut tx, at(49), 10).await.unwrap(), []);
    let due = instances::due_reinits(&mut tx, at(50), 10).await.unwrap();
    assert_eq!(due, [(id("i-1"), image("m-1"), image("m-2"))]);
    tx.commit().await.unwrap();

    let mut tx = test.db.begin().await.unwrap();
    for (text, to) in [("i-1", "m-3"), ("i-2", "m-2"), ("i-3", "m-2")] {
        let wrong = instances::end_reinit(&mut tx, &id(text), &image(to)).await;
        assert!(matches!(wrong, Err(StoreError::Conflict)), "{text} to {to}");
    }
    instances::end_reinit(&mut tx, &id("i-1"), &image("m-2")).await.unwrap();
    let ended = Instance { image: image("m-2"), ..instance("i-1") };
    assert_eq!(load(&mut tx, "i-1").await, Some(ended));
    assert_eq!(instances::next_due(&mut tx).await.unwrap(), None);
    assert_eq!(instances::due_reinits(&mut tx, at(i64::MAX), 10).await.unwrap(), []);
    assert_eq!(tx.ask(usages::of_image(&image("m-1"))).await.unwrap().len(), 1, "that of i-2");
    let uses = tx.ask(usages::of_image(&image("m-2"))).await.unwrap();
    assert_eq!(uses.len(), 1);
    assert!(!uses[0].in_progress && uses[0].consumer == "i-1");
}

#[tokio::test]
async fn due_reinitialisations_come_the_longest_due_first() {
    let test = TestDb::new().await;
    put(&test, &[instance("i-1"), instance("i-2"), instance("i-3")]).await;
    let mut tx = test.db.begin().await.unwrap();
    for (text, due) in [("i-1", 30), ("i-2", 10), ("i-3", 20)] {
        instances::begin_reinit(&mut tx, &id(text), &image("m-2"), at(due)).await.unwrap();
    }
    let due = instances::due_reinits(&mut tx, at(100), 2).await.unwrap();
    assert_eq!(due.iter().map(|(id, ..)| id.as_str()).collect::<Vec<_>>(), ["i-2", "i-3"]);
}

#[tokio::test]
async fn d16_a_released_instance_leaves_nothing_behind() {
    let test = TestDb::new().await;
    put(&test, &[instance("i-1"), instance("i-10")]).await;
    let mut tx = test.db.begin().await.unwrap();
    for text in ["i-1", "i-10"] {
        let tag = Tag { resource: text.to_owned(), key: "team".to_owned(), value: "red".to_owned() };
        tags::put(&mut tx, tag_kind(), &tag).await.unwrap();
    }
    instances::begin_reinit(&mut tx, &id("i-1"), &image("m-2"), at(50)).await.unwrap();
    usages::begin_switch(&mut tx, &switch(&image("m-2"), "i-1")).await.unwrap();
    instances::release(&mut tx, ENS, &id("i-1")).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.db.begin().await.unwrap();
    assert_eq!(load(&mut tx, "i-1").await, None);
    assert_eq!(load(&mut tx, "i-10").await, Some(instance("i-10")));
    assert_eq!(tags::of(&mut tx, tag_kind(), "i-1").await.unwrap(), []);
    assert_eq!(tags::of(&mut tx, tag_kind(), "i-10").await.unwrap().len(), 1);
    assert_eq!(tx.ask(usages::of_image(&image("m-1"))).await.unwrap(), [usage(&image("m-1"), "i-10")]);
    assert_eq!(tx.ask(usages::of_image(&image("m-2"))).await.unwrap(), []);
    assert_eq!(instances::next_due(&mut tx).await.unwrap(), None);
    let again = instances::release(&mut tx, ENS, &id("i-1")).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    drop(tx);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM disks").await, 2);
}

/// Groups and workstations lie in the same table; nobody gets one for the other.
#[tokio::test]
async fn a_consumer_is_found_as_its_kind_only() {
    const KINDS: [ConsumerKind; 3] =
        [ConsumerKind::Instance, ConsumerKind::DeliveryGroup, ConsumerKind::Workstation];
    let test = TestDb::new().await;
    let things =
        KINDS.map(|kind| Instance { kind, ..instance(&format!("x-{}", usages::kind_to_text(kind))) });
    put(&test, &things).await;
    let mut tx = test.db.begin().await.unwrap();
    for thing in &things {
        for kind in KINDS {
            let expected = (kind == thing.kind).then(|| thing.clone());
            assert_eq!(instances::load(&mut tx, kind, &thing.id, &account(1)).await.unwrap(), expected);
        }
        let all = instances::Filter::default();
        let (listed, total) = instances::list(&mut tx, thing.kind, &account(1), &all, 0, 9).await.unwrap();
        assert_eq!((listed.as_slice(), total), (std::slice::from_ref(thing), 1));
        let by_disk = instances::load_by_disk(&mut tx, &thing.disks[0].id, &account(1)).await.unwrap();
        assert_eq!(by_disk.is_some(), thing.kind == ENS, "disks are ENS instances' only");
    }
    instances::release(&mut tx, ConsumerKind::Workstation, &things[2].id).await.unwrap();
    let left = tx.ask(usages::of_image(&image("m-1"))).await.unwrap();
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn a_consumer_is_released_as_its_kind_only() {
    let test = TestDb::new().await;
    put(&test, &[instance("i-1")]).await;
    let mut tx = test.db.begin().await.unwrap();
    let answer = instances::release(&mut tx, ConsumerKind::Workstation, &id("i-1")).await;
    assert!(matches!(answer, Err(StoreError::Conflict)));
}

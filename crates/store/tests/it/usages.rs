//! Usages: the rows that keep an image from being deleted.

use calotype_core::ids::ImageId;
use calotype_core::usage::{Usage, UsageOrigin};
use calotype_store::db::{StoreError, Tx};
use calotype_store::usages;

use crate::support::TestDb;
use crate::things::{account, at, switch, usage};

fn id(text: &str) -> ImageId {
    ImageId::trusted(text)
}

/// The uses of an image, each as consumer, origin and a mark for those in progress.
async fn uses(tx: &mut Tx, image: &str) -> Vec<String> {
    let uses = tx.ask(usages::of_image(&id(image))).await.unwrap();
    let text = |usage: &Usage| {
        let origin = match usage.origin {
            UsageOrigin::Created => "created",
            UsageOrigin::Switched => "switched",
        };
        format!("{} {origin}{}", usage.consumer, if usage.in_progress { "..." } else { "" })
    };
    uses.iter().map(text).collect()
}

#[tokio::test]
async fn every_field_of_a_use_comes_back_the_oldest_first() {
    let test = TestDb::new().await;
    let uses = [
        Usage { since: at(-5), consumer_owner: account(2), ..usage(&id("m-1"), "i-9") },
        Usage { since: at(0), ..usage(&id("m-1"), "i-1") },
        Usage { since: at(0), ..switch(&id("m-1"), "i-2") },
        Usage { since: at(7), in_progress: false, ..switch(&id("m-1"), "i-3") },
    ];
    let mut tx = test.db.begin().await.unwrap();
    for place in [3, 0, 2, 1] {
        usages::insert(&mut tx, &uses[place]).await.unwrap();
    }
    usages::insert(&mut tx, &usage(&id("m-2"), "i-1")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.db.read().await.unwrap();
    assert_eq!(tx.ask(usages::of_image(&id("m-1"))).await.unwrap(), uses);
    assert_eq!(tx.ask(usages::of_image(&id("m-3"))).await.unwrap(), []);
}

#[tokio::test]
async fn a_consumer_has_each_kind_of_use_once() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await.unwrap();
    usages::insert(&mut tx, &switch(&id("m-1"), "i-1")).await.unwrap();
    let again = match usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await {
        Ok(()) => tx.commit().await,
        refused => refused,
    };
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
}

#[tokio::test]
async fn d17a_both_images_are_in_use_until_the_switch_is_done() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-2")).await.unwrap();
    usages::begin_switch(&mut tx, &switch(&id("m-2"), "i-1")).await.unwrap();
    assert_eq!(uses(&mut tx, "m-1").await, ["i-1 created", "i-2 created"]);
    assert_eq!(uses(&mut tx, "m-2").await, ["i-1 switched..."]);
    usages::end_switch(&mut tx, "i-1").await.unwrap();
    assert_eq!(uses(&mut tx, "m-1").await, ["i-2 created"]);
    assert_eq!(uses(&mut tx, "m-2").await, ["i-1 switched"]);
}

/// From image to image and back, and again to the image that it has already.
#[tokio::test]
async fn a_consumer_is_switched_any_number_of_times() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await.unwrap();
    for to in ["m-2", "m-1", "m-1", "m-2", "m-2", "m-1"] {
        usages::begin_switch(&mut tx, &switch(&id(to), "i-1")).await.unwrap();
        assert!(uses(&mut tx, to).await.contains(&"i-1 switched...".to_owned()), "to {to}");
        usages::end_switch(&mut tx, "i-1").await.unwrap();
        assert_eq!(uses(&mut tx, to).await, ["i-1 switched"]);
        let other = if to == "m-1" { "m-2" } else { "m-1" };
        assert_eq!(uses(&mut tx, other).await, [""; 0], "after {to}");
    }
}

#[tokio::test]
async fn a_switch_that_was_not_begun_cannot_end() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    assert!(matches!(usages::end_switch(&mut tx, "i-1").await, Err(StoreError::Conflict)));
    drop(tx);
    let mut tx = test.db.read().await.unwrap();
    assert_eq!(uses(&mut tx, "m-1").await, ["i-1 created"], "the use is still there");
}

#[tokio::test]
async fn a_consumer_that_ends_uses_nothing_any_more() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-10")).await.unwrap();
    usages::begin_switch(&mut tx, &switch(&id("m-2"), "i-1")).await.unwrap();
    usages::end(&mut tx, "i-1").await.unwrap();
    usages::end(&mut tx, "i-none").await.unwrap();
    assert_eq!(uses(&mut tx, "m-1").await, ["i-10 created"]);
    assert_eq!(uses(&mut tx, "m-2").await, [""; 0]);
}

//! The fence, and what happens without it: each race has its negative control.

use calotype_core::delete_image::{DeleteImage, DeleteRules, decide};
use calotype_core::ids::{DeletionId, ImageId};
use calotype_core::image::{Product, usable};
use calotype_store::db::{Db, Lock, Result, StoreError};
use calotype_store::deletions::{DeletionAct, Kept};
use calotype_store::{images, usages};

use crate::support::{TestDb, mark, marks_in};
use crate::things::{NOW, account, authorized, image, usage};

/// Looks whether anybody has put a mark, and puts one if not: right only if nobody comes between.
async fn put_the_only_one(db: &Db, name: &str) -> Result<bool> {
    let mut tx = db.begin().await?;
    let free = marks_in(&mut tx).await.is_empty();
    tokio::task::yield_now().await;
    if free {
        mark(&mut tx, name, 0).await?;
    }
    tx.commit().await?;
    Ok(free)
}

async fn race_for_the_only_one(test: &TestDb) -> usize {
    let (one, other) = futures::join!(put_the_only_one(&test.db, "one"), put_the_only_one(&test.db, "other"));
    let winners = usize::from(one.unwrap()) + usize::from(other.unwrap());
    assert_eq!(test.marks().await.len(), winners);
    winners
}

/// One writer has its turn; where there are several, they lock what they look at.
#[tokio::test]
async fn nobody_comes_between_a_look_and_a_write() {
    assert_eq!(race_for_the_only_one(&TestDb::embedded().await).await, 1);
}

#[tokio::test]
async fn without_the_fence_somebody_does() {
    assert_eq!(race_for_the_only_one(&TestDb::unfenced_file().await).await, 2);
}

/// Deletes as the service does; whether it was accepted.
async fn delete(db: &Db, id: &ImageId) -> Result<bool> {
    let mut tx = db.begin().await?;
    let (view, _) = images::load_delete_view(&mut tx, Product::Ens, id, &account(1), false).await?;
    tokio::task::yield_now().await;
    let deletion = DeletionId::trusted(format!("del-{id}"));
    let command = DeleteImage { image: id.clone(), deletion, grace_ms: 0 };
    let rules = DeleteRules { outgoing_shares_block: false, templates_go: false };
    let Ok(plan) = decide(&authorized(), &command, &rules, view, NOW) else {
        return Ok(false);
    };
    let kept = Kept::default();
    let act = DeletionAct { caller: "caller", request_id: "request", reason: None, kept: &kept };
    images::apply_delete(&mut tx, &plan, &act).await?;
    tx.commit().await?;
    Ok(true)
}

/// Starts a use as the service does; whether it was accepted.
async fn launch(db: &Db, id: &ImageId) -> Result<bool> {
    let mut tx = db.begin().await?;
    images::lock(&mut tx, id, Lock::Shared);
    let view = tx.ask(images::load(Product::Ens, id, &account(1))).await?;
    tokio::task::yield_now().await;
    if usable(view.as_ref()).is_err() {
        return Ok(false);
    }
    usages::insert(&mut tx, &usage(id, "i-1")).await?;
    tx.commit().await?;
    Ok(true)
}

/// Lets a delete and a launch race over fresh images; how often both were accepted.
async fn races_that_end_wrong(test: &TestDb, rounds: u32) -> u32 {
    let mut wrong = 0;
    for round in 0..rounds {
        let image = image(&format!("m-{round}"));
        let mut tx = test.db.begin().await.unwrap();
        images::insert(&mut tx, &image).await.unwrap();
        tx.commit().await.unwrap();
        // Either may come first.
        let (deleted, launched) = if round % 2 == 0 {
            futures::join!(delete(&test.db, &image.id), launch(&test.db, &image.id))
        } else {
            let (launched, deleted) =
                futures::join!(launch(&test.db, &image.id), delete(&test.db, &image.id));
            (deleted, launched)
        };
        let (deleted, launched) = (deleted.unwrap(), launched.unwrap());
        assert!(deleted || launched, "somebody wins");
        wrong += u32::from(deleted && launched);
        let mut tx = test.db.read().await.unwrap();
        assert_eq!(tx.ask(usages::of_image(&image.id)).await.unwrap().len(), usize::from(launched));
    }
    wrong
}

#[tokio::test]
async fn d49_a_delete_and_a_launch_are_never_both_accepted() {
    assert_eq!(races_that_end_wrong(&TestDb::new().await, 50).await, 0);
}

#[tokio::test]
async fn d49_without_the_fence_they_are() {
    assert!(races_that_end_wrong(&TestDb::unfenced().await, 50).await > 0);
}

/// The guard in the statement holds even where both have seen the image.
#[tokio::test]
async fn d48_of_two_deletes_one_wins_even_without_the_fence() {
    for (test, fenced) in [(TestDb::new().await, true), (TestDb::unfenced().await, false)] {
        let mut met = 0;
        for round in 0..50 {
            let id = ImageId::trusted(format!("m-{round}"));
            let mut tx = test.db.begin().await.unwrap();
            images::insert(&mut tx, &image(id.as_str())).await.unwrap();
            tx.commit().await.unwrap();
            let (one, other) = futures::join!(delete(&test.db, &id), delete(&test.db, &id));
            let loser = match (one, other) {
                (Ok(true), loser) | (loser, Ok(true)) => loser,
                neither => panic!("{neither:?}"),
            };
            match loser {
                Ok(false) => {}
                Err(StoreError::Conflict) if !fenced => met += 1,
                other => panic!("fenced {fenced}: {other:?}"),
            }
        }
        assert!(fenced || met > 0, "the guard was never needed");
    }
}

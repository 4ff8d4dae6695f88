//! Community images: published for everybody, and what they keep from being deleted.

use calotype_core::delete_image::{DeleteImage, DeleteRefusal, DeleteRules, decide};
use calotype_core::ids::{AccountId, DeletionId, ImageId};
use calotype_core::image::{Image, ImageKind, Product, Standing};
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::images::{self, Filter};
use calotype_store::shares;

use crate::image_lists::{ALL, listed};
use crate::support::TestDb;
use crate::things::{NOW, account, at, authorized, image};

fn id(text: &str) -> ImageId {
    ImageId::trusted(text)
}

async fn put(test: &TestDb, things: &[Image]) {
    let mut tx = test.db.begin().await.unwrap();
    for image in things {
        images::insert(&mut tx, image).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn publish(test: &TestDb, text: &str, published: Option<Timestamp>) -> Result<(), StoreError> {
    let mut tx = test.db.begin().await?;
    images::set_published(&mut tx, &id(text), published).await?;
    tx.commit().await
}

async fn children(test: &TestDb, parent: &str) -> Vec<ImageId> {
    let mut tx = test.db.begin().await.unwrap();
    let loaded = images::load_delete_view(&mut tx, Product::Ens, &id(parent), &account(1), false).await;
    let (view, _) = loaded.unwrap();
    let rules = DeleteRules { outgoing_shares_block: false, templates_go: false };
    let command = DeleteImage { image: id(parent), deletion: DeletionId::trusted("del-1"), grace_ms: 0 };
    let children = view.community_children.clone();
    let refusal = decide(&authorized(), &command, &rules, view, NOW).err();
    let expected = (!children.is_empty()).then(|| DeleteRefusal::CommunityParent(children.clone()));
    assert_eq!(refusal, expected);
    children
}

#[tokio::test]
async fn d35_a_parent_has_the_live_children_that_are_published() {
    let test = TestDb::new().await;
    let child = |text: &str| Image { parent: Some(id("m-1")), ..image(text) };
    put(
        &test,
        &[
            image("m-1"),
            child("m-4"),
            Image { owner: account(2), ..child("m-3") },
            child("m-2"),
            Image { base: Some(id("m-1")), parent: Some(id("m-4")), published: Some(NOW), ..image("m-5") },
        ],
    )
    .await;
    assert_eq!(children(&test, "m-1").await, []);
    publish(&test, "m-4", Some(NOW)).await.unwrap();
    publish(&test, "m-3", Some(NOW)).await.unwrap();
    assert_eq!(children(&test, "m-1").await, ["m-3", "m-4"].map(id), "whoever they belong to");
    assert_eq!(children(&test, "m-4").await, [id("m-5")]);
    publish(&test, "m-3", None).await.unwrap();
    assert_eq!(children(&test, "m-1").await, [id("m-4")]);
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1 WHERE id = 'm-4'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(children(&test, "m-1").await, []);
    for gone in ["m-4", "m-none"] {
        assert!(matches!(publish(&test, gone, Some(NOW)).await, Err(StoreError::Conflict)), "{gone}");
    }
}

/// `m-1` and `m-2` are the first account's, `m-3` to `m-6` the second's. `m-2`, `m-4`, `m-5` and `m-6` are
/// published; `m-5` is shared to the first account too, `m-6` is deleted. `m-7` is of another product.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let made = |number: i64, published: bool| Image {
        owner: account(if number < 3 { 1 } else { 2 }),
        published: published.then_some(NOW),
        created: at(number),
        ..image(&format!("m-{number}"))
    };
    let things = [
        made(1, false),
        made(2, true),
        made(3, false),
        made(4, true),
        made(5, true),
        made(6, true),
        Image { product: Product::AppStreaming, ..made(7, true) },
    ];
    put(&test, &things).await;
    let mut tx = test.db.begin().await.unwrap();
    shares::add(&mut tx, &id("m-5"), &account(1), NOW).await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1 WHERE id = 'm-6'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    test
}

#[tokio::test]
async fn everybody_is_shown_what_is_published_and_each_image_once() {
    let test = stocked().await;
    let none = || Filter { public: false, own: false, shared_in: false, ..ALL };
    let table = [
        (none(), ""),
        (Filter { community: true, ..none() }, "5 4 2"),
        (Filter { community: true, shared_in: true, ..none() }, "5 4 2"),
        (Filter { community: true, own: true, ..none() }, "5 4 2 1"),
        (Filter { community: true, ..ALL }, "5 4 2 1"),
        (Filter { own: true, ..none() }, "2 1"),
        (Filter { own: true, own_unpublished: true, ..none() }, "1"),
        (Filter { own_unpublished: true, ..none() }, ""),
        (Filter { own: true, own_unpublished: true, community: true, ..none() }, "5 4 2 1"),
        (Filter { community: true, ids: vec!["m-3", "m-4"], ..none() }, "4"),
        (ALL, "5 2 1"),
    ];
    for (filter, expected) in table {
        assert_eq!(listed(&test, &filter).await, expected, "{filter:?}");
    }
    publish(&test, "m-4", None).await.unwrap();
    assert_eq!(listed(&test, &Filter { community: true, ..none() }).await, "5 2");
}

#[tokio::test]
async fn a_community_image_stands_as_one_unless_it_is_nearer() {
    let test = stocked().await;
    let mut tx = test.db.read().await.unwrap();
    let filter = Filter { community: true, ..ALL };
    let (views, _) = images::list(&mut tx, Product::Ens, &account(1), &filter, 0, 9).await.unwrap();
    let expected = [Standing::SharedIn, Standing::Community, Standing::Own, Standing::Own];
    assert!(views.iter().map(|view| view.standing).eq(expected));
    for view in &views {
        let loaded = tx.ask(images::load(Product::Ens, &view.image.id, &account(1))).await.unwrap();
        assert_eq!(loaded.as_ref(), Some(view));
    }
    let hidden = tx.ask(images::load(Product::Ens, &id("m-3"), &account(1))).await.unwrap().unwrap();
    assert_eq!(hidden.standing, Standing::Hidden);
    let (views, total) =
        images::list(&mut tx, Product::AppStreaming, &account(1), &filter, 0, 9).await.unwrap();
    assert_eq!((views.len(), total), (1, 1), "the other product's");
    assert_eq!(views[0].image.id, id("m-7"));
    assert_eq!(tx.ask(images::load(Product::Ens, &id("m-7"), &account(1))).await.unwrap(), None);
}

/// What is in two arms of the listing's union is listed by the earlier one only.
#[tokio::test]
async fn a_system_image_is_listed_once_however_it_stands_beside() {
    let test = TestDb::new().await;
    let system = Image {
        owner: AccountId::trusted(images::SYSTEM_OWNER),
        kind: ImageKind::System,
        published: Some(NOW),
        ..image("m-1")
    };
    put(&test, &[system]).await;
    let mut tx = test.db.begin().await.unwrap();
    shares::add(&mut tx, &id("m-1"), &account(1), NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(listed(&test, &Filter { community: true, ..ALL }).await, "1");
}

/// The standing does not depend on which arms a listing has.
#[tokio::test]
async fn a_shared_community_image_stands_the_same_in_every_listing() {
    let test = stocked().await;
    let mut tx = test.db.read().await.unwrap();
    let filter = Filter { ids: vec!["m-5"], shared_in: false, community: true, ..ALL };
    let (views, _) = images::list(&mut tx, Product::Ens, &account(1), &filter, 0, 9).await.unwrap();
    let loaded = tx.ask(images::load(Product::Ens, &id("m-5"), &account(1))).await.unwrap().unwrap();
    assert_eq!(views, [loaded]);
}

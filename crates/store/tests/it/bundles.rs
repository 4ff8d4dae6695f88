//! Bundles: their rows, their listing, and which of them go with an image.

use calotype_core::ids::{BundleId, ImageId};
use calotype_core::template::{Bundle, Details};
use calotype_store::bundles::{self, Filter};
use calotype_store::db::StoreError;

use crate::support::TestDb;
use crate::templates::details;
use crate::things::{account, at};

const REGION: &str = "cn-hangzhou";

fn id(text: &str) -> BundleId {
    BundleId::trusted(text)
}

/// A bundle of the first account's that references `m-1`.
fn bundle(text: &str) -> Bundle {
    Bundle {
        id: id(text),
        owner: account(1),
        image: ImageId::trusted("m-1"),
        region: REGION.to_owned(),
        name: format!("name of {text}"),
        details: details(),
        created: at(5),
    }
}

/// `b-1` to `b-5` reference `m-1`, but for `b-2`; `b-3` is the second account's, `b-4` elsewhere.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for bundle in [
        Bundle { details: Details::new(), ..bundle("b-5") },
        bundle("b-1"),
        Bundle { image: ImageId::trusted("m-10"), ..bundle("b-2") },
        Bundle { owner: account(2), ..bundle("b-3") },
        Bundle { region: "cn-shanghai".to_owned(), ..bundle("b-4") },
    ] {
        bundles::insert(&mut tx, &bundle).await.unwrap();
    }
    tx.commit().await.unwrap();
    test
}

async fn listed(test: &TestDb, filter: &Filter<'_>, limit: i64) -> String {
    let mut tx = test.db.read().await.unwrap();
    let found = bundles::list(&mut tx, &account(1), filter, limit).await.unwrap();
    found.iter().map(|bundle| bundle.id.as_str().trim_start_matches("b-")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_field_of_a_bundle_comes_back() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    let filter = Filter { region: REGION, ids: vec!["b-1", "b-5"], ..Filter::default() };
    let found = bundles::list(&mut tx, &account(1), &filter, 9).await.unwrap();
    assert_eq!(found, [bundle("b-1"), Bundle { details: Details::new(), ..bundle("b-5") }]);
    let again = bundles::insert(&mut tx, &Bundle { owner: account(2), ..bundle("b-1") }).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "an id is taken once");
}

#[tokio::test]
async fn each_filter_lets_its_own_through_in_the_order_of_ids() {
    let test = stocked().await;
    let all = || Filter { region: REGION, ..Filter::default() };
    let table = [
        (all(), 9, "1 2 5"),
        (all(), 2, "1 2"),
        (Filter { after: Some("b-1"), ..all() }, 9, "2 5"),
        (Filter { after: Some("b-10"), ..all() }, 1, "2"),
        (Filter { after: Some("b-5"), ..all() }, 9, ""),
        (Filter { region: "cn-shanghai", ..all() }, 9, "4"),
        (Filter { region: "cn", ..all() }, 9, ""),
        (Filter { ids: vec!["b-3", "b-4", "b-5"], ..all() }, 9, "5"),
        (Filter { ids: vec!["b-"], ..all() }, 9, ""),
        (Filter { images: vec!["m-1"], ..all() }, 9, "1 5"),
        (Filter { images: vec!["m-1", "m-10"], after: Some("b-1"), ..all() }, 9, "2 5"),
    ];
    for (filter, limit, expected) in table {
        assert_eq!(listed(&test, &filter, limit).await, expected, "{limit} by {filter:?}");
    }
}

#[tokio::test]
async fn a_bundle_is_deleted_by_its_owner_in_its_region() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    for (text, region, owner, deleted) in [
        ("b-1", "cn-shanghai", 1, false),
        ("b-1", REGION, 2, false),
        ("b-9", REGION, 1, false),
        ("b-1", REGION, 1, true),
        ("b-1", REGION, 1, false),
    ] {
        let answer = bundles::delete(&mut tx, &id(text), region, &account(owner)).await.unwrap();
        assert_eq!(answer, deleted, "{text} in {region} by {owner}");
    }
    tx.commit().await.unwrap();
    assert_eq!(listed(&test, &Filter { region: REGION, ..Filter::default() }, 9).await, "2 5");
}

#[tokio::test]
async fn the_bundles_of_an_image_are_told_and_deleted_for_one_account() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    let image = ImageId::trusted("m-1");
    let ids = |found: Vec<Bundle>| found.into_iter().map(|bundle| bundle.id).collect::<Vec<_>>();
    let of_first = bundles::of_image(&mut tx, &image, &account(1)).await.unwrap();
    assert_eq!(ids(of_first), ["b-1", "b-4", "b-5"].map(id), "in every region");
    bundles::delete_of_image(&mut tx, &image, &account(1)).await.unwrap();
    assert_eq!(bundles::of_image(&mut tx, &image, &account(1)).await.unwrap(), []);
    let of_second = bundles::of_image(&mut tx, &image, &account(2)).await.unwrap();
    assert_eq!(ids(of_second), [id("b-3")]);
    let other = bundles::of_image(&mut tx, &ImageId::trusted("m-10"), &account(1)).await.unwrap();
    assert_eq!(ids(other), [id("b-2")]);
}

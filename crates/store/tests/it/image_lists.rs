//! Which images a listing gives, in what order, page by page.

use calotype_core::ids::{AccountId, ImageId, SnapshotId};
use calotype_core::image::{Image, ImageKind, ImageState, Product, Stage, Standing};
use calotype_store::images::{self, Filter};
use calotype_store::shares;

use crate::support::TestDb;
use crate::things::{NOW, account, at, image};

/// Everything but community images.
pub const ALL: Filter<'static> = Filter {
    id_part: None,
    ids: Vec::new(),
    name_part: None,
    snapshot: None,
    state: None,
    begun: None,
    os_type: None,
    platforms: Vec::new(),
    product_types: Vec::new(),
    regions: Vec::new(),
    details: Vec::new(),
    tags: Vec::new(),
    public: true,
    own: true,
    shared_in: true,
    own_unpublished: false,
    community: false,
};

/// The first account has `m-1` to `m-4`, a newer one each; `m-5` is the second account's and shared,
/// `m-6` is not; `m-7` is the system's; `m-8` is deleted.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for number in 1..=8 {
        let text = format!("m-{number}");
        let mut image = Image { created: at(number), ..image(&text) };
        match number {
            2 => image.state = ImageState::Making(Stage::Packing),
            3 => image.source_snapshot = Some(SnapshotId::trusted("s-1")),
            5 | 6 => image.owner = account(2),
            7 => {
                image.owner = AccountId::trusted(images::SYSTEM_OWNER);
                image.kind = ImageKind::System;
            }
            _ => {}
        }
        images::insert(&mut tx, &image).await.unwrap();
        if [4, 5].contains(&number) {
            shares::add(&mut tx, &image.id, &account(1), NOW).await.unwrap();
            shares::add(&mut tx, &image.id, &account(3), NOW).await.unwrap();
        }
    }
    tx.execute("UPDATE images SET deleted_ms = 1 WHERE id = 'm-8'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    test
}

/// A page for the first account: the ids without their mark, and the number of all.
async fn page(test: &TestDb, filter: &Filter<'_>, offset: i64, limit: i64) -> (String, i64) {
    let mut tx = test.db.read().await.expect("read");
    let (views, total) =
        images::list(&mut tx, Product::Ens, &account(1), filter, offset, limit).await.expect("list");
    let ids = views.iter().map(|view| view.image.id.as_str().trim_start_matches("m-"));
    (ids.collect::<Vec<_>>().join(" "), total)
}

pub async fn listed(test: &TestDb, filter: &Filter<'_>) -> String {
    let (ids, total) = page(test, filter, 0, 100).await;
    assert_eq!(i64::try_from(ids.split_whitespace().count()).unwrap(), total);
    ids
}

#[tokio::test]
async fn each_filter_lets_its_own_through() {
    let test = stocked().await;
    let table = [
        (ALL, "7 5 4 3 2 1"),
        (Filter { public: false, ..ALL }, "5 4 3 2 1"),
        (Filter { own: false, ..ALL }, "7 5"),
        (Filter { shared_in: false, ..ALL }, "7 4 3 2 1"),
        (Filter { own: false, shared_in: false, ..ALL }, "7"),
        (Filter { own: false, public: false, ..ALL }, "5"),
        (Filter { shared_in: false, public: false, ..ALL }, "4 3 2 1"),
        (Filter { own: false, shared_in: false, public: false, ..ALL }, ""),
        (Filter { state: Some("available"), ..ALL }, "7 5 4 3 1"),
        (Filter { state: Some("making"), ..ALL }, "2"),
        (Filter { state: Some("avail"), ..ALL }, ""),
        (Filter { snapshot: Some("s-1"), ..ALL }, "3"),
        (Filter { snapshot: Some("s-2"), ..ALL }, ""),
        (Filter { ids: vec!["m-3"], ..ALL }, "3"),
        (Filter { ids: vec!["m-3", "m-6", "m-5"], ..ALL }, "5 3"),
        (Filter { ids: vec!["m-"], ..ALL }, ""),
        (Filter { ids: vec!["m-6"], ..ALL }, ""),
        (Filter { ids: vec!["m-8"], ..ALL }, ""),
        (Filter { id_part: Some("m-"), ..ALL }, "7 5 4 3 2 1"),
        (Filter { id_part: Some("-3"), ..ALL }, "3"),
        (Filter { id_part: Some("6"), ..ALL }, ""),
        (Filter { name_part: Some("name of m-5"), ..ALL }, "5"),
        (Filter { name_part: Some("name of m-55"), ..ALL }, ""),
        (Filter { name_part: Some("of m-"), ..ALL }, "7 5 4 3 2 1"),
        (Filter { name_part: Some("OF"), ..ALL }, ""),
        (Filter { name_part: Some("2"), id_part: Some("1"), ..ALL }, ""),
        (Filter { name_part: Some("2"), id_part: Some("2"), ..ALL }, "2"),
    ];
    for (filter, expected) in table {
        assert_eq!(listed(&test, &filter).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn an_exact_id_comes_before_newer_images_that_contain_it() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for (place, id) in (0_i64..).zip(["m-1", "m-11", "m-111"]) {
        images::insert(&mut tx, &Image { created: at(place), ..image(id) }).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(listed(&test, &Filter { id_part: Some("m-1"), ..ALL }).await, "1 111 11");
    assert_eq!(listed(&test, &Filter { id_part: Some("m-11"), ..ALL }).await, "11 111");
}

#[tokio::test]
async fn pages_neither_overlap_nor_leave_gaps_and_all_know_the_total() {
    let test = stocked().await;
    for (offset, limit, expected) in [
        (0, 4, "7 5 4 3"),
        (4, 4, "2 1"),
        (5, 1, "1"),
        (6, 4, ""),
        (1_000, 4, ""),
        (i64::MAX, 1, ""),
        (0, 0, ""),
    ] {
        let (ids, total) = page(&test, &ALL, offset, limit).await;
        assert_eq!(ids, expected, "{limit} from {offset}");
        if limit > 0 {
            assert_eq!(total, 6, "{limit} from {offset}");
        }
    }
    let nothing = Filter { ids: vec!["m-0"], ..ALL };
    assert_eq!(page(&test, &nothing, 0, 10).await, (String::new(), 0));
    assert_eq!(page(&test, &nothing, 10, 10).await, (String::new(), 0));
}

#[tokio::test]
async fn images_of_one_moment_have_an_order_too() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for id in ["m-3", "m-1", "m-2"] {
        images::insert(&mut tx, &image(id)).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(listed(&test, &ALL).await, "1 2 3");
}

#[tokio::test]
async fn d9_a_listing_tells_how_each_image_stands() {
    let test = stocked().await;
    let mut tx = test.db.read().await.unwrap();
    let (views, _) = images::list(&mut tx, Product::Ens, &account(1), &ALL, 0, 3).await.unwrap();
    let standings: Vec<Standing> = views.iter().map(|view| view.standing).collect();
    // The third is the account's own although its share list names the account.
    assert_eq!(standings, [Standing::Public, Standing::SharedIn, Standing::Own]);
    let (views, total) = images::list(&mut tx, Product::Ens, &account(3), &ALL, 0, 9).await.unwrap();
    assert_eq!(total, 3, "one public, two shared");
    assert!(views.iter().all(|view| view.standing != Standing::Own));
    let (views, total) = images::list(&mut tx, Product::Ens, &account(4), &ALL, 0, 9).await.unwrap();
    assert_eq!((views.len(), total), (1, 1));
}

/// No character of a part means anything but itself.
#[tokio::test]
async fn parts_of_names_are_taken_literally() {
    const NAMES: [&str; 9] = [
        "100% done",
        "a_b",
        "it's",
        "say \"x\"",
        "a,b",
        "\u{955c}\u{50cf}",
        "back\\slash",
        "e\u{301}",
        "*?[a]",
    ];
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for (place, name) in NAMES.into_iter().enumerate() {
        let image = Image { name: name.to_owned(), ..image(&format!("m-{place}")) };
        images::insert(&mut tx, &image).await.unwrap();
    }
    tx.commit().await.unwrap();
    for (part, expected) in [
        ("%", "0"),
        ("_", "1"),
        ("'", "2"),
        ("'; DROP TABLE images; --", ""),
        ("\"", "3"),
        (",", "4"),
        ("\u{50cf}", "5"),
        ("\\", "6"),
        ("\u{e9}", ""),
        ("\u{301}", "7"),
        ("*", "8"),
        ("[a]", "8"),
        ("a", "3 4 1 6 8"),
    ] {
        let mut found: Vec<String> = listed(&test, &Filter { name_part: Some(part), ..ALL })
            .await
            .split(' ')
            .map(str::to_owned)
            .collect();
        found.sort();
        let mut expected: Vec<&str> = expected.split(' ').collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{part:?}");
    }
    for (place, name) in NAMES.into_iter().enumerate() {
        let whole = Filter { name_part: Some(name), ..ALL };
        assert_eq!(listed(&test, &whole).await, place.to_string(), "{name:?}");
    }
}

/// One id goes a way of its own, which must give what the listing gives.
#[tokio::test]
async fn an_id_gives_what_the_listing_has_of_it() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    for number in [3, 5, 6] {
        images::set_published(&mut tx, &ImageId::trusted(format!("m-{number}")), Some(NOW)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = test.db.read().await.unwrap();
    let mut found = 0;
    for flags in 0..64 {
        let has = |flag: u32| flags & (1 << flag) != 0;
        let scope = Filter {
            public: has(0),
            own: has(1),
            shared_in: has(2),
            own_unpublished: has(3),
            community: has(4),
            state: has(5).then_some("available"),
            ..Filter::default()
        };
        for caller in 1..=3 {
            let caller = account(caller);
            let (all, _) = images::list(&mut tx, Product::Ens, &caller, &scope, 0, 50).await.unwrap();
            for number in 1..=9 {
                let asked = format!("m-{number}");
                let filter = Filter { ids: vec![&asked], ..scope.clone() };
                let (one, total) =
                    images::list(&mut tx, Product::Ens, &caller, &filter, 0, 50).await.unwrap();
                let expected: Vec<_> =
                    all.iter().filter(|view| view.image.id.as_str() == asked).cloned().collect();
                assert_eq!(one, expected, "{filter:?}");
                assert_eq!(total, i64::try_from(one.len()).unwrap());
                found += one.len();
            }
        }
    }
    assert!(found > 100, "{found}");
}

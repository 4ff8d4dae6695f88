//! Tags: on instances, listed place by place.

use calotype_store::instances;
use calotype_store::tags::{self, Filter, Tag};

use crate::support::TestDb;
use crate::things::{account, instance, tag_kind};

fn tag(resource: &str, key: &str, value: &str) -> Tag {
    Tag { resource: resource.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

/// `i-1`, `i-2` and `i-10` are the first account's, `i-3` is the second's.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for (id, owner) in [("i-1", 1), ("i-2", 1), ("i-10", 1), ("i-3", 2)] {
        let mut instance = instance(id);
        instance.owner = account(owner);
        instances::insert(&mut tx, &instance).await.unwrap();
    }
    for (resource, key, value) in [
        ("i-1", "team", "red"),
        ("i-1", "env", "prod"),
        ("i-1", "a/b", "1,2"),
        ("i-2", "team", "blue"),
        ("i-2", "env", ""),
        ("i-10", "team", "red"),
        ("i-3", "team", "red"),
    ] {
        tags::put(&mut tx, tag_kind(), &tag(resource, key, value)).await.unwrap();
    }
    tags::put(&mut tx, "image", &tag("i-1", "other", "kind")).await.unwrap();
    tx.commit().await.unwrap();
    test
}

async fn places(test: &TestDb, filter: &Filter<'_>, limit: i64) -> Vec<String> {
    let mut tx = test.db.read().await.unwrap();
    let found = tags::list(&mut tx, &account(1), filter, limit).await.unwrap();
    found.iter().map(tags::place).collect()
}

fn filter<'a>() -> Filter<'a> {
    Filter { kind: tag_kind(), ..Filter::default() }
}

#[tokio::test]
async fn a_thing_has_one_value_for_a_key() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    tags::put(&mut tx, tag_kind(), &tag("i-1", "team", "\u{7ea2} '\"%")).await.unwrap();
    let expected = [tag("i-1", "a/b", "1,2"), tag("i-1", "env", "prod"), tag("i-1", "team", "\u{7ea2} '\"%")];
    assert_eq!(tags::of(&mut tx, tag_kind(), "i-1").await.unwrap(), expected);
    assert_eq!(tags::of(&mut tx, tag_kind(), "i-9").await.unwrap(), []);
}

#[tokio::test]
async fn removing_all_leaves_those_of_other_things_and_kinds() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    tags::remove_all(&mut tx, tag_kind(), "i-1").await.unwrap();
    assert_eq!(tags::of(&mut tx, tag_kind(), "i-1").await.unwrap(), []);
    assert_eq!(tags::of(&mut tx, tag_kind(), "i-10").await.unwrap().len(), 1);
    assert_eq!(tags::of(&mut tx, "image", "i-1").await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_filter_lets_its_own_through() {
    let test = stocked().await;
    let table: [(Filter<'_>, &[&str]); 10] = [
        (filter(), &["i-1/a/b", "i-1/env", "i-1/team", "i-10/team", "i-2/env", "i-2/team"]),
        (Filter { kind: "image", ..filter() }, &[]),
        (Filter { resources: vec!["i-10", "i-2"], ..filter() }, &["i-10/team", "i-2/env", "i-2/team"]),
        (Filter { resources: vec!["i-1"], ..filter() }, &["i-1/a/b", "i-1/env", "i-1/team"]),
        (Filter { resources: vec!["i-3", "i-"], ..filter() }, &[]),
        (
            Filter { tags: vec![("team", Some("red"))], ..filter() },
            &["i-1/a/b", "i-1/env", "i-1/team", "i-10/team"],
        ),
        (
            Filter { tags: vec![("team", Some("red")), ("env", None)], ..filter() },
            &["i-1/a/b", "i-1/env", "i-1/team"],
        ),
        (Filter { tags: vec![("env", Some(""))], ..filter() }, &["i-2/env", "i-2/team"]),
        (Filter { tags: vec![("env", None), ("team", None), ("a/b", Some("x"))], ..filter() }, &[]),
        (Filter { tags: vec![("TEAM", None)], ..filter() }, &[]),
    ];
    for (filter, expected) in table {
        assert_eq!(places(&test, &filter, 100).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_listing_goes_on_after_any_place() {
    let test = stocked().await;
    let all = places(&test, &filter(), 100).await;
    for limit in 1..4 {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let after = seen.last().cloned();
            let page = places(&test, &Filter { after: after.as_deref(), ..filter() }, limit).await;
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, all, "by {limit}");
    }
}

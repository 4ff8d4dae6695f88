//! Which instances a listing gives, in what order, page by page.

use calotype_core::ids::ImageId;
use calotype_core::instance::{ChargeType, Instance, InstanceLabels, PowerState};
use calotype_core::usage::ConsumerKind;
use calotype_store::instances::{self, Filter};
use calotype_store::tags::{self, Tag};

use crate::instances::put;
use crate::support::TestDb;
use crate::things::{account, at, instance, tag_kind};

/// The settled time of instances that are on their way.
const LATER: i64 = 5_000;

/// `i-1` to `i-6` of the first account, each newer than the one before, and `i-7` of the second.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let plain =
        |number: i64| Instance { created: at(number), settles: at(0), ..instance(&format!("i-{number}")) };
    let labelled = |number, name: &str, value: &str| {
        let labels =
            InstanceLabels { echo: vec![(name.to_owned(), value.to_owned())], ..plain(number).labels };
        Instance { labels, ..plain(number) }
    };
    let mut things = [
        Instance { image: ImageId::trusted("m-2"), ..plain(1) },
        Instance { charge_type: ChargeType::PrePaid, ..plain(2) },
        Instance { power: PowerState::Stopped, ..plain(3) },
        Instance { settles: at(LATER), ..labelled(4, "VSwitchId", "vsw-1") },
        labelled(5, "NetworkId", "vsw-1\",\"VSwitchId\":\"vsw-1"),
        plain(6),
        Instance { owner: account(2), ..plain(7) },
    ];
    "100%,_'\"".clone_into(&mut things[2].labels.name);
    "ens.big".clone_into(&mut things[4].labels.instance_type);
    "cn-wuxi".clone_into(&mut things[5].labels.region);
    put(&test, &things).await;
    let mut tx = test.db.begin().await.unwrap();
    for (resource, key, value) in
        [("i-1", "team", "red"), ("i-1", "env", ""), ("i-2", "team", "blue"), ("i-7", "team", "red")]
    {
        let tag = Tag { resource: resource.to_owned(), key: key.to_owned(), value: value.to_owned() };
        tags::put(&mut tx, tag_kind(), &tag).await.unwrap();
    }
    instances::begin_reinit(&mut tx, &instance("i-6").id, &ImageId::trusted("m-2"), at(9)).await.unwrap();
    tx.commit().await.unwrap();
    test
}

/// The ids on a page without their mark, and the number of all.
async fn page(test: &TestDb, filter: &Filter<'_>, offset: i64, limit: i64) -> (String, i64) {
    let mut tx = test.db.read().await.unwrap();
    let kind = ConsumerKind::Instance;
    let (found, total) = instances::list(&mut tx, kind, &account(1), filter, offset, limit).await.unwrap();
    assert!(found.iter().all(|instance| instance.disks.len() == 2));
    let ids = found.iter().map(|instance| instance.id.as_str().trim_start_matches("i-"));
    (ids.collect::<Vec<_>>().join(" "), total)
}

async fn expect(test: &TestDb, table: &[(Filter<'_>, &str)]) {
    for (filter, expected) in table {
        let (ids, total) = page(test, filter, 0, 100).await;
        assert_eq!(ids, *expected, "{filter:?}");
        assert_eq!(i64::try_from(expected.split_whitespace().count()).unwrap(), total, "{filter:?}");
    }
}

#[tokio::test]
async fn each_filter_lets_its_own_through() {
    let all = Filter::default;
    let table = [
        (all(), "6 5 4 3 2 1"),
        (Filter { ids: vec!["i-1", "i-3", "i-7"], ..all() }, "3 1"),
        (Filter { ids: vec!["i-", "1"], ..all() }, ""),
        // A switch counts when it is done.
        (Filter { image: Some("m-2"), ..all() }, "1"),
        (Filter { image: Some("m-"), ..all() }, ""),
        (Filter { regions: vec!["cn-wuxi"], ..all() }, "6"),
        (Filter { regions: vec!["cn-wuxi", "cn-chengdu-telecom"], ..all() }, "6 5 4 3 2 1"),
        (Filter { instance_type: Some("ens.big"), ..all() }, "5"),
        (Filter { charge_type: Some(ChargeType::PrePaid), ..all() }, "2"),
        (Filter { charge_type: Some(ChargeType::PostPaid), ..all() }, "6 5 4 3 1"),
        (Filter { charge_type: Some(ChargeType::PostPaid), image: Some("m-2"), ..all() }, "1"),
    ];
    expect(&stocked().await, &table).await;
}

#[tokio::test]
async fn parts_are_taken_literally() {
    let all = Filter::default;
    let table = [
        (Filter { name_part: Some("of i-"), ..all() }, "6 5 4 2 1"),
        (Filter { name_part: Some("OF"), ..all() }, ""),
        (Filter { name_part: Some("%"), ..all() }, "3"),
        (Filter { name_part: Some(",_'\""), ..all() }, "3"),
        (Filter { search: Some("i-"), ..all() }, "6 5 4 3 2 1"),
        (Filter { search: Some("0%"), ..all() }, "3"),
        (Filter { search: Some("i-3"), ..all() }, "3"),
        (Filter { search: Some("name of i-3"), ..all() }, ""),
    ];
    expect(&stocked().await, &table).await;
}

#[tokio::test]
async fn a_power_state_is_what_has_settled_by_now() {
    let (running, stopped) = (Some(PowerState::Running), Some(PowerState::Stopped));
    let table = [
        (Filter { power: running, now: LATER - 1, ..Filter::default() }, "5 2 1"),
        (Filter { power: running, now: LATER, ..Filter::default() }, "5 4 2 1"),
        (Filter { power: stopped, now: LATER, ..Filter::default() }, "3"),
    ];
    expect(&stocked().await, &table).await;
}

#[tokio::test]
async fn tags_and_launch_parameters_must_all_be_there() {
    let all = Filter::default;
    let table = [
        (Filter { tags: vec![("team", None)], ..all() }, "2 1"),
        (Filter { tags: vec![("team", Some("red"))], ..all() }, "1"),
        (Filter { tags: vec![("team", None), ("env", Some(""))], ..all() }, "1"),
        (Filter { tags: vec![("team", Some("red")), ("team", Some("blue"))], ..all() }, ""),
        (Filter { echo: vec![("VSwitchId", "vsw-1")], ..all() }, "4"),
        (Filter { echo: vec![("VSwitchId", "vsw")], ..all() }, ""),
        (Filter { echo: vec![("SwitchId", "vsw-1")], ..all() }, ""),
        (Filter { echo: vec![("VSwitchId", "vsw-1"), ("NetworkId", "vsw-1")], ..all() }, ""),
        (Filter { echo: vec![("NetworkId", "vsw-1\",\"VSwitchId\":\"vsw-1")], ..all() }, "5"),
    ];
    expect(&stocked().await, &table).await;
}

#[tokio::test]
async fn names_give_the_order_if_asked_for() {
    let test = stocked().await;
    let by = |name_order| Filter { name_order, ..Filter::default() };
    // The third one's name begins with a digit.
    expect(
        &test,
        &[(by(Some("asc")), "3 1 2 4 5 6"), (by(Some("desc")), "6 5 4 2 1 3"), (by(None), "6 5 4 3 2 1")],
    )
    .await;
}

#[tokio::test]
async fn pages_know_the_total_even_beyond_the_end() {
    let test = stocked().await;
    let all = Filter::default();
    for (offset, expected) in [(0, "6 5 4 3"), (4, "2 1"), (6, ""), (i64::MAX, "")] {
        assert_eq!(page(&test, &all, offset, 4).await, (expected.to_owned(), 6), "from {offset}");
    }
    let nothing = Filter { image: Some("m-9"), ..Filter::default() };
    assert_eq!(page(&test, &nothing, 3, 2).await, (String::new(), 0));
}

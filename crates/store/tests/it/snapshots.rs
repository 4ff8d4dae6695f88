//! Snapshots: their rows, their listing, their end.

use calotype_core::ids::{DiskId, InstanceId, SnapshotId};
use calotype_core::snapshot::{Snapshot, SnapshotState};
use calotype_store::db::StoreError;
use calotype_store::snapshots::{self, Filter};

use crate::support::TestDb;
use crate::things::{NOW, account, at, snapshot};

const STATES: [SnapshotState; 3] = [SnapshotState::Creating, SnapshotState::Available, SnapshotState::Error];

async fn put(test: &TestDb, things: &[Snapshot]) {
    let mut tx = test.db.begin().await.unwrap();
    for snapshot in things {
        snapshots::insert(&mut tx, snapshot).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn load(test: &TestDb, id: &str, owner: u32) -> Option<Snapshot> {
    let mut tx = test.db.read().await.unwrap();
    snapshots::load(&mut tx, &SnapshotId::trusted(id), &account(owner)).await.unwrap()
}

#[tokio::test]
async fn every_field_of_a_snapshot_comes_back_to_its_owner() {
    let test = TestDb::new().await;
    for (number, state) in STATES.into_iter().enumerate() {
        let id = format!("s-{number}");
        let written = Snapshot {
            state,
            name: "\u{5feb}\u{7167} '%_\"".to_owned(),
            description: String::new(),
            size_gib: i64::MAX,
            created: at(-1),
            ..snapshot(&id)
        };
        put(&test, std::slice::from_ref(&written)).await;
        assert_eq!(load(&test, &id, 1).await, Some(written));
        assert_eq!(load(&test, &id, 2).await, None);
    }
    let mut tx = test.db.begin().await.unwrap();
    assert!(matches!(snapshots::insert(&mut tx, &snapshot("s-0")).await, Err(StoreError::Conflict)));
}

#[tokio::test]
async fn the_making_of_a_snapshot_ends_once() {
    for before in STATES {
        for after in [SnapshotState::Available, SnapshotState::Error] {
            let test = TestDb::new().await;
            put(&test, &[Snapshot { state: before, ..snapshot("s-1") }]).await;
            let mut tx = test.db.begin().await.unwrap();
            snapshots::record_state(&mut tx, &SnapshotId::trusted("s-1"), after).await.unwrap();
            tx.commit().await.unwrap();
            let expected = if before == SnapshotState::Creating { after } else { before };
            assert_eq!(load(&test, "s-1", 1).await.unwrap().state, expected);
        }
    }
}

#[tokio::test]
async fn a_snapshot_is_deleted_once() {
    let test = TestDb::new().await;
    put(&test, &[snapshot("s-1"), snapshot("s-2")]).await;
    let mut tx = test.db.begin().await.unwrap();
    snapshots::delete(&mut tx, &SnapshotId::trusted("s-1"), NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(load(&test, "s-1", 1).await, None);
    assert!(load(&test, "s-2", 1).await.is_some());
    let mut tx = test.db.begin().await.unwrap();
    let again = snapshots::delete(&mut tx, &SnapshotId::trusted("s-1"), NOW).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
}

/// The ids on a page without their mark, and the number of all.
async fn page(test: &TestDb, filter: &Filter<'_>, offset: i64, limit: i64) -> (String, i64) {
    let mut tx = test.db.read().await.unwrap();
    let (found, total) = snapshots::list(&mut tx, &account(1), filter, offset, limit).await.unwrap();
    let ids = found.iter().map(|snapshot| snapshot.id.as_str().trim_start_matches("s-"));
    (ids.collect::<Vec<_>>().join(" "), total)
}

async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let made = |number: i64| Snapshot { created: at(number), ..snapshot(&format!("s-{number}")) };
    put(
        &test,
        &[
            made(1),
            Snapshot { disk: DiskId::trusted("d-2"), ..made(2) },
            Snapshot { instance: InstanceId::trusted("i-2"), ..made(3) },
            Snapshot { ens_region: "cn-wuxi".to_owned(), ..made(4) },
            Snapshot { name: "100%,_'".to_owned(), ..made(5) },
            Snapshot { owner: account(2), ..made(6) },
        ],
    )
    .await;
    test
}

#[tokio::test]
async fn each_filter_lets_its_own_through() {
    let test = stocked().await;
    let all = Filter::default;
    let table = [
        (all(), "5 4 3 2 1"),
        (Filter { ids: vec!["s-1", "s-3", "s-6"], ..all() }, "3 1"),
        (Filter { ids: vec!["s-", "1", ""], ..all() }, ""),
        (Filter { disk: Some("d-2"), ..all() }, "2"),
        (Filter { disk: Some("d-"), ..all() }, ""),
        (Filter { instance: Some("i-2"), ..all() }, "3"),
        (Filter { ens_regions: vec!["cn-wuxi"], ..all() }, "4"),
        (Filter { ens_regions: vec!["cn-wuxi", "cn-chengdu-telecom"], ..all() }, "5 4 3 2 1"),
        (Filter { ens_regions: vec!["cn-wux"], ..all() }, ""),
        (Filter { name_part: Some("of s-"), ..all() }, "4 3 2 1"),
        (Filter { name_part: Some("%"), ..all() }, "5"),
        (Filter { name_part: Some("%,_'"), ..all() }, "5"),
        (Filter { name_part: Some("_"), ..all() }, "5"),
        (Filter { name_part: Some("NAME"), ..all() }, ""),
        (Filter { name_part: Some("s-3"), instance: Some("i-2"), ..all() }, "3"),
        (Filter { name_part: Some("s-2"), instance: Some("i-2"), ..all() }, ""),
    ];
    for (filter, expected) in table {
        let (ids, total) = page(&test, &filter, 0, 100).await;
        assert_eq!(ids, expected, "{filter:?}");
        assert_eq!(i64::try_from(expected.split_whitespace().count()).unwrap(), total);
    }
}

#[tokio::test]
async fn pages_know_the_total_even_beyond_the_end() {
    let test = stocked().await;
    let all = Filter::default();
    for (offset, expected) in [(0, "5 4"), (2, "3 2"), (4, "1"), (5, ""), (i64::MAX, "")] {
        assert_eq!(page(&test, &all, offset, 2).await, (expected.to_owned(), 5), "from {offset}");
    }
    let nothing = Filter { disk: Some("d-9"), ..Filter::default() };
    assert_eq!(page(&test, &nothing, 3, 2).await, (String::new(), 0));
}

/// An id from a request may have a comma in it; it names nothing then.
#[tokio::test]
async fn an_id_with_commas_in_it_is_no_list() {
    let test = stocked().await;
    let filter = Filter { ids: vec!["s-0,s-1,s-2"], ..Filter::default() };
    assert_eq!(page(&test, &filter, 0, 10).await, (String::new(), 0));
}

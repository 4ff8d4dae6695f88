//! The rules between tables: each is broken by hand, found, mended, and then kept.

use calotype_core::ids::ImageId;
use calotype_store::db::Db;
use calotype_store::invariants::{self, Broken, Rule};
use calotype_store::{images, instances, shares, snapshots, usages};

use crate::replicas::put;
use crate::support::{TestDb, number};
use crate::things::{NOW, account, at, image, instance, replica, snapshot, usage};

const LATER: i64 = NOW.as_millis() + 3_600_000;

/// A live image `m-1` with a shared replica `r-1`, which the instance `i-1` runs; a deleted image `m-2`, whose
/// replica `r-2` is erased; an available snapshot `s-1` with the replica `r-3`. Every rule is kept.
async fn world() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for id in ["m-1", "m-2"] {
        images::insert(&mut tx, &image(id)).await.unwrap();
    }
    shares::add(&mut tx, &ImageId::trusted("m-1"), &account(2), NOW).await.unwrap();
    instances::insert(&mut tx, &instance("i-1")).await.unwrap();
    usages::insert(&mut tx, &usage(&ImageId::trusted("m-1"), "i-1")).await.unwrap();
    snapshots::insert(&mut tx, &snapshot("s-1")).await.unwrap();
    tx.commit().await.unwrap();
    put(&test, &[replica("r-1", "m-1"), replica("r-2", "m-2"), replica("r-3", "s-1")]).await;
    for sql in [
        "UPDATE replicas SET state = 'available', due_ms = NULL, object_key = id || '.1', writes = 1, \
         size_bytes = 7, virtual_size_bytes = 9, sha256 = 'ab'",
        "UPDATE replicas SET state = 'erased' WHERE id = 'r-2'",
        "UPDATE images SET deleted_ms = 5 WHERE id = 'm-2'",
        "INSERT INTO deletions (id, image_id, image_name, product, owner, caller, request_id, kept, accepted_ms, \
         erase_from_ms, completed_ms) VALUES ('del-1', 'm-2', 'n', 'ens', '1', 'c', 'q', '', 5, 5, 6)",
    ] {
        change(&test.db, sql).await;
    }
    test
}

async fn change(db: &Db, sql: &'static str) {
    let mut tx = db.begin().await.unwrap();
    assert!(tx.execute(sql, &[]).await.unwrap() > 0, "{sql}");
    tx.commit().await.unwrap();
}

async fn broken(db: &Db) -> Vec<Broken> {
    let mut all = Vec::new();
    for rule in Rule::ALL {
        all.extend(invariants::find(db, rule, at(LATER - 300_000), 100).await.unwrap());
    }
    all
}

async fn mend(db: &Db, broken: &Broken) -> bool {
    let mut tx = db.begin().await.unwrap();
    let mended = invariants::mend(&mut tx, broken, at(LATER)).await.unwrap();
    tx.commit().await.unwrap();
    mended
}

/// Breaks rules, and gives what is found: rule, image, subject and detail.
async fn break_with(changes: &[&'static str]) -> (TestDb, Vec<Broken>) {
    let test = world().await;
    for sql in changes {
        change(&test.db, sql).await;
    }
    let found = broken(&test.db).await;
    (test, found)
}

fn told(broken: &[Broken]) -> Vec<(Rule, &str, &str, &str)> {
    broken.iter().map(|one| (one.rule, &*one.image, &*one.subject, &*one.detail)).collect()
}

/// One rule is broken by these changes; mending it makes the statement count one, and keeps every rule.
async fn check(changes: &[&'static str], expected: (Rule, &str, &str, &str), after: &'static str) {
    let (test, found) = break_with(changes).await;
    assert_eq!(told(&found), [expected]);
    let again = broken(&test.db).await;
    assert_eq!(again, found, "looking changes nothing");
    assert!(mend(&test.db, &found[0]).await, "{expected:?}");
    assert_eq!(told(&broken(&test.db).await), [], "{expected:?}");
    assert_eq!(number(&test.db, after).await, 1, "{expected:?}");
    assert!(!mend(&test.db, &found[0]).await, "there is nothing to mend any more");
}

#[tokio::test]
async fn a_sound_world_keeps_every_rule() {
    let test = world().await;
    assert_eq!(told(&broken(&test.db).await), []);
}

#[tokio::test]
async fn a_use_ends_with_its_consumer() {
    check(
        &["DELETE FROM instances"],
        (Rule::UsageHasConsumer, "m-1", "i-1", "created"),
        "SELECT COUNT(*) + 1 FROM usages",
    )
    .await;
    check(
        &["INSERT INTO usages VALUES ('m-9', 'i-1', 'switched', 'instance', '1', 0, 5)"],
        (Rule::UsageHasConsumer, "m-9", "i-1", "switched"),
        "SELECT COUNT(*) FROM usages",
    )
    .await;
}

#[tokio::test]
async fn what_runs_an_image_uses_it() {
    check(
        &["DELETE FROM usages"],
        (Rule::InstanceHasUsage, "m-1", "i-1", "instance"),
        "SELECT COUNT(*) FROM usages WHERE image_id = 'm-1' AND consumer_id = 'i-1' AND in_progress = 0",
    )
    .await;
    let switch = "UPDATE instances SET reinit_image_id = 'm-1', due_ms = 9";
    check(
        &[switch],
        (Rule::SwitchHasUsage, "m-1", "i-1", "instance"),
        "SELECT COUNT(*) FROM usages WHERE image_id = 'm-1' AND consumer_id = 'i-1' AND in_progress = 1",
    )
    .await;
    // It had been switched to the same image before.
    check(
        &[switch, "UPDATE usages SET origin = 'switched'"],
        (Rule::SwitchHasUsage, "m-1", "i-1", "instance"),
        "SELECT COUNT(*) FROM usages WHERE in_progress = 1",
    )
    .await;
}

#[tokio::test]
async fn nothing_points_at_a_deleted_image() {
    check(
        &["INSERT INTO shares VALUES ('m-2', '2', 5)"],
        (Rule::ShareHasImage, "m-2", "2", ""),
        "SELECT COUNT(*) FROM shares",
    )
    .await;
    check(
        &[
            "INSERT INTO templates VALUES ('b-1', '1', 'm-2', 'n', '{}', 5, 5)",
            "INSERT INTO templates VALUES ('b-2', '1', 'm-1', 'n', '{}', 5, 5)",
            "INSERT INTO templates VALUES ('b-3', '1', NULL, 'n', '{}', 5, 5)",
        ],
        (Rule::TemplateHasImage, "m-2", "b-1", ""),
        "SELECT COUNT(*) - 1 FROM templates",
    )
    .await;
    check(
        &["INSERT INTO exports (image_id, bucket, object, state, since_ms, attempt, due_ms) \
           VALUES ('m-2', 'golden', 'o', 'exporting', 5, 0, 5)"],
        (Rule::ExportHasImage, "m-2", "m-2", "golden"),
        "SELECT COUNT(*) FROM exports WHERE state = 'failed' AND due_ms IS NULL",
    )
    .await;
    let (test, found) =
        break_with(&["UPDATE instances SET image_id = 'm-2'", "UPDATE usages SET image_id = 'm-2'"]).await;
    assert_eq!(told(&found), [(Rule::InstanceHasImage, "m-2", "i-1", "instance")]);
    assert!(!invariants::can_be_mended(&found[0]) && !mend(&test.db, &found[0]).await);
}

#[tokio::test]
async fn bytes_of_a_deleted_image_are_to_be_erased() {
    for (state, lease, due) in
        [("copying", "NULL", LATER), ("available", "NULL", LATER), ("failed", "7", LATER)]
    {
        let (test, _) = break_with(&[]).await;
        let mut tx = test.db.begin().await.unwrap();
        let sql = "UPDATE replicas SET state = $1, due_ms = 5 WHERE id = 'r-2'";
        tx.execute_one(sql, &[state.into()]).await.unwrap();
        tx.commit().await.unwrap();
        if lease != "NULL" {
            change(&test.db, "UPDATE replicas SET lease_until_ms = 7 WHERE id = 'r-2'").await;
        }
        let found = broken(&test.db).await;
        assert_eq!(told(&found), [(Rule::ReplicaHasHolder, "m-2", "r-2", state)]);
        assert!(mend(&test.db, &found[0]).await);
        assert_eq!(told(&broken(&test.db).await), []);
        let sql = "SELECT due_ms FROM replicas WHERE id = 'r-2' AND state = 'erasing'";
        assert_eq!(number(&test.db, sql).await, due);
    }
}

/// Somebody may still be writing, or the grace period may not be over.
#[tokio::test]
async fn bytes_of_a_deleted_image_are_erased_when_that_is_due() {
    let held = "UPDATE replicas SET state = 'copying', lease_owner = 'w', lease_until_ms = 9000000, \
                due_ms = 9000000 WHERE id = 'r-2'";
    let copying = "UPDATE replicas SET state = 'copying', due_ms = 5 WHERE id = 'r-2'";
    let grace = "UPDATE deletions SET erase_from_ms = 9000000, completed_ms = NULL";
    for changes in [&[held][..], &[copying, grace]] {
        let (test, found) = break_with(changes).await;
        assert_eq!(told(&found), [(Rule::ReplicaHasHolder, "m-2", "r-2", "copying")]);
        assert!(mend(&test.db, &found[0]).await);
        let due =
            "SELECT due_ms FROM replicas WHERE id = 'r-2' AND state = 'erasing' AND lease_owner IS NULL";
        assert_eq!(number(&test.db, due).await, 9_000_000);
    }
}

#[tokio::test]
async fn bytes_of_what_is_gone_altogether_are_to_be_erased() {
    check(
        &["DELETE FROM snapshots"],
        (Rule::ReplicaHasHolder, "s-1", "r-3", "available"),
        "SELECT COUNT(*) FROM replicas WHERE id = 'r-3' AND state = 'erasing'",
    )
    .await;
}

#[tokio::test]
async fn bytes_of_a_live_image_are_not_to_be_erased() {
    // Without the replica the image has no bytes, which is a finding of its own.
    let (test, found) = break_with(&[
        "UPDATE replicas SET state = 'erasing', due_ms = 5, tries = 0 WHERE id = 'r-1'",
        "UPDATE replicas SET state = 'erasing', due_ms = 5, tries = 0, sha256 = NULL WHERE id = 'r-3'",
    ])
    .await;
    let erasing = Rule::ErasingHasNoHolder;
    assert_eq!(
        told(&found)[..2],
        [(erasing, "m-1", "r-1", "untouched"), (erasing, "s-1", "r-3", "untouched")]
    );
    for one in &found[..2] {
        assert!(mend(&test.db, one).await);
    }
    let states = "SELECT COUNT(*) FROM replicas WHERE (id = 'r-1' AND state = 'available') \
                  OR (id = 'r-3' AND state = 'failed')";
    assert_eq!(number(&test.db, states).await, 2);

    let (test, found) =
        break_with(&["UPDATE replicas SET state = 'erasing', due_ms = 5, tries = 1 WHERE id = 'r-1'"]).await;
    assert_eq!(told(&found)[0], (erasing, "m-1", "r-1", "begun"));
    assert!(!invariants::can_be_mended(&found[0]) && !mend(&test.db, &found[0]).await);
}

#[tokio::test]
async fn a_deletion_is_complete_when_nothing_is_left_to_erase() {
    check(
        &["UPDATE deletions SET completed_ms = NULL"],
        (Rule::DeletionIsComplete, "m-2", "del-1", ""),
        "SELECT COUNT(*) FROM deletions WHERE completed_ms = 4600000",
    )
    .await;
    let (test, found) = break_with(&["DELETE FROM deletions"]).await;
    assert_eq!(told(&found), [(Rule::DeletedHasDeletion, "m-2", "m-2", "")]);
    assert!(!mend(&test.db, &found[0]).await);
}

#[tokio::test]
async fn leases_are_current_and_tasks_are_due() {
    let copy = "INSERT INTO replicas (id, holder_kind, holder_id, region, state, source_kind, source, attempt, \
                lease_owner, lease_until_ms, due_ms) VALUES ('r-9', 'image', 'm-1', 'cn-wuxi', 'copying', \
                'blank', '1', 3, 'w', 1000, 1000)";
    check(
        &[copy],
        (Rule::LeaseIsCurrent, "m-1", "r-9", "3"),
        "SELECT COUNT(*) FROM replicas WHERE lease_owner IS NULL AND due_ms = 4600000",
    )
    .await;
    check(
        &[copy, "UPDATE replicas SET lease_owner = NULL, due_ms = NULL WHERE id = 'r-9'"],
        (Rule::TaskIsDue, "m-1", "r-9", "copying"),
        "SELECT COUNT(*) FROM replicas WHERE due_ms = 4600000",
    )
    .await;
    // One that has just ended is taken by the next worker.
    let (_, found) =
        break_with(&[copy, "UPDATE replicas SET lease_until_ms = 4500000 WHERE id = 'r-9'"]).await;
    assert_eq!(told(&found), []);
    let export = "INSERT INTO exports (image_id, bucket, object, state, since_ms, attempt, due_ms) \
                  VALUES ('m-1', 'golden', 'o', 'exporting', 5, 0, NULL)";
    let held = "UPDATE exports SET lease_owner = 'w', lease_until_ms = 7, due_ms = 7";
    for changes in [&[export][..], &[export, held]] {
        check(
            changes,
            (Rule::ExportIsDue, "m-1", "m-1", "golden"),
            "SELECT COUNT(*) FROM exports WHERE due_ms = 4600000 AND lease_owner IS NULL",
        )
        .await;
    }
}

#[tokio::test]
async fn what_nothing_makes_any_more_comes_to_an_end() {
    let making =
        "UPDATE images SET state = 'making', stage = 'packing', stored_size_bytes = NULL WHERE id = 'm-1'";
    check(
        &[making],
        (Rule::MakingHasTask, "m-1", "m-1", ""),
        "SELECT COUNT(*) FROM images WHERE id = 'm-1' AND state = 'available' AND stage IS NULL \
         AND stored_size_bytes = 7 AND virtual_size_bytes = 9",
    )
    .await;
    check(
        &[making, "UPDATE replicas SET state = 'failed' WHERE id = 'r-1'"],
        (Rule::MakingHasTask, "m-1", "m-1", ""),
        "SELECT COUNT(*) FROM images WHERE id = 'm-1' AND state = 'failed' AND stage = 'packing' \
         AND reason IS NOT NULL",
    )
    .await;
    let creating = "UPDATE snapshots SET state = 'creating'";
    check(
        &[creating],
        (Rule::CreatingHasTask, "s-1", "s-1", ""),
        "SELECT COUNT(*) FROM snapshots WHERE state = 'available'",
    )
    .await;
    check(
        &[creating, "UPDATE replicas SET state = 'failed' WHERE id = 'r-3'"],
        (Rule::CreatingHasTask, "s-1", "s-1", ""),
        "SELECT COUNT(*) FROM snapshots WHERE state = 'error'",
    )
    .await;
}

#[tokio::test]
async fn what_has_bytes_nowhere_is_not_available() {
    check(
        &["UPDATE replicas SET state = 'failed' WHERE id = 'r-1'"],
        (Rule::AvailableHasBytes, "m-1", "m-1", ""),
        "SELECT COUNT(*) FROM images WHERE state = 'unavailable'",
    )
    .await;
    check(
        &["UPDATE replicas SET state = 'failed' WHERE id = 'r-3'"],
        (Rule::SnapshotHasBytes, "s-1", "s-1", ""),
        "SELECT COUNT(*) FROM snapshots WHERE state = 'error'",
    )
    .await;
}

#[tokio::test]
async fn what_is_found_is_limited() {
    let (test, _) = break_with(&[
        "INSERT INTO shares VALUES ('m-2', '2', 5)",
        "INSERT INTO shares VALUES ('m-2', '3', 5)",
        "INSERT INTO shares VALUES ('m-2', '4', 5)",
    ])
    .await;
    let found = invariants::find(&test.db, Rule::ShareHasImage, NOW, 2).await.unwrap();
    assert_eq!(found.iter().map(|one| &*one.subject).collect::<Vec<_>>(), ["2", "3"]);
}

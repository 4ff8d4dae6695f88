//! What an accepted delete writes, and what keeps a plan that is out of date from being written.

use calotype_core::delete_image::{DeleteImage, DeletePlan, DeleteRefusal, DeleteRules, DeleteView, decide};
use calotype_core::ids::{BundleId, DeletionId, ImageId, RegionId, ReplicaId, TemplateId};
use calotype_core::image::{Image, ImageState, Product, Stage};
use calotype_core::replica::NewReplica;
use calotype_core::template::{Bundle, Template};
use calotype_store::db::{Db, StoreError};
use calotype_store::deletions::{self, Deletion, DeletionAct, Kept};
use calotype_store::{images, replicas, shares, usages};

use crate::support::{TestDb, number, rows};
use crate::things::{NOW, account, at, authorized, image, replica, usage};

const GRACE_MS: i64 = 1_000;

fn id(text: &str) -> ImageId {
    ImageId::trusted(text)
}

/// Two images, `m-1` and `m-2`, each with two shares and two replicas: one is filled, one has failed.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for name in ["m-1", "m-2"] {
        images::insert(&mut tx, &image(name)).await.unwrap();
        for number in [3, 2] {
            shares::add(&mut tx, &id(name), &account(number), NOW).await.unwrap();
        }
        for place in ["b", "a"] {
            replicas::insert(&mut tx, &replica(&format!("r-{name}-{place}"), name), NOW).await.unwrap();
        }
    }
    let sql = "UPDATE replicas SET state = 'available', object_key = id || '.1', due_ms = NULL \
               WHERE id LIKE '%-a'";
    tx.execute(sql, &[]).await.unwrap();
    let sql = "UPDATE replicas SET state = 'failed', attempt = 3, due_ms = NULL WHERE id LIKE '%-b'";
    tx.execute(sql, &[]).await.unwrap();
    tx.commit().await.unwrap();
    test
}

async fn view(db: &Db, name: &str) -> DeleteView {
    let mut tx = db.begin().await.unwrap();
    images::load_delete_view(&mut tx, Product::Ens, &id(name), &account(1), false).await.unwrap().0
}

fn plan_of(view: &DeleteView, name: &str) -> Result<DeletePlan, DeleteRefusal> {
    let deletion = DeletionId::trusted(format!("del-{name}"));
    let command = DeleteImage { image: id(name), deletion, grace_ms: GRACE_MS };
    let rules = DeleteRules { outgoing_shares_block: false, templates_go: true };
    decide(&authorized(), &command, &rules, view.clone(), NOW)
}

async fn plan(test: &TestDb) -> DeletePlan {
    plan_of(&view(&test.db, "m-1").await, "m-1").unwrap()
}

/// What goes with an image, one of everything, with texts that are hard to keep.
fn kept() -> Kept {
    let details = serde_json::json!({ "a": [1, null, "\u{955c}'\""], "b": { "c": true } });
    let details = details.as_object().unwrap().clone();
    let template = Template {
        id: TemplateId::trusted("b-1"),
        owner: account(2),
        image: Some(id("m-1")),
        name: "\"name\"".to_owned(),
        details: details.clone(),
        created: at(7),
        modified: at(8),
    };
    let bundle = Bundle {
        id: BundleId::trusted("b-2"),
        owner: account(1),
        image: id("m-1"),
        region: "cn-chengdu".to_owned(),
        name: String::new(),
        details,
        created: at(9),
    };
    let template_without = Template { id: TemplateId::trusted("b-3"), image: None, ..template.clone() };
    Kept {
        shares: vec![(account(2), NOW), (account(3), NOW)],
        templates: vec![template, template_without],
        bundles: vec![bundle],
    }
}

async fn apply(test: &TestDb, plan: &DeletePlan) -> Result<(), StoreError> {
    let mut tx = test.db.begin().await?;
    let kept = kept();
    let act = DeletionAct {
        caller: "acs:ram::1:root",
        request_id: "REQUEST-1",
        reason: Some("no longer \u{955c}'\""),
        kept: &kept,
    };
    images::apply_delete(&mut tx, plan, &act).await?;
    tx.commit().await
}

#[tokio::test]
async fn a_delete_view_has_every_fact() {
    let test = stocked().await;
    let mut tx = test.db.begin().await.unwrap();
    usages::insert(&mut tx, &usage(&id("m-1"), "i-1")).await.unwrap();
    for (name, published) in [("m-4", Some(NOW)), ("m-5", None)] {
        let parent = Some(id("m-1"));
        images::insert(&mut tx, &Image { parent, published, ..image(name) }).await.unwrap();
    }
    let region = RegionId::trusted("cn-wuxi");
    let copying = NewReplica { region: region.clone(), ..replica("r-m-1-c", "m-1") };
    replicas::insert(&mut tx, &copying, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let seen = view(&test.db, "m-1").await;
    assert_eq!(seen.image.map(|view| view.image), Some(image("m-1")));
    assert_eq!(seen.shares, [account(2), account(3)]);
    assert_eq!(seen.usages, [usage(&id("m-1"), "i-1")]);
    assert_eq!(seen.replicas, ["r-m-1-a", "r-m-1-b", "r-m-1-c"].map(ReplicaId::trusted));
    assert_eq!(seen.community_children, [id("m-4")]);
    assert_eq!(seen.copying, [region]);

    let nothing = DeleteView {
        image: None,
        shares: vec![],
        community_children: vec![],
        usages: vec![],
        replicas: vec![],
        copying: vec![],
        exporting: None,
    };
    assert_eq!(view(&test.db, "m-3").await, nothing);
}

#[tokio::test]
async fn d1_an_applied_plan_leaves_a_tombstone_and_touches_nothing_else() {
    let test = stocked().await;
    let other = view(&test.db, "m-2").await;
    let plan = plan(&test).await;
    apply(&test, &plan).await.unwrap();

    let after = view(&test.db, "m-1").await;
    assert_eq!(after.image, None);
    assert_eq!(after.shares, []);
    assert_eq!(plan_of(&after, "m-1"), Err(DeleteRefusal::NotFound), "D45");
    assert_eq!(view(&test.db, "m-2").await, other);
    assert_eq!(number(&test.db, "SELECT deleted_ms FROM images WHERE id = 'm-1'").await, NOW.as_millis());

    let sql = "SELECT id, state, due_ms, tries FROM replicas WHERE holder_id = 'm-1' ORDER BY id";
    let replicas = rows(&test.db, sql, &[]).await;
    assert_eq!(replicas.len(), 2);
    for row in &replicas {
        assert_eq!(row.text(1).unwrap(), "erasing");
        assert_eq!(row.integer(2).unwrap(), NOW.as_millis() + GRACE_MS);
        assert_eq!(row.integer(3).unwrap(), 0);
    }
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM replicas WHERE state = 'erasing'").await, 2);
}

#[tokio::test]
async fn an_applied_plan_is_recorded() {
    let test = stocked().await;
    apply(&test, &plan(&test).await).await.unwrap();
    let expected = Deletion {
        id: DeletionId::trusted("del-m-1"),
        image: id("m-1"),
        image_name: "name of m-1".to_owned(),
        product: Product::Ens,
        owner: account(1),
        caller: "acs:ram::1:root".to_owned(),
        request_id: "REQUEST-1".to_owned(),
        reason: Some("no longer \u{955c}'\"".to_owned()),
        kept: kept(),
        accepted: NOW,
        erase_from: at(NOW.as_millis() + GRACE_MS),
        completed: None,
        restored: None,
    };
    let mut tx = test.db.read().await.unwrap();
    let found = deletions::load(&mut tx, &expected.id, &account(1)).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
    assert_eq!(deletions::latest(&mut tx, &id("m-1")).await.unwrap(), found);
    assert_eq!(deletions::load(&mut tx, &expected.id, &account(2)).await.unwrap(), None);
    assert_eq!(deletions::latest(&mut tx, &id("m-2")).await.unwrap(), None);
}

/// What D47 promises: everything is as before.
async fn everything(test: &TestDb) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT id, state, owner, deleted_ms FROM images ORDER BY id",
        "SELECT image_id, account_id FROM shares ORDER BY image_id, account_id",
        "SELECT id, state, due_ms FROM replicas ORDER BY id",
        "SELECT id FROM deletions ORDER BY id",
    ] {
        all.extend(rows(&test.db, sql, &[]).await.iter().map(|row| format!("{row:?}")));
    }
    all
}

#[tokio::test]
async fn d47_a_plan_out_of_date_is_refused_and_changes_nothing() {
    let out_of_date: [fn(&mut DeletePlan); 4] = [
        |plan| plan.image.id = id("m-none"),
        |plan| plan.image.owner = account(2),
        |plan| plan.image.state = ImageState::Unavailable,
        |plan| plan.image.state = ImageState::Making(Stage::Creating),
    ];
    let test = stocked().await;
    let before = everything(&test).await;
    for (place, spoil) in out_of_date.into_iter().enumerate() {
        let mut plan = plan(&test).await;
        spoil(&mut plan);
        assert!(matches!(apply(&test, &plan).await, Err(StoreError::Conflict)), "{place}");
        assert_eq!(everything(&test).await, before, "{place}");
    }
}

#[tokio::test]
async fn d48_a_plan_is_applied_once() {
    let test = stocked().await;
    let plan = plan(&test).await;
    apply(&test, &plan).await.unwrap();
    let after = everything(&test).await;
    let again = DeletePlan { deletion: DeletionId::trusted("del-again"), ..plan };
    assert!(matches!(apply(&test, &again).await, Err(StoreError::Conflict)));
    assert_eq!(everything(&test).await, after);
}

/// A deletion id that is taken refuses the whole delete, not only its record.
#[tokio::test]
async fn d47_a_delete_that_cannot_be_recorded_is_not_done() {
    let test = stocked().await;
    apply(&test, &plan(&test).await).await.unwrap();
    let after = everything(&test).await;
    let second = plan_of(&view(&test.db, "m-2").await, "m-2").unwrap();
    let second = DeletePlan { deletion: DeletionId::trusted("del-m-1"), ..second };
    assert!(matches!(apply(&test, &second).await, Err(StoreError::Conflict)));
    assert_eq!(everything(&test).await, after);
}

#[tokio::test]
async fn every_state_that_may_be_deleted_is_matched_by_the_guard() {
    let failed = ImageState::Failed { stage: Stage::Packing, reason: "hostile".to_owned() };
    for state in [ImageState::Available, ImageState::Unavailable, failed] {
        let test = TestDb::new().await;
        let mut tx = test.db.begin().await.unwrap();
        images::insert(&mut tx, &Image { state, ..image("m-1") }).await.unwrap();
        tx.commit().await.unwrap();
        apply(&test, &plan(&test).await).await.unwrap();
        assert_eq!(view(&test.db, "m-1").await.image, None);
    }
}

#[tokio::test]
async fn a_deletion_is_complete_when_the_last_replica_is_erased() {
    let test = stocked().await;
    apply(&test, &plan(&test).await).await.unwrap();
    let completed = "SELECT COALESCE(completed_ms, -1) FROM deletions";
    for (erase, now, expected) in [
        ("UPDATE replicas SET state = 'erased' WHERE id = 'r-m-1-a'", 5, -1),
        ("UPDATE replicas SET state = 'erased' WHERE id = 'r-m-1-b'", 6, 6),
        ("UPDATE replicas SET state = 'erased' WHERE id = 'r-m-1-b'", 7, 6),
    ] {
        let mut tx = test.db.begin().await.unwrap();
        tx.execute_one(erase, &[]).await.unwrap();
        deletions::complete_if_erased(&mut tx, &id("m-1"), at(now)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(number(&test.db, completed).await, expected, "at {now}");
    }
}

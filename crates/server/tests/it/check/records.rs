//! Records that contradict each other. The rules are tried one by one in the tests of the store; here they are told
//! and mended in a whole world.

use serde_json::json;

use super::{assert_clean, check_and_repair, look_with, options, repair_with, told};
use crate::support::app_streaming::{self, AS};
use crate::support::{OTHER, PUBLIC_IMAGE, World};

#[tokio::test]
async fn what_points_at_a_deleted_image_is_removed() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let template = app_streaming::template(&world, &image).await;
    app_streaming::bundle(&world, &image).await;
    // As if the delete had forgotten them.
    let mut changes = vec!["UPDATE images SET deleted_ms = 5, modified_ms = 5 WHERE id = $1"];
    changes.push("INSERT INTO shares (image_id, account_id, since_ms) VALUES ($1, '2', 5)");
    for sql in changes {
        assert_eq!(world.change(sql, &[image.as_str().into()]).await, 1);
    }
    let mut report = look_with(&world, &options()).await;
    let expected = [
        "share-of-deleted-image: remove the share",
        "template-of-deleted-image: remove the template",
        "replica-of-deleted-image: erase its bytes",
        "deleted-without-deletion: nothing",
    ];
    assert_eq!(told(&report), expected, "{}", report.plan_text());
    assert!(
        report
            .plan_text()
            .contains(&format!("image {image} is deleted and referenced by template {template}"))
    );
    repair_with(&world, &mut report).await;
    assert_eq!((report.status(), report.remaining()), (1, 1), "who deleted it is not known");
    world.drain().await;
    assert!(world.files_of(&image).await.is_empty());
    assert_eq!(told(&look_with(&world, &options()).await), [expected[3]]);
}

#[tokio::test]
async fn uses_and_those_who_use_agree() {
    let world = World::new().await;
    let image = world.import().await;
    let (gone, live) = (world.owner.launch(&image).await, world.owner.launch(PUBLIC_IMAGE).await);
    world.change("DELETE FROM instances WHERE id = $1", &[gone.as_str().into()]).await;
    world.change("DELETE FROM usages WHERE consumer_id = $1", &[live.as_str().into()]).await;
    let expected = ["usage-without-consumer: remove the usage", "instance-without-usage: write the usage"];
    check_and_repair(&world, &options(), &expected).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
}

#[tokio::test]
async fn what_nobody_works_on_goes_on() {
    let world = World::new().await;
    let doomed = world.import().await;
    let making = world.begin_import(&crate::support::disk("stuck")).await;
    world.owner.ok("DeleteImage", &[("ImageId", &doomed)]).await;
    for (sql, holder) in [
        ("UPDATE replicas SET due_ms = NULL WHERE holder_id = $1", &making),
        (
            "UPDATE replicas SET lease_owner = 'gone', lease_until_ms = 5, due_ms = NULL WHERE holder_id = $1",
            &doomed,
        ),
    ] {
        world.change(sql, &[holder.as_str().into()]).await;
    }
    let expected = ["lease-forgotten: free it", "task-never-due: make it due", "task-never-due: make it due"];
    // One of them is both: to free it makes it due.
    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), expected, "{}", report.plan_text());
    repair_with(&world, &mut report).await;
    assert_eq!(report.status(), 0);
    world.drain().await;
    assert_clean(&world, &options()).await;
    world.assert_erased(&doomed).await;
}

#[tokio::test]
async fn what_is_finished_is_said_to_be() {
    let world = World::new().await;
    let (deleted, made) = (world.import().await, world.import().await);
    world.owner.ok("DeleteImage", &[("ImageId", &deleted)]).await;
    world.drain().await;
    world
        .change("UPDATE deletions SET completed_ms = NULL WHERE image_id = $1", &[deleted.as_str().into()])
        .await;
    let sql = "UPDATE images SET state = 'making', stage = 'packing' WHERE id = $1";
    world.change(sql, &[made.as_str().into()]).await;
    let expected = [
        "deletion-not-completed: complete the deletion",
        "making-without-task: end it: available if it has bytes, failed if not",
    ];
    check_and_repair(&world, &options(), &expected).await;
    assert_eq!(world.owner.image_status(&made).await, "Available");
    world.assert_erased(&deleted).await;
}

#[tokio::test]
async fn a_report_is_told_as_json_too() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let sql = "INSERT INTO shares (image_id, account_id, since_ms) VALUES ('m-gone', '2', 5)";
    world.change(sql, &[]).await;
    std::fs::write(world.path("objects/cn-shanghai/notes"), "x").unwrap();
    let mut report = look_with(&world, &options()).await;
    let told = report.to_json();
    assert_eq!(told["counts"], json!({"object-foreign": 1, "share-of-deleted-image": 1}));
    let facts = json!([told["status"], told["remaining"], told["complete"], told["more"]]);
    assert_eq!(facts, json!([1, 2, true, false]));
    assert_eq!(told["regions"]["cn-shanghai"]["state"], "compared");
    assert_eq!(
        told["findings"][1],
        json!({
            "kind": "share-of-deleted-image",
            "region": null,
            "text": "image m-gone is deleted and shared with 2",
            "repairable": true,
            "repair": "remove the share",
            "outcome": null,
            "failure": null,
        })
    );
    let end = report.end_text();
    assert_eq!(
        end,
        "2 findings: 1 object-foreign, 1 share-of-deleted-image; 1 can be repaired with --repair\n"
    );
    repair_with(&world, &mut report).await;
    assert_eq!(report.to_json()["findings"][1]["outcome"], "done");
    assert_eq!(
        report.end_text(),
        "2 findings: 1 object-foreign, 1 share-of-deleted-image; 1 repaired, 1 remain\n"
    );
    world.owner.must(AS, "ListImage", &[]).await;
}

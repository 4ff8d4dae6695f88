//! RestoreImage: a delete is taken back whole, or not at all.

use calotype_core::ids::RegionId;
use calotype_store::replicas::{self, Lease};
use serde_json::{Value, json};

use crate::support::app_streaming::{self, AS, ECD, HOME, OWN};
use crate::support::{ENS, OTHER, Setup, World};

/// A world in which bytes outlive a delete by an hour.
async fn world() -> World {
    World::open(Setup::with("deletion = { grace = '1h' }\n")).await
}

/// Everything but the deletions.
async fn print(world: &World) -> String {
    let print = world.print().await;
    print.lines().filter(|line| !line.contains("\"deletions\"")).collect::<Vec<_>>().join("\n")
}

async fn restore(world: &World, image: &str) -> Value {
    world.owner.must(OWN, "RestoreImage", &[("ImageId", image)]).await
}

/// What a restore is refused with; nothing changes.
async fn refused(world: &World, image: &str) -> (String, Value) {
    let before = world.print().await;
    let answer = world.owner.call(OWN, "RestoreImage", &[("ImageId", image)]).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(world.print().await, before);
    (answer.code().unwrap().to_owned(), answer.body["Lost"].clone())
}

#[tokio::test]
async fn an_ens_image_comes_back_with_its_shares() {
    let world = world().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let before = print(&world).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    assert_eq!(world.owner.image(&image).await, Value::Null);
    let launch = world.owner.call(ENS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(launch.code(), Some("Error.DeleteImage"), "gone for the vendor's operations");
    let answer = restore(&world, &image).await;
    assert_eq!(answer["ImageId"], image);
    assert_eq!(print(&world).await, before);
    let shown = world.other.ok("DescribeImages", &[("ImageId", &image)]).await;
    assert_eq!(shown["TotalCount"], 1, "{shown}");

    // It is an image like any other: used, it is not deleted; unused, it is, once more, for good.
    let instance = world.owner.launch(&image).await;
    let answer = world.owner.call(ENS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(answer.code(), Some("Forbidden.DelerrorteImage"));
    world.owner.release(&instance).await;
    world.pass(1);
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let told = world.owner.must(OWN, "ListDeletions", &[]).await;
    let states: Vec<&Value> =
        told["Deletions"].as_array().unwrap().iter().map(|deletion| &deletion["State"]).collect();
    assert_eq!(states, ["Grace", "Restored"]);
    world.pass(3_600);
    world.drain().await;
    assert!(world.files_of(&image).await.is_empty());
    world.assert_sound().await;
}

#[tokio::test]
async fn an_app_streaming_image_comes_back_with_regions_versions_tags_and_templates() {
    let world = world().await;
    let image = app_streaming::tagged_image(&world).await;
    let params = [("ImageId", image.as_str()), ("DestinationRegionList.1", "cn-beijing")];
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
    for _ in 0..2 {
        app_streaming::template(&world, &image).await;
    }
    let listed = world.owner.must(AS, "ListImage", &[("ImageId", &image)]).await["Data"].clone();
    let before = print(&world).await;
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    world.pass(3_599);
    world.drain().await;
    assert_eq!(world.owner.must(AS, "ListImage", &[("ImageId", &image)]).await["Data"], json!([]));
    assert_eq!(world.owner.must(ECD, "DescribeTemplates", &[]).await["TotalCount"], 0);
    restore(&world, &image).await;
    assert_eq!(print(&world).await, before);
    assert_eq!(world.owner.must(AS, "ListImage", &[("ImageId", &image)]).await["Data"], listed);
    world.assert_sound().await;
}

#[tokio::test]
async fn bundles_that_went_with_the_image_come_back_with_it() {
    let world = world().await;
    let image = app_streaming::image(&world).await;
    app_streaming::bundle(&world, &image).await;
    let before = print(&world).await;
    let params = [("ImageId.1", image.as_str()), ("RegionId", HOME), ("DeleteCascadedBundle", "true")];
    world.owner.must(ECD, "DeleteImages", &params).await;
    restore(&world, &image).await;
    assert_eq!(print(&world).await, before);
}

#[tokio::test]
async fn what_was_not_deleted_is_not_restored() {
    let world = world().await;
    let image = world.import().await;
    assert_eq!(refused(&world, "m-unknown").await.0, "Deletion.NotExist");
    assert_eq!(refused(&world, &image).await.0, "Deletion.NotExist");
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let answer = world.other.call(OWN, "RestoreImage", &[("ImageId", &image)]).await;
    assert_eq!((answer.status, answer.code()), (400, Some("Deletion.NotExist")), "another account's");
    restore(&world, &image).await;
    assert_eq!(refused(&world, &image).await.0, "Deletion.Restored");
}

#[tokio::test]
async fn after_the_grace_period_nothing_comes_back() {
    let world = world().await;
    let image = world.import().await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.pass(3_600);
    assert_eq!(refused(&world, &image).await.0, "Deletion.GraceOver");
    world.drain().await;
    assert_eq!(refused(&world, &image).await.0, "Deletion.GraceOver");
    let without = World::new().await;
    let image = without.import().await;
    without.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(refused(&without, &image).await.0, "Deletion.GraceOver", "without grace, at once");
}

/// A server whose clock goes before the others' may have begun to erase.
#[tokio::test]
async fn what_a_worker_has_begun_to_erase_does_not_come_back() {
    let world = world().await;
    let image = app_streaming::image(&world).await;
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    let mut tx = world.app.db.begin().await.unwrap();
    let later = world.clock.now().plus_millis(3_600_000);
    let lease = Lease { owner: "ahead".to_owned(), until: later.plus_millis(1) };
    let region = RegionId::trusted(HOME);
    assert_eq!(replicas::claim_erasures(&mut tx, &region, later, &lease, 9).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let (code, lost) = refused(&world, &image).await;
    assert_eq!(code, "Deletion.NotRestorable");
    assert_eq!(lost, json!([{ "Clear": "", "Id": HOME, "Kind": "Region" }]));
}

/// A community image has its parent (D35): it comes back after it.
#[tokio::test]
async fn d35_a_published_child_comes_back_after_its_parent() {
    let world = world().await;
    let parent = app_streaming::image(&world).await;
    let child = app_streaming::image_of(&world, &parent, &[]).await;
    world.owner.must(OWN, "PublishCommunityImage", &[("ImageId", &child)]).await;
    let before = print(&world).await;
    for image in [&child, &parent] {
        world.owner.must(AS, "DeleteImage", &[("ImageId", image)]).await;
    }
    let (code, lost) = refused(&world, &child).await;
    assert_eq!(code, "Deletion.NotRestorable");
    assert_eq!(lost, json!([{ "Clear": "Restore it first.", "Id": parent, "Kind": "ParentImage" }]));
    restore(&world, &parent).await;
    restore(&world, &child).await;
    assert_eq!(print(&world).await, before);
}

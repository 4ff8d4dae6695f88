//! `CreateSnapshot`: a snapshot has bytes of its own.

use serde_json::json;

use crate::support::print::sha256;
use crate::support::refusals::{MISSING_PARAMETER, invalid};
use crate::support::{NODE, OTHER, PUBLIC_IMAGE, Setup, World, disk};

#[tokio::test]
async fn a_snapshot_is_taken_and_outlives_instance_and_image() {
    let world = World::new().await;
    let bytes = disk("snapped");
    let image = world.import_disk(&bytes).await;
    let instance = world.owner.launch(&image).await;
    let disk_id = world.owner.instance(&instance).await["SystemDisk"]["DiskId"].clone();
    let params = [
        ("DiskId", disk_id.as_str().unwrap()),
        ("EnsRegionId", NODE),
        ("SnapshotName", "before-upgrade"),
        ("Description", "taken by a test"),
    ];
    let body = world.owner.ok("CreateSnapshot", &params).await;
    let snapshot = body["SnapShotId"][0].as_str().unwrap();
    let expected = json!({ "OrderId": "", "SnapShotId": [snapshot], "RequestId": body["RequestId"] });
    assert_eq!(body, expected);
    assert_eq!(world.owner.snapshot(snapshot).await["Status"], "creating");
    world.drain().await;
    let listed = world.owner.snapshot(snapshot).await;
    assert_eq!((&listed["Status"], &listed["SourceDiskId"]), (&json!("available"), &disk_id));
    assert_eq!(listed["SnapshotName"], "before-upgrade");
    assert_eq!(listed["Description"], "taken by a test");
    assert_eq!(listed["Size"], "2048", "in MiB");

    world.owner.release(&instance).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    world.assert_erased(&image).await;
    assert_eq!(world.files_of(snapshot).await.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
    world.assert_sound().await;
}

#[tokio::test]
async fn without_a_name_it_is_named_like_its_id() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    assert_eq!(world.owner.snapshot(&snapshot).await["SnapshotName"], snapshot);
}

#[tokio::test]
async fn making_takes_as_long_as_the_settings_say() {
    let world = World::open(Setup::with("[timing]\nimage = '30s'\n")).await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    for (seconds, status) in [(29, "creating"), (1, "available")] {
        world.pass(seconds);
        world.drain().await;
        assert_eq!(world.owner.snapshot(&snapshot).await["Status"], status);
    }
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let data_disk = [("DataDisk", r#"[{"Size":20}]"#)];
    let instance = world.owner.launch_with(&image, &data_disk).await;
    let listed = world.owner.instance(&instance).await;
    let system = listed["SystemDisk"]["DiskId"].as_str().unwrap();
    let data = listed["DataDisk"]["DataDisk"][0]["DiskId"].as_str().unwrap();
    let before = world.print().await;
    let refused =
        async |params: &[(&str, &str)], row| world.owner.refused("CreateSnapshot", params, row).await;
    let (on, node) = (("DiskId", system), ("EnsRegionId", NODE));
    refused(&[node], MISSING_PARAMETER).await;
    refused(&[on], MISSING_PARAMETER).await;
    refused(&[("DiskId", "d a"), node], invalid!("DiskId")).await;
    refused(&[("DiskId", "d-unknown"), node], invalid!("DiskId")).await;
    refused(&[("DiskId", data), node], invalid!("DiskId")).await;
    refused(&[on, ("EnsRegionId", "cn-dalian-unicom")], invalid!("EnsRegionId")).await;
    for name in ["x", "1st", "automatic", "https://x"] {
        refused(&[on, node, ("SnapshotName", name)], invalid!("SnapshotName")).await;
    }
    let long = "x".repeat(257);
    for text in ["http://x", "https://x", &long] {
        refused(&[on, node, ("Description", text)], invalid!("Description")).await;
    }
    world.other.refused("CreateSnapshot", &[on, node], invalid!("DiskId")).await;
    assert_eq!(world.print().await, before);
}

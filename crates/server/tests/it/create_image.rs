//! `CreateImage`: images made of instances and of snapshots.

use std::fs;

use serde_json::json;

use crate::support::print::sha256;
use crate::support::refusals::{INSTANCE_STATUS, INVALID_INSTANCE_ID, MISSING_PARAMETER, invalid};
use crate::support::{OTHER, PUBLIC_IMAGE, Setup, World, disk};

#[tokio::test]
async fn an_image_of_an_instance_has_the_content_of_its_image() {
    let world = World::new().await;
    let bytes = disk("what the instance was made from");
    let source = world.import_disk(&bytes).await;
    let instance = world.owner.launch(&source).await;
    let params = [("ImageName", "made-of-it"), ("InstanceId", instance.as_str())];
    let body = world.owner.ok("CreateImage", &params).await;
    let image = body["ImageId"].as_str().unwrap();
    assert_eq!(body, json!({ "Code": 0, "ImageId": image, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.image_status(image).await, "Creating");
    world.drain().await;

    let (made, from) = (world.owner.image(image).await, world.owner.image(&source).await);
    assert_eq!((&made["Status"], &made["InstanceId"]), (&json!("Available"), &json!(instance)));
    for same in
        ["Architecture", "ComputeType", "ImageSize", "ImageStorageSize", "OsVersion", "Platform", "RegionId"]
    {
        assert_eq!(made[same], from[same], "{same}");
    }
    assert_eq!((&made["ImageName"], &made["ImageOwnerAlias"]), (&json!("made-of-it"), &json!("self")));
    let files: Vec<String> = world.files_of(image).await.into_values().collect();
    assert_eq!(files, [sha256(&bytes)]);
    world.assert_sound().await;
}

/// After a switch the instance has the content of the image that it was switched to.
#[tokio::test]
async fn an_image_of_a_switched_instance_has_the_new_content() {
    let world = World::new().await;
    let bytes = disk("switched to");
    let (old, new) = (world.import().await, world.import_disk(&bytes).await);
    let instance = world.owner.launch(&old).await;
    world.owner.reinit(&instance, &new).await;
    world.drain().await;
    let image = world.owner.create_image(&instance).await;
    world.drain().await;
    assert_eq!(world.files_of(&image).await.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
}

#[tokio::test]
async fn an_image_of_a_snapshot_outlives_instance_and_snapshot() {
    let world = World::new().await;
    let bytes = disk("snapped");
    let source = world.import_disk(&bytes).await;
    let instance = world.owner.launch(&source).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    world.owner.release(&instance).await;
    let params = [("ImageName", "made-of-it"), ("SnapshotId", snapshot.as_str())];
    let body = world.owner.ok("CreateImage", &params).await;
    let image = body["ImageId"].as_str().unwrap();
    // The snapshot goes while the image is being made of it.
    world.owner.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    world.drain().await;
    let made = world.owner.image(image).await;
    assert_eq!((&made["Status"], &made["SnapshotId"]), (&json!("Available"), &json!(snapshot)));
    assert_eq!(world.files_of(image).await.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
    assert!(world.files_of(&snapshot).await.is_empty());
    world.assert_sound().await;
}

#[tokio::test]
async fn the_bytes_go_to_the_region_that_is_named() {
    let world = World::new().await;
    let instance = world.owner.launch(&world.import().await).await;
    let params = [
        ("ImageName", "made-of-it"),
        ("InstanceId", instance.as_str()),
        ("TargetOSSRegionId", "cn-shanghai"),
    ];
    let body = world.owner.ok("CreateImage", &params).await;
    world.drain().await;
    let image = body["ImageId"].as_str().unwrap();
    assert_eq!(world.owner.image(image).await["RegionId"], "cn-shanghai");
    assert!(world.files_of(image).await.keys().all(|file| file.starts_with("cn-shanghai/")));
    assert_eq!(world.measure("cn-shanghai").await.0, 2, "this one and a system image");
    world.assert_sound().await;
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let before = world.print().await;
    let refused = async |params: &[(&str, &str)], row| world.owner.refused("CreateImage", params, row).await;
    let (name, of) = (("ImageName", "made-of-it"), ("InstanceId", instance.as_str()));
    refused(&[name], MISSING_PARAMETER).await;
    refused(&[of], MISSING_PARAMETER).await;
    refused(&[("ImageName", ""), of], MISSING_PARAMETER).await;
    refused(&[("ImageName", "1st"), of], invalid!("ImageName")).await;
    refused(&[name, ("InstanceId", "i a")], INVALID_INSTANCE_ID).await;
    refused(&[name, ("InstanceId", "i-unknown")], INVALID_INSTANCE_ID).await;
    refused(&[name, ("SnapshotId", "s a")], invalid!("SnapshotId")).await;
    refused(&[name, ("SnapshotId", "s-unknown")], invalid!("SnapshotId")).await;
    refused(&[name, of, ("TargetOSSRegionId", "mars-1")], invalid!("TargetOSSRegionId")).await;
    refused(&[name, of, ("WithDataDisks", "maybe")], invalid!("WithDataDisks")).await;
    refused(&[name, of, ("DeleteAfterImageUpload", "maybe")], invalid!("DeleteAfterImageUpload")).await;
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn things_of_other_accounts_do_not_exist() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let instance = world.owner.launch(&image).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    let name = ("ImageName", "made-of-it");
    let params = [name, ("InstanceId", instance.as_str())];
    world.other.refused("CreateImage", &params, INVALID_INSTANCE_ID).await;
    let params = [name, ("SnapshotId", snapshot.as_str())];
    world.other.refused("CreateImage", &params, invalid!("SnapshotId")).await;
}

/// A recipient of a share makes an image of its own, which the share does not bind.
#[tokio::test]
async fn an_image_made_of_a_shared_one_belongs_to_who_made_it() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let instance = world.other.launch(&image).await;
    let unshare = [("ImageId", image.as_str()), ("RemoveAccounts", OTHER)];
    world.owner.ok("ModifyImageSharePermission", &unshare).await;
    let own = world.other.create_image(&instance).await;
    world.drain().await;
    assert_eq!(world.other.image(&own).await["ImageOwnerAlias"], "self");
    assert!(world.owner.image(&own).await.is_null());
    world.other.ok("DeleteImage", &[("ImageId", &own)]).await;
}

#[tokio::test]
async fn the_instance_must_be_settled() {
    let world = World::open(Setup::with("[timing]\ninstance = '10s'\n")).await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    let params = [("ImageName", "made-of-it"), ("InstanceId", instance.as_str())];
    let create = async || world.owner.refused("CreateImage", &params, INSTANCE_STATUS).await;
    create().await;
    world.pass(10);
    world.owner.ok("StopInstance", &[("InstanceId", &instance)]).await;
    create().await;
    world.pass(10);
    world.owner.reinit(&instance, &image).await;
    create().await;
    world.pass(10);
    world.drain().await;
    world.owner.ok("CreateImage", &params).await;
}

#[tokio::test]
async fn a_snapshot_must_be_available() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    let params = [("ImageName", "made-of-it"), ("SnapshotId", snapshot.as_str())];
    world.owner.refused("CreateImage", &params, invalid!("SnapshotId")).await;
    world.drain().await;
    world.owner.ok("CreateImage", &params).await;
}

/// Bytes that have changed on disk are not passed on as those that were recorded.
#[tokio::test]
async fn a_copy_of_bytes_that_are_not_the_recorded_ones_fails() {
    let world = World::new().await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    for file in world.files_of(&image).await.keys() {
        let path = world.path("objects").join(file);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let copy = world.owner.create_image(&instance).await;
    world.drain().await;
    assert!(["Pack_failed", "Upload_failed"].contains(&&*world.owner.image_status(&copy).await));
    assert!(world.files_of(&copy).await.is_empty());
    world.owner.ok("DeleteImage", &[("ImageId", &copy)]).await;
    world.drain().await;
    world.assert_erased(&copy).await;
}

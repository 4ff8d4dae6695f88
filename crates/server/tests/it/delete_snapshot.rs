//! `DeleteSnapshot`: the snapshot goes with its bytes; what was made of it stays.

use serde_json::json;

use crate::support::refusals::{MISSING_PARAMETER, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn the_snapshot_is_gone_at_once_and_its_bytes_later() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    let params = [("ImageName", "made-of-it"), ("SnapshotId", snapshot.as_str())];
    let image = world.owner.ok("CreateImage", &params).await["ImageId"].clone();
    world.drain().await;

    let body = world.owner.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    assert_eq!(body, json!({ "RequestId": body["RequestId"] }));
    assert!(world.owner.snapshot(&snapshot).await.is_null());
    assert_eq!(world.files_of(&snapshot).await.len(), 1);
    world.drain().await;
    assert!(world.files_of(&snapshot).await.is_empty());
    assert_eq!(world.owner.image_status(image.as_str().unwrap()).await, "Available");
    world.assert_sound().await;
    world.owner.refused("DeleteSnapshot", &[("SnapshotId", &snapshot)], invalid!("SnapshotId")).await;
}

/// Nobody waits for the copy any more: it is not made, and no byte is left.
#[tokio::test]
async fn a_snapshot_that_is_being_taken_can_be_deleted() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.owner.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    world.drain().await;
    assert!(world.files_of(&snapshot).await.is_empty());
    assert!(world.owner.snapshot(&snapshot).await.is_null());
    world.assert_sound().await;
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    let before = world.print().await;
    world.owner.refused("DeleteSnapshot", &[], MISSING_PARAMETER).await;
    for id in ["s a", "s-unknown"] {
        world.owner.refused("DeleteSnapshot", &[("SnapshotId", id)], invalid!("SnapshotId")).await;
    }
    let foreign = [("SnapshotId", snapshot.as_str())];
    world.other.refused("DeleteSnapshot", &foreign, invalid!("SnapshotId")).await;
    assert_eq!(world.print().await, before);
}

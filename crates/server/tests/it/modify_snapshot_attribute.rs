//! `ModifySnapshotAttribute`: name and description of a snapshot.

use serde_json::json;

use crate::support::refusals::{MISSING_PARAMETER, Row, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    // One that is being made can be named as well.
    for (name, value) in [("SnapshotName", "nightly"), ("Description", "of a test")] {
        let mut expected = world.owner.snapshot(&snapshot).await;
        let params = [("SnapshotId", snapshot.as_str()), (name, value)];
        let body = world.owner.ok("ModifySnapshotAttribute", &params).await;
        assert_eq!(body, json!({ "RequestId": body["RequestId"] }));
        expected[name] = json!(value);
        assert_eq!(world.owner.snapshot(&snapshot).await, expected);
        world.drain().await;
    }
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    let before = world.print().await;
    let refused = async |params: &[(&str, &str)], row| {
        world.owner.refused("ModifySnapshotAttribute", params, row).await
    };
    refused(&[("SnapshotName", "name")], MISSING_PARAMETER).await;
    for id in ["s a", "s-unknown"] {
        refused(&[("SnapshotId", id)], invalid!("SnapshotId")).await;
    }
    let long = "x".repeat(257);
    let cases: [(&str, &str, Row); 6] = [
        ("SnapshotName", "x", invalid!("SnapshotName")),
        ("SnapshotName", "1st", invalid!("SnapshotName")),
        ("SnapshotName", "automatic", invalid!("SnapshotName")),
        ("SnapshotName", "http://x", invalid!("SnapshotName")),
        ("Description", "https://x", invalid!("Description")),
        ("Description", &long, invalid!("Description")),
    ];
    for (name, value, row) in cases {
        refused(&[("SnapshotId", &snapshot), (name, value)], row).await;
    }
    let params = [("SnapshotId", snapshot.as_str()), ("SnapshotName", "theirs")];
    world.other.refused("ModifySnapshotAttribute", &params, invalid!("SnapshotId")).await;
    assert_eq!(world.print().await, before);
}

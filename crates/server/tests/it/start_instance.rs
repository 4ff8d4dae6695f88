//! `StartInstance`: from stopped to running.

use serde_json::json;

use crate::support::refusals::{INSTANCE_STATUS, INVALID_INSTANCE_ID, MISSING_PARAMETER};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn a_stopped_instance_runs_again() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let one = [("InstanceId", instance.as_str())];
    world.owner.refused("StartInstance", &one, INSTANCE_STATUS).await;
    world.owner.ok("StopInstance", &one).await;
    let body = world.owner.ok("StartInstance", &one).await;
    assert_eq!(body, json!({ "Code": 0, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.instance_status(&instance).await, "Running");
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.ok("StopInstance", &[("InstanceId", &instance)]).await;
    world.owner.refused("StartInstance", &[], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown"] {
        world.owner.refused("StartInstance", &[("InstanceId", id)], INVALID_INSTANCE_ID).await;
    }
    world.other.refused("StartInstance", &[("InstanceId", &instance)], INVALID_INSTANCE_ID).await;
    assert_eq!(world.owner.instance_status(&instance).await, "Stopped");
}

//! `StopInstance`: from running to stopped.

use serde_json::json;

use crate::support::refusals::{INSTANCE_STATUS, INVALID_INSTANCE_ID, MISSING_PARAMETER};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn a_running_instance_is_stopped() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let one = [("InstanceId", instance.as_str()), ("ForceStop", "true")];
    let body = world.owner.ok("StopInstance", &one).await;
    assert_eq!(body, json!({ "Code": 0, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.instance_status(&instance).await, "Stopped");
    world.owner.refused("StopInstance", &one, INSTANCE_STATUS).await;
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.refused("StopInstance", &[("ForceStop", "true")], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown"] {
        world.owner.refused("StopInstance", &[("InstanceId", id)], INVALID_INSTANCE_ID).await;
    }
    world.other.refused("StopInstance", &[("InstanceId", &instance)], INVALID_INSTANCE_ID).await;
    assert_eq!(world.owner.instance_status(&instance).await, "Running");
}

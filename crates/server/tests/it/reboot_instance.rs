//! `RebootInstance`: from running to running.

use serde_json::json;

use crate::support::refusals::{INSTANCE_STATUS, INVALID_INSTANCE_ID, MISSING_PARAMETER, invalid};
use crate::support::{PUBLIC_IMAGE, Setup, World};

#[tokio::test]
async fn a_running_instance_runs_again_after_a_while() {
    let world = World::open(Setup::with("[timing]\ninstance = '30s'\n")).await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let one = [("InstanceId", instance.as_str())];
    world.owner.refused("RebootInstance", &one, INSTANCE_STATUS).await;
    world.pass(30);
    let body = world.owner.ok("RebootInstance", &[one[0], ("ForceStop", "true")]).await;
    assert_eq!(body, json!({ "Code": 0, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.instance_status(&instance).await, "Starting");
    world.owner.refused("RebootInstance", &one, INSTANCE_STATUS).await;
    world.pass(30);
    assert_eq!(world.owner.instance_status(&instance).await, "Running");
}

#[tokio::test]
async fn parameters_and_states() {
    let world = World::new().await;
    let (instance, switching) =
        (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(PUBLIC_IMAGE).await);
    world.owner.ok("StopInstance", &[("InstanceId", &instance)]).await;
    let image = world.import().await;
    world.owner.reinit(&switching, &image).await;
    let before = world.print().await;
    let refused =
        async |params: &[(&str, &str)], row| world.owner.refused("RebootInstance", params, row).await;
    refused(&[], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown"] {
        refused(&[("InstanceId", id)], INVALID_INSTANCE_ID).await;
    }
    refused(&[("InstanceId", &instance), ("ForceStop", "perhaps")], invalid!("ForceStop")).await;
    for id in [&instance, &switching] {
        refused(&[("InstanceId", id)], INSTANCE_STATUS).await;
    }
    world.other.refused("RebootInstance", &[("InstanceId", &instance)], INVALID_INSTANCE_ID).await;
    assert_eq!(world.print().await, before);
}

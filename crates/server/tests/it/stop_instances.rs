//! `StopInstances`: the batch form, with a result for each.

use serde_json::json;

use crate::support::refusals::{MISSING_PARAMETER, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn each_has_a_result_of_its_own() {
    let world = World::new().await;
    let (one, two) = (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(PUBLIC_IMAGE).await);
    world.owner.ok("StopInstance", &[("InstanceId", &two)]).await;
    let body = world.owner.ok("StopInstances", &[("InstanceIds.1", &one), ("InstanceIds.2", &two)]).await;
    let wrong =
        "IncorrectInstanceStatus: The current status of the instance does not support this operation.";
    let expected = json!([
        { "Code": 0, "InstanceId": one, "Message": "success" },
        { "Code": 400, "InstanceId": two, "Message": wrong },
    ]);
    assert_eq!(body["InstanceResponses"], expected);
    for instance in [one, two] {
        assert_eq!(world.owner.instance_status(&instance).await, "Stopped");
    }
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    world.owner.refused("StopInstances", &[], MISSING_PARAMETER).await;
    world.owner.refused("StopInstances", &[("InstanceIds", "i/1")], invalid!("InstanceIds")).await;
}

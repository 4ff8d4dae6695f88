//! `StartInstances`: the batch form, with a result for each.

use serde_json::json;

use crate::support::refusals::{MISSING_PARAMETER, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn each_has_a_result_of_its_own() {
    let world = World::new().await;
    let (stopped, running) = (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(PUBLIC_IMAGE).await);
    let theirs = world.other.launch(PUBLIC_IMAGE).await;
    world.owner.ok("StopInstance", &[("InstanceId", &stopped)]).await;
    let ids = format!("{stopped}, {running},{theirs}");
    let body = world.owner.ok("StartInstances", &[("InstanceIds", &ids)]).await;
    let wrong =
        "IncorrectInstanceStatus: The current status of the instance does not support this operation.";
    let unknown =
        "InvalidParameter.InstanceId: The specified field InstanceId invalid. Please check it again.";
    let expected = json!([
        { "Code": 0, "InstanceId": stopped, "Message": "success" },
        { "Code": 400, "InstanceId": running, "Message": wrong },
        { "Code": 400, "InstanceId": theirs, "Message": unknown },
    ]);
    assert_eq!(body, json!({ "InstanceResponses": expected, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.instance_status(&stopped).await, "Running");
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    for ids in ["", ","] {
        world.owner.refused("StartInstances", &[("InstanceIds", ids)], MISSING_PARAMETER).await;
    }
    world.owner.refused("StartInstances", &[("InstanceIds", "i a")], invalid!("InstanceIds")).await;
}

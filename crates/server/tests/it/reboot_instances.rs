//! `RebootInstances`: the batch form, with a result for each.

use serde_json::json;

use crate::support::refusals::{MISSING_PARAMETER, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn each_has_a_result_of_its_own() {
    let world = World::new().await;
    let (running, stopped) = (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(PUBLIC_IMAGE).await);
    world.owner.ok("StopInstance", &[("InstanceId", &stopped)]).await;
    let ids = format!("{running},{stopped}");
    let body = world.owner.ok("RebootInstances", &[("InstanceIds", &ids)]).await;
    let wrong =
        "IncorrectInstanceStatus: The current status of the instance does not support this operation.";
    let expected = json!([
        { "Code": 0, "InstanceId": running, "Message": "success" },
        { "Code": 400, "InstanceId": stopped, "Message": wrong },
    ]);
    assert_eq!(body, json!({ "InstanceResponses": expected, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.instance_status(&running).await, "Running");
    assert_eq!(world.owner.instance_status(&stopped).await, "Stopped");
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    world.owner.refused("RebootInstances", &[], MISSING_PARAMETER).await;
    world.owner.refused("RebootInstances", &[("InstanceIds", "i a")], invalid!("InstanceIds")).await;
}

//! App Streaming `DeleteAppInstances`: no session runs here, so each that is named is unknown.

use serde_json::json;

use crate::support::World;
use crate::support::app_streaming::{self, AS, SYSTEM_IMAGE};

#[tokio::test]
async fn each_session_is_unknown() {
    let world = World::new().await;
    let group = app_streaming::group(&world, SYSTEM_IMAGE).await;
    let before = world.print().await;
    let params = [
        ("AppInstanceGroupId", group.as_str()),
        ("ProductType", "CloudApp"),
        ("AppInstanceIds.1", "ai-1"),
        ("AppInstanceIds.2", "ai-2"),
    ];
    let body = world.owner.must(AS, "DeleteAppInstances", &params).await;
    let unknown = |id: &str| {
        json!({
            "AppInstanceId": id,
            "Code": "InvalidParameter.AppInstanceIds",
            "Message": "The parameter AppInstanceIds is invalid.",
            "Success": false,
        })
    };
    let models = [unknown("ai-1"), unknown("ai-2")];
    assert_eq!(body, json!({ "DeleteAppInstanceModels": models, "RequestId": body["RequestId"] }));
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let group = app_streaming::group(&world, SYSTEM_IMAGE).await;
    let (id, kind) = (("AppInstanceGroupId", group.as_str()), ("ProductType", "CloudApp"));
    let session = ("AppInstanceIds.1", "ai-1");
    for (params, code) in [
        (&[id, session][..], "InvalidParameter.ProductType"),
        (&[id, session, ("ProductType", "CloudBrowser")], "InvalidParameter.ProductType"),
        (&[id, kind], "InvalidParameter.AppInstanceIds"),
        (&[kind, session], "InvalidParameter.AppInstanceGroupId"),
        (&[("AppInstanceGroupId", "aig-unknown"), kind, session], "InvalidParameter.AppInstanceGroupId"),
    ] {
        let answer = world.owner.call(AS, "DeleteAppInstances", params).await;
        assert_eq!((answer.status, answer.code()), (400, Some(code)), "{params:?}");
    }
}

//! `ReleasePostPaidInstance`: the instance goes, and with it its use of the image.

use serde_json::json;

use crate::support::refusals::{INVALID_INSTANCE_ID, MISSING_PARAMETER, PROTECTED};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn the_instance_is_gone_with_all_that_was_its_own() {
    let world = World::new().await;
    let before = world.print().await;
    let more = [("DataDisk", r#"[{"Size":20}]"#), ("Tag.1.Key", "env"), ("Tag.1.Value", "test")];
    let instance = world.owner.launch_with(PUBLIC_IMAGE, &more).await;
    let body = world.owner.ok("ReleasePostPaidInstance", &[("InstanceId", &instance)]).await;
    assert_eq!(body, json!({ "RequestId": body["RequestId"] }));
    assert!(world.owner.instance(&instance).await.is_null());
    assert_eq!(world.print().await, before, "nothing of it is left");
    world.owner.refused("ReleasePostPaidInstance", &[("InstanceId", &instance)], INVALID_INSTANCE_ID).await;
}

#[tokio::test]
async fn parameters_protection_and_the_other_way_of_paying() {
    let world = World::new().await;
    let prepaid = world.owner.launch_with(PUBLIC_IMAGE, &[("InstanceChargeType", "PrePaid")]).await;
    let protected = world.owner.launch_with(PUBLIC_IMAGE, &[("DeletionProtection", "true")]).await;
    let before = world.print().await;
    let refused = async |params: &[(&str, &str)], row| {
        world.owner.refused("ReleasePostPaidInstance", params, row).await
    };
    refused(&[], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown", &prepaid] {
        refused(&[("InstanceId", id)], INVALID_INSTANCE_ID).await;
    }
    refused(&[("InstanceId", &protected)], PROTECTED).await;
    let params = [("InstanceId", protected.as_str())];
    world.other.refused("ReleasePostPaidInstance", &params, INVALID_INSTANCE_ID).await;
    assert_eq!(world.print().await, before);
}

//! `ReleasePrePaidInstance`: the same for instances that are paid for by subscription.

use serde_json::json;

use crate::support::refusals::{INVALID_INSTANCE_ID, MISSING_PARAMETER, PROTECTED};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn the_instance_is_gone() {
    let world = World::new().await;
    let before = world.print().await;
    let instance = world.owner.launch_with(PUBLIC_IMAGE, &[("InstanceChargeType", "PrePaid")]).await;
    let body = world.owner.ok("ReleasePrePaidInstance", &[("InstanceId", &instance)]).await;
    assert_eq!(body, json!({ "RequestId": body["RequestId"] }));
    assert_eq!(world.print().await, before);
    world.owner.refused("ReleasePrePaidInstance", &[("InstanceId", &instance)], INVALID_INSTANCE_ID).await;
}

#[tokio::test]
async fn parameters_protection_and_the_other_way_of_paying() {
    let world = World::new().await;
    let postpaid = world.owner.launch(PUBLIC_IMAGE).await;
    let more = [("InstanceChargeType", "PrePaid"), ("DeletionProtection", "true")];
    let protected = world.owner.launch_with(PUBLIC_IMAGE, &more).await;
    let before = world.print().await;
    world.owner.refused("ReleasePrePaidInstance", &[], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown", &postpaid] {
        world.owner.refused("ReleasePrePaidInstance", &[("InstanceId", id)], INVALID_INSTANCE_ID).await;
    }
    world.owner.refused("ReleasePrePaidInstance", &[("InstanceId", &protected)], PROTECTED).await;
    assert_eq!(world.print().await, before);
}

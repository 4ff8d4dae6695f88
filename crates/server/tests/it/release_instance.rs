//! `ReleaseInstance`: an instance goes, however it is paid for; a disk stays as long as its instance.

use serde_json::json;

use crate::support::refusals::{INSTANCE_STATUS, INVALID_INSTANCE_ID, MISSING_PARAMETER, PROTECTED};
use crate::support::{PUBLIC_IMAGE, Setup, World};

#[tokio::test]
async fn d16_an_instance_goes_and_with_it_its_use_of_the_image() {
    let world = World::new().await;
    for charge_type in ["PrePaid", "PostPaid"] {
        let image = world.import().await;
        let before = world.print().await;
        let more = [("InstanceChargeType", charge_type), ("DataDisk", r#"[{"Size":20}]"#)];
        let instance = world.owner.launch_with(&image, &more).await;
        let one = [("InstanceId", instance.as_str())];
        let body = world.owner.ok("ReleaseInstance", &one).await;
        assert_eq!(body, json!({ "RequestId": body["RequestId"], "ResourceType": "instance" }));
        assert_eq!(world.print().await, before, "nothing of it is left");
        world.owner.refused("ReleaseInstance", &one, INVALID_INSTANCE_ID).await;
        world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    }
}

#[tokio::test]
async fn protected_instances_and_disks_stay() {
    let world = World::new().await;
    let more = [("DeletionProtection", "true"), ("DataDisk", r#"[{"Size":20}]"#)];
    let instance = world.owner.launch_with(PUBLIC_IMAGE, &more).await;
    let listed = world.owner.instance(&instance).await;
    let disks = [&listed["SystemDisk"]["DiskId"], &listed["DataDisk"]["DataDisk"][0]["DiskId"]];
    let before = world.print().await;
    world.owner.refused("ReleaseInstance", &[("InstanceId", &instance)], PROTECTED).await;
    for disk in disks {
        let one = [("InstanceId", disk.as_str().unwrap())];
        world.owner.refused("ReleaseInstance", &one, INSTANCE_STATUS).await;
        world.other.refused("ReleaseInstance", &one, INVALID_INSTANCE_ID).await;
    }
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.refused("ReleaseInstance", &[], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown", "eip-5sc1s00002"] {
        world.owner.refused("ReleaseInstance", &[("InstanceId", id)], INVALID_INSTANCE_ID).await;
    }
    world.other.refused("ReleaseInstance", &[("InstanceId", &instance)], INVALID_INSTANCE_ID).await;
}

/// Whoever may release by the operations for one way of paying may not by this one, and the other way round.
#[tokio::test]
async fn it_has_an_action_of_its_own() {
    let allow = |action: &str| format!(r#"{{"Effect":"Allow","Action":"ens:{action}","Resource":"*"}}"#);
    let (one, other) = (allow("ReleasePostPaidInstance"), allow("ReleaseInstance"));
    let world = World::open(Setup::with_users(&[("payer", &one), ("releaser", &other)])).await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let params = [("InstanceId", instance.as_str())];
    world.user("payer").denied("ReleaseInstance", &params, "ImplicitDeny").await;
    world.user("releaser").denied("ReleasePostPaidInstance", &params, "ImplicitDeny").await;
    world.user("releaser").ok("ReleaseInstance", &params).await;
}

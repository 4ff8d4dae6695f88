//! `CreateInstance`: the older way to launch, by subscription.

use serde_json::json;

use crate::support::refusals::{
    IMAGE_STATUS, INVALID_IMAGE_ID, INVALID_INSTANCE_ID, MISSING_PARAMETER, Row, USED_TO_CREATE, invalid,
};
use crate::support::{NODE, World, disk, with, without};

fn params(image: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("EnsRegionId", NODE),
        ("ImageId", image),
        ("InstanceType", "ens.sn1.small"),
        ("Period", "1"),
        ("Quantity", "1"),
    ]
}

#[tokio::test]
async fn d16_launches_by_subscription_and_each_uses_its_image() {
    let world = World::new().await;
    let image = world.import().await;
    let more = [
        ("Quantity", "2"),
        ("Period", "12"),
        ("PaymentType", "Subscription"),
        ("AutoRenew", "True"),
        ("AutoRenewPeriod", "3"),
        ("SystemDisk.Size", "40"),
        ("DataDisk.1.Size", "20"),
        ("DataDisk.2.Size", "30"),
        ("InstanceName", "web"),
        ("UniqueSuffix", "true"),
        ("HostName", "web.example"),
    ];
    let body = world.owner.ok("CreateInstance", &with(params(&image), &more)).await;
    let ids = &body["InstanceIds"]["InstanceId"];
    assert_eq!(
        body,
        json!({ "Code": 0, "InstanceIds": { "InstanceId": ids }, "RequestId": body["RequestId"] })
    );
    let ids: Vec<&str> = ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    for (id, name) in ids.iter().zip(["web001", "web002"]) {
        let listed = world.owner.instance(id).await;
        assert_eq!(listed["InstanceResourceType"], "EnsInstance");
        assert_eq!((&listed["InstanceName"], &listed["HostName"]), (&json!(name), &json!("web.example")));
        assert_eq!(listed["SystemDisk"]["Size"], 40 * 1024);
        let data = listed["DataDisk"]["DataDisk"].as_array().unwrap();
        assert_eq!(data.iter().map(|disk| &disk["DiskSize"]).collect::<Vec<_>>(), [20, 30]);
        world.owner.refused("DeleteImage", &[("ImageId", &image)], USED_TO_CREATE).await;
        let one = [("InstanceId", *id)];
        world.owner.refused("ReleasePostPaidInstance", &one, INVALID_INSTANCE_ID).await;
        world.owner.ok("ReleasePrePaidInstance", &one).await;
    }
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
}

#[tokio::test]
async fn d49_the_image_must_be_there_and_available() {
    let world = World::new().await;
    let making = world.begin_import(&disk("x")).await;
    let before = world.print().await;
    for unknown in ["m-unknown", "m a"] {
        world.owner.refused("CreateInstance", &params(unknown), INVALID_IMAGE_ID).await;
    }
    world.owner.refused("CreateInstance", &params(&making), IMAGE_STATUS).await;
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let image = world.import().await;
    let before = world.print().await;
    for name in ["EnsRegionId", "ImageId", "InstanceType", "Period", "Quantity"] {
        world.owner.refused("CreateInstance", &without(&params(&image), name), MISSING_PARAMETER).await;
    }
    let long = "x".repeat(300);
    let cases: [(&'static str, &str, Row); 17] = [
        ("EnsRegionId", "cn-nowhere", invalid!("EnsRegionId")),
        ("Quantity", "0", invalid!("Quantity")),
        ("Quantity", "101", invalid!("Quantity")),
        ("Quantity", "two", invalid!("Quantity")),
        ("Period", "0", invalid!("Period")),
        ("Period", "10", invalid!("Period")),
        ("Period", "month", invalid!("Period")),
        ("PaymentType", "PayAsYouGo", invalid!("PaymentType")),
        ("AutoRenew", "maybe", invalid!("AutoRenew")),
        ("AutoRenewPeriod", "13", invalid!("AutoRenewPeriod")),
        ("SystemDisk.Size", "41", invalid!("SystemDisk.Size")),
        ("SystemDisk.Size", "0", invalid!("SystemDisk.Size")),
        ("DataDisk.1.Size", "10", invalid!("DataDisk.Size")),
        ("DataDisk.1.Size", "25", invalid!("DataDisk.Size")),
        ("OwnerId", "me", invalid!("OwnerId")),
        ("InstanceName", "1st", invalid!("InstanceName")),
        ("HostName", &long, invalid!("HostName")),
    ];
    for (name, value, row) in cases {
        world.owner.refused("CreateInstance", &with(params(&image), &[(name, value)]), row).await;
    }
    let renewed = with(params(&image), &[("AutoRenew", "True")]);
    world.owner.refused("CreateInstance", &renewed, MISSING_PARAMETER).await;
    assert_eq!(world.print().await, before);
}

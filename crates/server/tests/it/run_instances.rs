//! `RunInstances`: each instance uses its image from acceptance on.

use serde_json::json;

use crate::support::refusals::{IMAGE_STATUS, INVALID_IMAGE_ID, MISSING_PARAMETER, Row, invalid};
use crate::support::{NODE, OTHER, PUBLIC_IMAGE, Setup, World, disk};

#[tokio::test]
async fn launches_several_and_writes_a_use_for_each() {
    let world = World::new().await;
    let image = world.import().await;
    let params = [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small"), ("Amount", "3")];
    let body = world.owner.ok("RunInstances", &params).await;
    let ids = body["InstanceIds"].as_array().unwrap();
    assert_eq!(body, json!({ "InstanceIds": ids, "OrderId": "", "RequestId": body["RequestId"] }));
    assert_eq!(ids.len(), 3);
    let sql = "SELECT consumer_id FROM usages WHERE image_id = $1 AND origin = 'created' AND in_progress = 0 \
               ORDER BY consumer_id";
    let rows = world.rows(sql, &[(&image).into()]).await;
    let mut consumers: Vec<&str> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    consumers.sort_unstable();
    assert_eq!(rows.iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), consumers);
}

#[tokio::test]
async fn names_are_given_to_all_or_numbered() {
    let world = World::new().await;
    let names = async |suffix: &str| {
        let params = [
            ("ImageId", PUBLIC_IMAGE),
            ("InstanceType", "ens.sn1.small"),
            ("Amount", "2"),
            ("InstanceName", "web"),
            ("UniqueSuffix", suffix),
        ];
        let body = world.owner.ok("RunInstances", &params).await;
        let ids: Vec<&str> =
            body["InstanceIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let mut names = Vec::new();
        for id in ids {
            names.push(world.owner.instance(id).await["InstanceName"].as_str().unwrap().to_owned());
        }
        names
    };
    assert_eq!(names("false").await, ["web", "web"]);
    assert_eq!(names("true").await, ["web001", "web002"]);
}

/// The spellings that the vendor's clients use for what is structured.
#[tokio::test]
async fn structured_parameters_in_every_spelling() {
    let world = World::new().await;
    for disks in [
        &[("SystemDisk", r#"{"Size":40}"#), ("DataDisk", r#"[{"Size":20,"Category":"cloud_ssd"}]"#)][..],
        &[
            ("SystemDisk", r#"{"Size": "40"}"#),
            ("DataDisk", r#"[{"Size":"20","Encrypted":"","Category":"cloud_ssd"}]"#),
        ],
        &[("SystemDisk.Size", "40"), ("DataDisk.1.Size", "20"), ("DataDisk.1.Category", "cloud_ssd")],
    ] {
        let instance = world.owner.launch_with(PUBLIC_IMAGE, disks).await;
        let listed = world.owner.instance(&instance).await;
        assert_eq!(listed["SystemDisk"]["Size"], 40 * 1024, "{disks:?}");
        let data = &listed["DataDisk"]["DataDisk"];
        assert_eq!((&data[0]["DiskSize"], &data[0]["Category"]), (&json!(20), &json!("cloud_ssd")));
        assert_eq!(data.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_system_disk_cannot_be_smaller_than_the_image() {
    let world = World::new().await;
    let image = world.import().await;
    let params =
        |size| [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small"), ("SystemDisk.Size", size)];
    world.owner.refused("RunInstances", &params("1"), invalid!("SystemDisk.Size")).await;
    world.owner.ok("RunInstances", &params("2")).await;
}

#[tokio::test]
async fn d49_the_image_must_be_there_visible_and_available() {
    let world = World::new().await;
    let (image, gone) = (world.import().await, world.import().await);
    let making = world.begin_import(&disk("x")).await;
    world.owner.ok("DeleteImage", &[("ImageId", &gone)]).await;
    let before = world.print().await;
    let params = |image| [("ImageId", image), ("InstanceType", "ens.sn1.small")];
    for unknown in ["m-unknown", &gone, "m a"] {
        world.owner.refused("RunInstances", &params(unknown), INVALID_IMAGE_ID).await;
    }
    world.other.refused("RunInstances", &params(&image), INVALID_IMAGE_ID).await;
    world.owner.refused("RunInstances", &params(&making), IMAGE_STATUS).await;
    assert_eq!(world.print().await, before);
    world.owner.share(&image, OTHER).await;
    world.other.ok("RunInstances", &params(&image)).await;
}

/// A refused launch leaves nothing, however far it came.
#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let before = world.print().await;
    let (long, name) = ("x".repeat(300), "n".repeat(129));
    let user_data = "x".repeat(22 * 1024 + 1);
    let disks = format!("[{}]", vec![r#"{"Size":20}"#; 17].join(","));
    let cases: [(&[(&str, &str)], Row); 22] = [
        (&[("Amount", "0")], invalid!("Amount")),
        (&[("Amount", "101")], invalid!("Amount")),
        (&[("Amount", "two")], invalid!("Amount")),
        (&[("InstanceName", "x")], invalid!("InstanceName")),
        (&[("InstanceName", &name)], invalid!("InstanceName")),
        (&[("InstanceChargeType", "Free")], invalid!("InstanceChargeType")),
        (&[("EnsRegionId", "cn-nowhere")], invalid!("EnsRegionId")),
        (&[("ScheduleAreaLevel", "Region")], MISSING_PARAMETER),
        (&[("DeletionProtection", "maybe")], invalid!("DeletionProtection")),
        (&[("UniqueSuffix", "maybe")], invalid!("UniqueSuffix")),
        (&[("SystemDisk", "40")], invalid!("SystemDisk")),
        (&[("SystemDisk.Size", "0")], invalid!("SystemDisk.Size")),
        (&[("SystemDisk.Size", "40000")], invalid!("SystemDisk.Size")),
        (&[("SystemDisk.Size", "big")], invalid!("SystemDisk.Size")),
        (&[("DataDisk", "[20]")], invalid!("DataDisk")),
        (&[("DataDisk", r#"[{"Category":"cloud_ssd"}]"#)], invalid!("DataDisk.Size")),
        (&[("DataDisk", r#"[{"Size":0}]"#)], invalid!("DataDisk.Size")),
        (&[("DataDisk", &disks)], invalid!("DataDisk")),
        (&[("Tag.1.Value", "no key")], invalid!("Tag")),
        (&[("Tag.1.Key", &name)], invalid!("Tag")),
        (&[("HostName", &long)], invalid!("HostName")),
        (&[("UserData", &user_data)], invalid!("UserData")),
    ];
    for (more, row) in cases {
        let params = [&[("ImageId", PUBLIC_IMAGE), ("InstanceType", "ens.sn1.small")], more].concat();
        world.owner.refused("RunInstances", &params, row).await;
    }
    world.owner.refused("RunInstances", &[("EnsRegionId", NODE)], MISSING_PARAMETER).await;
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn one_that_cannot_be_written_takes_the_others_back() {
    let world = World::open(Setup { embedded: true, ..Setup::default() }).await;
    let before = world.print().await;
    let trigger = "CREATE TRIGGER third BEFORE INSERT ON instances WHEN (SELECT COUNT(*) FROM instances) = 2 \
                   BEGIN SELECT RAISE(ABORT, 'full'); END";
    world.change(trigger, &[]).await;
    let params = [("ImageId", PUBLIC_IMAGE), ("InstanceType", "ens.sn1.small"), ("Amount", "3")];
    world.owner.refused("RunInstances", &params, crate::support::refusals::UNAVAILABLE).await;
    assert_eq!(world.print().await, before);
}

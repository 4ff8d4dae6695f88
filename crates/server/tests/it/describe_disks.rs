//! `DescribeDisks`: the disks of the caller's instances.

use serde_json::{Value, json};

use crate::support::caller::{column, text};
use crate::support::refusals::invalid;
use crate::support::{NODE, PUBLIC_IMAGE, World};

async fn disks(world: &World, params: &[(&str, &str)]) -> Value {
    let body = world.owner.ok("DescribeDisks", params).await;
    assert_eq!(body["Code"], 0);
    body["Disks"]["Disks"].clone()
}

async fn ids(world: &World, params: &[(&str, &str)]) -> Vec<String> {
    column(&disks(world, params).await, "DiskId")
}

#[tokio::test]
async fn shows_what_the_instance_shows() {
    let world = World::new().await;
    let more = [("DataDisk", r#"[{"Size":20,"Category":"cloud_ssd"}]"#), ("InstanceName", "web")];
    let instance = world.owner.launch_with(PUBLIC_IMAGE, &more).await;
    let listed = world.owner.instance(&instance).await;
    let system = text(&listed["SystemDisk"]["DiskId"]);
    let data = text(&listed["DataDisk"]["DataDisk"][0]["DiskId"]);
    let expected = |id: &str, category: &str, size: &Value, kind: &str| {
        json!({
            "Category": category,
            "CreationTime": "2026-03-27T08:09:10Z",
            "DeleteWithInstance": true,
            "Description": "",
            "DiskChargeType": "postpay",
            "DiskId": id,
            "DiskName": id,
            "Encrypted": false,
            "EncryptedKeyId": "",
            "EnsRegionId": NODE,
            "InstanceId": instance,
            "InstanceName": "web",
            "Portable": false,
            "SerialId": id[2..],
            "Size": size,
            "SnapshotId": "",
            "Status": "In-use",
            "Tags": { "Tags": [] },
            "Type": kind,
        })
    };
    let first = expected(&system, "cloud_efficiency", &listed["SystemDisk"]["Size"], "1");
    let second = expected(&data, "cloud_ssd", &json!(20 * 1024), "2");
    assert_eq!(disks(&world, &[]).await, json!([first, second]));
    // It serves to take a snapshot of.
    world.owner.ok("CreateSnapshot", &[("DiskId", &system), ("EnsRegionId", NODE)]).await;
    world.owner.release(&instance).await;
    assert_eq!(disks(&world, &[]).await, json!([]), "they go with their instance");
}

#[tokio::test]
async fn filters() {
    let world = World::new().await;
    let data = [("DataDisk", r#"[{"Size":20,"Category":"cloud_ssd"}]"#)];
    let one = world.owner.launch_with(PUBLIC_IMAGE, &data).await;
    world.pass(1);
    let two = world.owner.launch_with(PUBLIC_IMAGE, &[("InstanceChargeType", "PrePaid")]).await;
    world.other.launch(PUBLIC_IMAGE).await;
    let all = ids(&world, &[]).await;
    let [of_two, system, extra] = all.as_slice() else { panic!("{all:?}") };
    let both = json!([system, extra]).to_string();
    let table: [(&str, &str, &[&str]); 27] = [
        ("DiskId", system, &[system]),
        ("DiskId", "d-unknown", &[]),
        ("DiskIds", &both, &[system, extra]),
        ("DiskName", &extra[3..], &[extra]),
        ("InstanceId", &one, &[system, extra]),
        ("InstanceId", &two, &[of_two]),
        ("EnsRegionId", NODE, &[of_two, system, extra]),
        ("EnsRegionId", "cn-dalian-unicom", &[]),
        ("EnsRegionIds", r#"["cn-dalian-unicom"]"#, &[]),
        ("Category", "cloud_ssd", &[extra]),
        ("Type", "system", &[of_two, system]),
        ("Type", "data", &[extra]),
        ("Type", "2", &[extra]),
        ("Type", "tape", &[]),
        ("DiskChargeType", "prepay", &[of_two]),
        ("DiskChargeType", "prePay", &[of_two]),
        ("DiskChargeType", "postpay", &[system, extra]),
        ("DiskChargeType", "gift", &[]),
        ("DiskType", "ResoureDisk", &[of_two, system, extra]),
        ("DiskType", "PostPayDisk", &[]),
        ("SnapshotId", "s-1", &[]),
        ("Status", "In-use", &[of_two, system, extra]),
        ("Status", "ReIniting", &[]),
        ("Status", "Available", &[]),
        ("PageSize", "2", &[of_two, system]),
        ("PageNumber", "1", &[of_two, system, extra]),
        ("PageNumber", "2", &[]),
    ];
    for (name, value, expected) in table {
        assert_eq!(ids(&world, &[(name, value)]).await, expected, "{name} {value}");
    }
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(ids(&world, &[("OrderByParams", r#"{"DiskNameSort":"asc"}"#)]).await, sorted);
    sorted.reverse();
    let order = r#"{"EnsRegionIdSort":"asc","DiskNameSort":"desc"}"#;
    assert_eq!(ids(&world, &[("OrderByParams", order)]).await, sorted);

    let image = world.import().await;
    world.owner.reinit(&one, &image).await;
    assert_eq!(ids(&world, &[("Status", "ReIniting")]).await, [system.as_str()]);
    assert_eq!(ids(&world, &[("Status", "In-use")]).await, [of_two.as_str(), extra.as_str()]);
}

#[tokio::test]
async fn pages() {
    let world = World::new().await;
    for _ in 0..3 {
        world.owner.launch(PUBLIC_IMAGE).await;
    }
    let all = ids(&world, &[]).await;
    let page = [("PageNumber", "2"), ("PageSize", "2")];
    let body = world.owner.ok("DescribeDisks", &page).await;
    assert_eq!(column(&body["Disks"]["Disks"], "DiskId"), all[2..]);
    assert_eq!(
        (&body["PageNumber"], &body["PageSize"], &body["TotalCount"]),
        (&json!(2), &json!(2), &json!(3))
    );
    let beyond = world.owner.ok("DescribeDisks", &[("PageNumber", "9")]).await;
    assert_eq!((&beyond["Disks"]["Disks"], &beyond["TotalCount"]), (&json!([]), &json!(3)));
    for (name, value, row) in [
        ("PageSize", "51", invalid!("PageSize")),
        ("PageSize", "some", invalid!("PageSize")),
        ("PageNumber", "0", invalid!("PageNumber")),
        ("DiskIds", r#"["d,1"]"#, invalid!("DiskIds")),
        ("OrderByParams", "DiskNameSort", invalid!("OrderByParams")),
    ] {
        world.owner.refused("DescribeDisks", &[(name, value)], row).await;
    }
}

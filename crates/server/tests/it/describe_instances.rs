//! `DescribeInstances`: the caller's instances, as Terraform reads them.

use serde_json::{Value, json};

use crate::support::caller::{Params, column};
use crate::support::print::redacted;
use crate::support::refusals::invalid;
use crate::support::{NODE, OTHER, PUBLIC_IMAGE, Setup, World};

/// What a launch was given comes back, or a plan never settles.
#[tokio::test]
async fn shows_what_the_launch_was_given() {
    let world = World::new().await;
    let given = [
        ("InstanceName", "web-1"),
        ("SystemDisk", r#"{"Size":40,"Category":"cloud_ssd"}"#),
        ("DataDisk", r#"[{"Size":20,"Category":"local_ssd"},{"Size":30}]"#),
        ("Tag.1.Key", "env"),
        ("Tag.1.Value", "test"),
        ("HostName", "web"),
        ("NetWorkId", "n-1"),
        ("VSwitchId", "vsw-1"),
        ("SecurityId", "sg-1"),
        ("PrivateIpAddress", "10.0.0.9"),
        ("KeyPairName", "key"),
        ("InternetMaxBandwidthOut", "5"),
        ("DeletionProtection", "True"),
        ("SpotStrategy", "NoSpot"),
        ("AutoReleaseTime", "2030-01-01T00:00:00Z"),
    ];
    world.owner.launch_with(PUBLIC_IMAGE, &given).await;
    insta::assert_json_snapshot!(
        "describe_instances_full",
        redacted(&world.owner.ok("DescribeInstances", &[]).await)
    );
}

/// Terraform crashes without these members, or if the sizes are no numbers.
#[tokio::test]
async fn a_bare_instance_has_lists_and_numeric_sizes() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let listed = world.owner.instance(&instance).await;
    assert_eq!(listed["SecurityGroupIds"]["SecurityGroupId"], json!([]));
    assert_eq!(listed["SystemDisk"]["Size"], json!(20 * 1024), "in MiB");
    assert_eq!(listed["DataDisk"]["DataDisk"], json!([]));
    assert_eq!(listed["InstanceName"], instance.as_str());
    assert_eq!(
        (&listed["InstanceResourceType"], &listed["Disk"]),
        (&json!("EnsPostPaidInstance"), &json!(20 * 1024))
    );
}

#[tokio::test]
async fn states_change_with_the_clock() {
    let world = World::open(Setup::with("[timing]\ninstance = '10s'\n")).await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let one = [("InstanceId", instance.as_str())];
    let status = async || world.owner.instance_status(&instance).await;
    assert_eq!(status().await, "Pending");
    world.pass(9);
    assert_eq!(status().await, "Pending");
    world.pass(1);
    assert_eq!(status().await, "Running");
    world.owner.ok("StopInstance", &one).await;
    assert_eq!(status().await, "Stopping");
    world.pass(10);
    assert_eq!(status().await, "Stopped");
    world.owner.ok("StartInstance", &one).await;
    assert_eq!(status().await, "Starting");
    world.pass(10);
    assert_eq!(status().await, "Running");
    world.owner.reinit(&instance, PUBLIC_IMAGE).await;
    assert_eq!(status().await, "ReIniting");
    world.pass(10);
    assert_eq!(status().await, "ReIniting", "it ends when the worker says so");
    world.drain().await;
    assert_eq!(status().await, "Running");
}

/// Three instances that differ in everything that can be filtered by.
async fn three() -> (World, [String; 3], String) {
    let world = World::new().await;
    let image = world.import().await;
    let one = world
        .owner
        .launch_with(
            &image,
            &[("InstanceName", "web-one"), ("Tag.1.Key", "env"), ("Tag.1.Value", "a,b \"c\"")],
        )
        .await;
    world.pass(1);
    let two = world
        .owner
        .launch_with(
            PUBLIC_IMAGE,
            &[
                ("InstanceName", "web-two"),
                ("InstanceChargeType", "PrePaid"),
                ("Tag.1.Key", "env"),
                ("Tag.1.Value", "prod"),
                ("SecurityId", "sg-1"),
                ("PrivateIpAddress", "10.0.0.1"),
            ],
        )
        .await;
    world.pass(1);
    let params =
        [("ImageId", PUBLIC_IMAGE), ("InstanceType", "ens.sn1.large"), ("EnsRegionId", "cn-dalian-unicom")];
    let body = world.owner.ok("RunInstances", &params).await;
    let three = body["InstanceIds"][0].as_str().unwrap().to_owned();
    world.owner.ok("StopInstance", &[("InstanceId", &three)]).await;
    (world, [one, two, three], image)
}

#[tokio::test]
async fn filters() {
    let (world, [one, two, three], image) = three().await;
    let (one, two, three) = (one.as_str(), two.as_str(), three.as_str());
    let pair = format!(r#"["{one}","{three}"]"#);
    let tags = |key: &str, value: &str| format!(r#"[{{"Key":"{key}","Value":{value}}}]"#);
    let (quoted, prod) = (tags("env", r#""a,b \"c\"""#), tags("env", r#""prod""#));
    let cases: [(&Params<'_>, &[&str]); 25] = [
        (&[], &[three, two, one]),
        (&[("InstanceId", two)], &[two]),
        (&[("InstanceId", &two[..20])], &[]),
        (&[("InstanceIds", &pair)], &[three, one]),
        (&[("ImageId", &image)], &[one]),
        (&[("ImageId", PUBLIC_IMAGE)], &[three, two]),
        (&[("InstanceName", "web")], &[two, one]),
        (&[("EnsRegionId", "cn-dalian-unicom")], &[three]),
        (&[("EnsRegionIds", r#"["cn-dalian-unicom"]"#)], &[three]),
        (&[("EnsRegionId", NODE)], &[two, one]),
        (&[("InstanceType", "ens.sn1.large")], &[three]),
        (&[("Status", "Running")], &[two, one]),
        (&[("Status", "Stopped")], &[three]),
        (&[("Status", "Expired")], &[]),
        (&[("InstanceResourceType", "EnsInstance")], &[two]),
        (&[("InstanceResourceType", "EnsPostPaidInstance")], &[three, one]),
        (&[("SearchKey", "eb-on")], &[one]),
        (&[("SearchKey", three)], &[three]),
        (&[("Tags", r#"[{"Key":"env"}]"#)], &[two, one]),
        (&[("Tags", &prod)], &[two]),
        (&[("Tags", &quoted)], &[one]),
        (&[("SecurityGroupId", "sg-1")], &[two]),
        (&[("IntranetIp", "10.0.0.1")], &[two]),
        (&[("OrderByParams", r#"{"InstanceNameSort":"asc"}"#), ("InstanceName", "web")], &[one, two]),
        (&[("VpdId", "vpd-1")], &[]),
    ];
    for (filter, expected) in cases {
        let body = world.owner.ok("DescribeInstances", filter).await;
        assert_eq!(column(&body["Instances"]["Instance"], "InstanceId"), expected, "{filter:?}");
        assert_eq!(body["TotalCount"], expected.len(), "{filter:?}");
    }
    // An address is no part of a longer one.
    let body = world.owner.ok("DescribeInstances", &[("IntranetIp", "10.0.0")]).await;
    assert_eq!(body["TotalCount"], 0);
}

#[tokio::test]
async fn instances_of_other_accounts_are_not_listed() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let instance = world.other.launch(&image).await;
    for params in [&[][..], &[("InstanceId", instance.as_str())], &[("ImageId", &image)]] {
        let body = world.owner.ok("DescribeInstances", params).await;
        assert_eq!(body["Instances"]["Instance"], json!([]));
    }
}

#[tokio::test]
async fn pages() {
    let world = World::new().await;
    let params = [("ImageId", PUBLIC_IMAGE), ("InstanceType", "ens.sn1.small"), ("Amount", "12")];
    world.owner.ok("RunInstances", &params).await;
    let page = async |number: &str, size: &str| {
        let params = [("PageNumber", number), ("PageSize", size)];
        let body = world.owner.ok("DescribeInstances", &params).await;
        assert_eq!(body["TotalCount"], 12);
        column(&body["Instances"]["Instance"], "InstanceId")
    };
    let all = page("1", "100").await;
    assert_eq!(all.len(), 12);
    assert_eq!(page("", "").await, all[..10]);
    assert_eq!(page("2", "").await, all[10..]);
    assert_eq!(page("3", "5").await, all[10..]);
    assert!(page("4", "5").await.is_empty());
    for (name, value, row) in [
        ("PageNumber", "0", invalid!("PageNumber")),
        ("PageSize", "0", invalid!("PageSize")),
        ("PageSize", "101", invalid!("PageSize")),
        ("InstanceIds", "[1", invalid!("InstanceIds")),
        ("Tags", "{", invalid!("Tags")),
        ("OrderByParams", "x", invalid!("OrderByParams")),
    ] {
        let body: Value = world.owner.refused("DescribeInstances", &[(name, value)], row).await;
        assert!(body["Code"].is_string());
    }
}

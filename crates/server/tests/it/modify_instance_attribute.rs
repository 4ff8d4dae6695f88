//! `ModifyInstanceAttribute`: what the owner says about an instance, and its protection.

use serde_json::json;

use crate::support::refusals::{INVALID_INSTANCE_ID, MISSING_PARAMETER, PROTECTED, Row, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let world = World::new().await;
    let more = [("InstanceName", "before"), ("HostName", "before"), ("SecurityId", "sg-1")];
    let instance = world.owner.launch_with(PUBLIC_IMAGE, &more).await;
    let mut expected = world.owner.instance(&instance).await;
    for (name, value, shown) in [
        ("InstanceName", "after", json!("after")),
        ("HostName", "after.example", json!("after.example")),
        ("DeletionProtection", "true", json!(true)),
    ] {
        let params = [("InstanceId", instance.as_str()), (name, value)];
        let body = world.owner.ok("ModifyInstanceAttribute", &params).await;
        assert_eq!(body, json!({ "Code": 0, "RequestId": body["RequestId"] }));
        expected[name] = shown;
        assert_eq!(world.owner.instance(&instance).await, expected, "{name}");
    }
    // What nothing here looks at is taken, and so is nothing at all.
    for params in [
        &[("Password", "Secret-12345"), ("UserData", "IyEvYmluL3No")][..],
        &[("InstanceName", ""), ("HostName", "")],
        &[],
    ] {
        let params = [&[("InstanceId", instance.as_str())], params].concat();
        world.owner.ok("ModifyInstanceAttribute", &params).await;
        assert_eq!(world.owner.instance(&instance).await, expected);
    }
    let kept = world.text("SELECT echo FROM instances WHERE id = $1", &[(&instance).into()]).await;
    assert!(!kept.contains("Secret"), "{kept}");
}

#[tokio::test]
async fn protection_is_put_on_and_taken_off() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let one = [("InstanceId", instance.as_str())];
    world.owner.ok("ModifyInstanceAttribute", &[one[0], ("DeletionProtection", "true")]).await;
    world.owner.refused("ReleasePostPaidInstance", &one, PROTECTED).await;
    world.owner.ok("ModifyInstanceAttribute", &[one[0], ("DeletionProtection", "false")]).await;
    world.owner.release(&instance).await;
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let before = world.print().await;
    let refused = async |params: &[(&str, &str)], row| {
        world.owner.refused("ModifyInstanceAttribute", params, row).await
    };
    refused(&[("InstanceName", "name")], MISSING_PARAMETER).await;
    for id in ["i a", "i-unknown"] {
        refused(&[("InstanceId", id), ("InstanceName", "name")], INVALID_INSTANCE_ID).await;
    }
    let (long, data) = ("x".repeat(300), "x".repeat(22 * 1024 + 1));
    let cases: [(&str, &str, Row); 6] = [
        ("InstanceName", "1st", invalid!("InstanceName")),
        ("InstanceName", "https://x", invalid!("InstanceName")),
        ("HostName", &long, invalid!("HostName")),
        ("Password", &long, invalid!("Password")),
        ("UserData", &data, invalid!("UserData")),
        ("DeletionProtection", "maybe", invalid!("DeletionProtection")),
    ];
    for (name, value, row) in cases {
        refused(&[("InstanceId", &instance), ("InstanceName", "good-name"), (name, value)], row).await;
    }
    let params = [("InstanceId", instance.as_str()), ("InstanceName", "theirs")];
    world.other.refused("ModifyInstanceAttribute", &params, INVALID_INSTANCE_ID).await;
    assert_eq!(world.print().await, before);
}

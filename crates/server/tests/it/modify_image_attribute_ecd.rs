//! ECD `ModifyImageAttribute`: name and description of a custom image.

use serde_json::json;

use crate::support::app_streaming::{self, ECD, HOME, SYSTEM_IMAGE};
use crate::support::{OTHER, World};

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let world = World::new().await;
    let image = app_streaming::tagged_image(&world).await;
    let listed = async || {
        let params = [("RegionId", HOME), ("ImageId.1", image.as_str())];
        world.owner.must(ECD, "DescribeImages", &params).await["Images"][0].clone()
    };
    for (name, value) in [("Name", "renamed"), ("Description", "two\nlines")] {
        world.pass(1);
        let mut expected = listed().await;
        let params = [("ImageId", image.as_str()), ("RegionId", HOME), (name, value)];
        let body = world.owner.must(ECD, "ModifyImageAttribute", &params).await;
        assert_eq!(body, json!({ "RequestId": body["RequestId"] }));
        expected[name] = json!(value);
        expected["UpdateTime"] = json!(world.clock.now().to_string());
        assert_eq!(listed().await, expected);
    }
}

#[tokio::test]
async fn only_the_owner_changes_a_finished_image() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let share = [("ImageId", image.as_str()), ("RegionId", HOME), ("AddAccount.1", OTHER)];
    world.owner.must(ECD, "ModifyImagePermission", &share).await;
    let copy = [
        ("ImageId", image.as_str()),
        ("RegionId", HOME),
        ("DestinationRegionId", "cn-beijing"),
        ("DestinationImageName", "copied"),
    ];
    let making = world.owner.must(ECD, "CopyImage", &copy).await["ImageId"].as_str().unwrap().to_owned();
    let before = world.print().await;
    let long = "x".repeat(257);
    let refused = async |caller: &crate::support::caller::Caller, params: &[(&str, &str)], code: &str| {
        let answer = caller.call(ECD, "ModifyImageAttribute", params).await;
        assert_eq!(answer.code(), Some(code), "{params:?}");
        assert!(answer.status >= 400);
    };
    let (id, region, name) = (("ImageId", image.as_str()), ("RegionId", HOME), ("Name", "theirs"));
    refused(&world.owner, &[region, name], "MissingParameter").await;
    refused(&world.owner, &[id, name], "MissingParameter").await;
    refused(&world.owner, &[id, ("RegionId", "mars-1"), name], "InvalidParameter.RegionId").await;
    refused(&world.owner, &[id, region, ("Name", "x")], "InvalidParameter.Name").await;
    refused(&world.owner, &[id, region, ("Description", &long)], "InvalidParameter.Description").await;
    refused(&world.owner, &[("ImageId", "imgc-unknown"), region, name], "Image.NotExist").await;
    refused(&world.owner, &[("ImageId", SYSTEM_IMAGE), region, name], "NoPermission").await;
    refused(&world.owner, &[("ImageId", &making), region, name], "InvalidImageOperation.ImageIsCreating")
        .await;
    refused(&world.other, &[id, region, name], "NoPermission").await;
    refused(&world.third, &[id, region, name], "Image.NotExist").await;
    assert_eq!(world.print().await, before);
}

//! `ReinitInstances`: the batch form, with a result for each.

use serde_json::json;

use crate::support::refusals::{INVALID_IMAGE_ID, MISSING_PARAMETER, invalid};
use crate::support::{PUBLIC_IMAGE, World};

#[tokio::test]
async fn one_that_is_refused_does_not_keep_the_others_back() {
    let world = World::new().await;
    let image = world.import().await;
    let (one, two) = (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(PUBLIC_IMAGE).await);
    let ids = format!("{one},i-unknown,{two}");
    let body = world.owner.ok("ReinitInstances", &[("InstanceIds", &ids), ("ImageId", &image)]).await;
    let words = "InvalidParameter.InstanceId: The specified field InstanceId invalid. Please check it again.";
    let expected = json!([
        { "Code": 0, "InstanceId": one, "Message": "success" },
        { "Code": 400, "InstanceId": "i-unknown", "Message": words },
        { "Code": 0, "InstanceId": two, "Message": "success" },
    ]);
    assert_eq!(body["InstanceResponses"], expected);
    world.drain().await;
    for instance in [one, two] {
        assert_eq!(world.owner.instance(&instance).await["ImageId"], image.as_str());
    }
}

#[tokio::test]
async fn without_an_image_each_is_set_back_to_its_own() {
    let world = World::new().await;
    let image = world.import().await;
    let (one, two) = (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(&image).await);
    world.owner.ok("ReinitInstances", &[("InstanceIds", &format!("{one},{two}"))]).await;
    world.drain().await;
    assert_eq!(world.owner.instance(&one).await["ImageId"], PUBLIC_IMAGE);
    assert_eq!(world.owner.instance(&two).await["ImageId"], image.as_str());
    let sql = "SELECT COUNT(*) FROM usages WHERE origin = 'switched' AND in_progress = 0";
    assert_eq!(world.count(sql, &[]).await, 2);
}

/// An instance that is named twice is switched once.
#[tokio::test]
async fn an_instance_that_is_named_twice() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let ids = format!("{instance},{instance}");
    let body = world.owner.ok("ReinitInstances", &[("InstanceIds", &ids)]).await;
    let codes: Vec<_> =
        body["InstanceResponses"].as_array().unwrap().iter().map(|one| one["Code"].clone()).collect();
    assert_eq!(codes, [json!(0), json!(400)]);
    world.drain().await;
    assert_eq!(world.count("SELECT COUNT(*) FROM usages", &[]).await, 1);
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.refused("ReinitInstances", &[("ImageId", PUBLIC_IMAGE)], MISSING_PARAMETER).await;
    let many = vec!["i-1"; 101].join(",");
    for ids in ["i a", &many] {
        world.owner.refused("ReinitInstances", &[("InstanceIds", ids)], invalid!("InstanceIds")).await;
    }
    let params = [("InstanceIds", instance.as_str()), ("ImageId", "m a")];
    world.owner.refused("ReinitInstances", &params, INVALID_IMAGE_ID).await;
}

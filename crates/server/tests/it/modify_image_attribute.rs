//! `ModifyImageAttribute`: another name for an image of the caller's.

use serde_json::json;

use crate::support::refusals::{IMAGE_STATUS, INVALID_IMAGE_ID, MISSING_PARAMETER, NO_PERMISSION, invalid};
use crate::support::{OTHER, PUBLIC_IMAGE, World, disk};

#[tokio::test]
async fn the_new_name_is_seen_at_once() {
    let world = World::new().await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    let params = [("ImageId", image.as_str()), ("ImageName", "镜像 v1.0+rc~1")];
    let body = world.owner.ok("ModifyImageAttribute", &params).await;
    assert_eq!(body, json!({ "Code": 0, "RequestId": body["RequestId"] }));
    assert_eq!(world.owner.image(&image).await["ImageName"], "镜像 v1.0+rc~1");
    assert_eq!(world.owner.instance(&instance).await["ImageId"], image.as_str());
}

#[tokio::test]
async fn parameters_ownership_and_status() {
    let world = World::new().await;
    let (image, gone) = (world.import().await, world.import().await);
    let making = world.begin_import(&disk("x")).await;
    world.owner.ok("DeleteImage", &[("ImageId", &gone)]).await;
    world.owner.share(&image, OTHER).await;
    let before = world.print().await;
    let name = ("ImageName", "renamed");
    let refused =
        async |params: &[(&str, &str)], row| world.owner.refused("ModifyImageAttribute", params, row).await;
    refused(&[name], MISSING_PARAMETER).await;
    refused(&[("ImageId", &image)], MISSING_PARAMETER).await;
    refused(&[("ImageId", &image), ("ImageName", "1st")], invalid!("ImageName")).await;
    for unknown in ["m a", "m-unknown", &gone] {
        refused(&[("ImageId", unknown), name], INVALID_IMAGE_ID).await;
    }
    refused(&[("ImageId", PUBLIC_IMAGE), name], NO_PERMISSION).await;
    refused(&[("ImageId", &making), name], IMAGE_STATUS).await;
    let params = [("ImageId", image.as_str()), name];
    world.other.refused("ModifyImageAttribute", &params, NO_PERMISSION).await;
    world.third.refused("ModifyImageAttribute", &params, INVALID_IMAGE_ID).await;
    assert_eq!(world.print().await, before);
}

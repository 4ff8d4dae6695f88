//! `ReinitInstance`: an instance changes its image.

use serde_json::json;

use crate::support::refusals::{
    IMAGE_STATUS, INSTANCE_STATUS, INVALID_IMAGE_ID, INVALID_INSTANCE_ID, MISSING_PARAMETER,
};
use crate::support::{OTHER, PUBLIC_IMAGE, Setup, World, disk};

#[tokio::test]
async fn the_instance_uses_both_images_until_it_is_done() {
    let world = World::open(Setup::with("[timing]\ninstance = '10s'\n")).await;
    let (old, new) = (world.import().await, world.import().await);
    let instance = world.owner.launch(&old).await;
    world.pass(10);
    let params = [("InstanceId", instance.as_str()), ("ImageId", new.as_str()), ("Password", "Secret-123")];
    let body = world.owner.ok("ReinitInstance", &params).await;
    assert_eq!(body, json!({ "RequestId": body["RequestId"] }));

    let uses = "SELECT image_id, origin, in_progress FROM usages WHERE consumer_id = $1 ORDER BY origin";
    let before_time = async || {
        let rows = world.rows(uses, &[(&instance).into()]).await;
        let told = |row: usize| (rows[row].text(0).unwrap().to_owned(), rows[row].integer(2).unwrap());
        assert_eq!((rows.len(), told(0), told(1)), (2, (old.clone(), 0), (new.clone(), 1)));
        assert_eq!(world.owner.instance(&instance).await["ImageId"], old.as_str());
    };
    before_time().await;
    world.pass(9);
    world.drain().await;
    before_time().await;
    world.pass(1);
    world.drain().await;
    let rows = world.rows(uses, &[(&instance).into()]).await;
    assert_eq!(
        (rows.len(), rows[0].text(0).unwrap(), rows[0].text(1).unwrap()),
        (1, new.as_str(), "switched")
    );
    assert_eq!(rows[0].integer(2).unwrap(), 0);
    let listed = world.owner.instance(&instance).await;
    assert_eq!((&listed["ImageId"], &listed["Status"]), (&json!(new), &json!("Running")));
}

/// To and fro: what was left is free each time.
#[tokio::test]
async fn an_instance_can_be_switched_again_and_back() {
    let world = World::new().await;
    let (one, two) = (world.import().await, world.import().await);
    let instance = world.owner.launch(&one).await;
    for image in [&two, &one, &one, &two] {
        world.owner.reinit(&instance, image).await;
        world.drain().await;
        let sql = "SELECT image_id FROM usages WHERE consumer_id = $1";
        let rows = world.rows(sql, &[(&instance).into()]).await;
        assert_eq!((rows.len(), rows[0].text(0).unwrap()), (1, image.as_str()));
    }
    world.owner.ok("DeleteImage", &[("ImageId", &one)]).await;
}

#[tokio::test]
async fn a_stopped_instance_stays_stopped() {
    let world = World::new().await;
    let image = world.import().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.ok("StopInstance", &[("InstanceId", &instance)]).await;
    world.owner.reinit(&instance, &image).await;
    world.drain().await;
    let listed = world.owner.instance(&instance).await;
    assert_eq!((&listed["ImageId"], &listed["Status"]), (&json!(image), &json!("Stopped")));
}

#[tokio::test]
async fn parameters_instance_and_image() {
    let world = World::new().await;
    let (image, gone) = (world.import().await, world.import().await);
    let making = world.begin_import(&disk("x")).await;
    world.owner.ok("DeleteImage", &[("ImageId", &gone)]).await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let theirs = world.other.launch(PUBLIC_IMAGE).await;
    let before = world.print().await;
    let refused =
        async |params: &[(&str, &str)], row| world.owner.refused("ReinitInstance", params, row).await;
    refused(&[("ImageId", &image)], MISSING_PARAMETER).await;
    refused(&[("InstanceId", &instance)], MISSING_PARAMETER).await;
    refused(&[("InstanceId", "i a"), ("ImageId", &image)], INVALID_INSTANCE_ID).await;
    for unknown in ["i-unknown", &theirs] {
        refused(&[("InstanceId", unknown), ("ImageId", &image)], INVALID_INSTANCE_ID).await;
    }
    for unknown in ["m a", "m-unknown", &gone] {
        refused(&[("InstanceId", &instance), ("ImageId", unknown)], INVALID_IMAGE_ID).await;
    }
    refused(&[("InstanceId", &instance), ("ImageId", &making)], IMAGE_STATUS).await;
    // Another account's image, until it is shared.
    let params = [("InstanceId", theirs.as_str()), ("ImageId", image.as_str())];
    world.other.refused("ReinitInstance", &params, INVALID_IMAGE_ID).await;
    assert_eq!(world.print().await, before);
    world.owner.share(&image, OTHER).await;
    world.other.ok("ReinitInstance", &params).await;
}

#[tokio::test]
async fn the_instance_must_be_settled() {
    let world = World::open(Setup::with("[timing]\ninstance = '10s'\n")).await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let params = [("InstanceId", instance.as_str()), ("ImageId", PUBLIC_IMAGE)];
    world.owner.refused("ReinitInstance", &params, INSTANCE_STATUS).await;
    world.pass(10);
    world.owner.ok("ReinitInstance", &params).await;
    world.owner.refused("ReinitInstance", &params, INSTANCE_STATUS).await;
    for action in ["StopInstance", "StartInstance"] {
        world.owner.refused(action, &[("InstanceId", &instance)], INSTANCE_STATUS).await;
    }
}

//! ECD `CopyImage`: an image of its own in another region.

use serde_json::{Value, json};

use crate::support::app_streaming::{self, AS, ECD, HOME, SYSTEM_IMAGE};
use crate::support::refusals::Row;
use crate::support::{OTHER, World, with, without};

const AWAY: &str = "cn-beijing";
const NOT_EXIST: Row = (400, "Image.NotExist", "The image does not exist.");

fn params(image: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("ImageId", image),
        ("RegionId", HOME),
        ("DestinationRegionId", AWAY),
        ("DestinationImageName", "copied"),
        ("DestinationDescription", "for the north"),
    ]
}

async fn listed(world: &World, region: &str, image: &str) -> Value {
    let params = [("RegionId", region), ("ImageId.1", image)];
    world.owner.must(ECD, "DescribeImages", &params).await["Images"][0].clone()
}

async fn copy(world: &World, image: &str) -> String {
    let body = world.owner.must(ECD, "CopyImage", &params(image)).await;
    let copy = body["ImageId"].as_str().unwrap();
    assert_eq!(body, json!({ "ImageId": copy, "RequestId": body["RequestId"] }));
    copy.to_owned()
}

async fn refused(world: &World, params: &[(&str, &str)], row: (u16, &str)) {
    let answer = world.owner.call(ECD, "CopyImage", params).await;
    assert_eq!((answer.status, answer.code()), (row.0, Some(row.1)), "{params:?}: {}", answer.body);
}

#[tokio::test]
async fn the_copy_has_an_id_a_name_and_bytes_of_its_own() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let copy = copy(&world, &image).await;
    assert_ne!(copy, image);
    assert_eq!(listed(&world, AWAY, &copy).await["Status"], "Creating");
    world.drain().await;
    let (source, made) = (listed(&world, HOME, &image).await, listed(&world, AWAY, &copy).await);
    assert_eq!(
        (&made["Status"], &made["Name"], &made["Description"]),
        (&json!("Available"), &json!("copied"), &json!("for the north"))
    );
    for same in ["Size", "Platform", "OsType", "AppVersion", "ImageType"] {
        assert_eq!(made[same], source[same], "{same}");
    }
    assert!(listed(&world, HOME, &copy).await.is_null(), "it is in one region only");
    assert!(listed(&world, AWAY, &image).await.is_null(), "the image is where it was");
    let bytes = async |image: &str| world.files_of(image).await.into_values().collect::<Vec<_>>();
    assert_eq!(bytes(&copy).await, bytes(&image).await);
    world.assert_sound().await;
}

/// The copy is no child of the image: what is published keeps nothing.
#[tokio::test]
async fn d35_the_image_may_be_deleted_while_it_is_copied() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let bytes: Vec<_> = world.files_of(&image).await.into_values().collect();
    let copy = copy(&world, &image).await;
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    world.assert_erased(&image).await;
    assert_eq!(listed(&world, AWAY, &copy).await["Status"], "Available");
    assert_eq!(world.files_of(&copy).await.into_values().collect::<Vec<_>>(), bytes);
    world.owner.must(AS, "DeleteImage", &[("ImageId", &copy)]).await;
    world.drain().await;
    world.assert_erased(&copy).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn only_own_images_of_the_named_region_are_copied() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let share = [("ImageId", image.as_str()), ("RegionId", HOME), ("AddAccount.1", OTHER)];
    world.owner.must(ECD, "ModifyImagePermission", &share).await;
    let made = copy(&world, &image).await;
    let before = world.print().await;
    refused(&world, &params("imgc-unknown"), (400, NOT_EXIST.1)).await;
    refused(&world, &params(SYSTEM_IMAGE), (403, "NoPermission")).await;
    refused(&world, &params(&made), (400, "InvalidImageOperation.ImageIsCreating")).await;
    let elsewhere = with(params(&image), &[("RegionId", "cn-shanghai")]);
    refused(&world, &elsewhere, (400, "InvalidParameter.RegionId")).await;
    let answer = world.other.call(ECD, "CopyImage", &params(&image)).await;
    assert_eq!((answer.status, answer.code()), (403, Some("NoPermission")));
    let answer = world.third.call(ECD, "CopyImage", &params(&image)).await;
    assert_eq!((answer.status, answer.code()), (NOT_EXIST.0, Some(NOT_EXIST.1)));
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let before = world.print().await;
    for name in ["ImageId", "RegionId", "DestinationRegionId", "DestinationImageName"] {
        refused(&world, &without(&params(&image), name), (400, "MissingParameter")).await;
    }
    for (name, value) in [
        ("ImageId", "img a"),
        ("RegionId", "mars-1"),
        ("DestinationRegionId", "mars-1"),
        ("DestinationRegionId", HOME),
        ("DestinationImageName", "x"),
        ("DestinationDescription", "https://x"),
    ] {
        let code = format!("InvalidParameter.{name}");
        refused(&world, &with(params(&image), &[(name, value)]), (400, &code)).await;
    }
    assert_eq!(world.print().await, before);
}

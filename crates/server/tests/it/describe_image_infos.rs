//! `DescribeImageInfos`: the catalogue of public images.

use serde_json::json;

use crate::support::caller::column;
use crate::support::print::redacted;
use crate::support::refusals::invalid;
use crate::support::{OTHER, PUBLIC_IMAGE, Setup, World};

#[tokio::test]
async fn lists_public_images_only() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let bodies =
        [world.owner.ok("DescribeImageInfos", &[]).await, world.other.ok("DescribeImageInfos", &[]).await];
    for body in &bodies {
        assert_eq!(column(&body["Images"]["Image"], "ImageId"), [PUBLIC_IMAGE]);
    }
    insta::assert_json_snapshot!("describe_image_infos", redacted(&bodies[0]));
}

#[tokio::test]
async fn is_filtered_by_system_without_regard_to_case() {
    let windows = "windows_2019_64_40G_alibase_20200101";
    let public = |id| format!("[[public_image]]\nid = '{id}'\napi = 'ens'\n");
    let settings = [PUBLIC_IMAGE, windows].map(public).concat();
    let world = World::open(Setup::with(&settings)).await;
    let ids = async |os_type: &str| {
        let body = world.owner.ok("DescribeImageInfos", &[("OsType", os_type)]).await;
        column(&body["Images"]["Image"], "ImageId")
    };
    assert_eq!(ids("").await.len(), 2);
    assert_eq!(
        (ids("linux").await, ids("Linux").await),
        (vec![PUBLIC_IMAGE.into()], vec![PUBLIC_IMAGE.into()])
    );
    assert_eq!((ids("windows").await, ids("WINDOWS").await), (vec![windows.into()], vec![windows.into()]));
    world.owner.refused("DescribeImageInfos", &[("OsType", "solaris")], invalid!("OsType")).await;
}

#[tokio::test]
async fn shows_what_can_be_used_only() {
    let world = World::open_idle(Setup::default()).await;
    let body = world.owner.ok("DescribeImageInfos", &[]).await;
    assert_eq!(body["Images"]["Image"], json!([]), "the image is not made yet");
}

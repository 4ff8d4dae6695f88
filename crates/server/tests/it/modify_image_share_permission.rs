//! `ModifyImageSharePermission`: shares are given and taken back.

use serde_json::json;

use crate::support::caller::column;
use crate::support::refusals::{
    IMAGE_TYPE, INVALID_IMAGE_ID, MISSING_ONE_PARAMETER, NO_PERMISSION, Row, invalid,
};
use crate::support::{OTHER, OWNER, PUBLIC_IMAGE, THIRD, World};

#[tokio::test]
async fn a_recipient_sees_and_uses_the_image_until_the_share_is_taken_back() {
    let world = World::new().await;
    let image = world.import().await;
    let launch = [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small")];
    world.other.refused("RunInstances", &launch, INVALID_IMAGE_ID).await;
    let add = [("ImageId", image.as_str()), ("AddAccounts", OTHER)];
    let body = world.owner.ok("ModifyImageSharePermission", &add).await;
    assert_eq!(body, json!({ "RequestId": body["RequestId"] }), "nothing but the id of the request");
    let instance = world.other.launch(&image).await;

    let remove = [("ImageId", image.as_str()), ("RemoveAccounts", OTHER)];
    world.owner.ok("ModifyImageSharePermission", &remove).await;
    assert!(world.other.image(&image).await.is_null());
    world.other.refused("RunInstances", &launch, INVALID_IMAGE_ID).await;
    assert_eq!(world.other.instance_status(&instance).await, "Running", "what runs goes on");
}

#[tokio::test]
async fn several_accounts_at_once_and_twice() {
    let world = World::new().await;
    let image = world.import().await;
    let modify = async |more: &[(&str, &str)]| {
        let params = [&[("ImageId", image.as_str())], more].concat();
        world.owner.ok("ModifyImageSharePermission", &params).await;
        let body = world.owner.ok("DescribeImageSharePermission", &[("ImageId", &image)]).await;
        column(&body["Accounts"]["Account"], "AliyunUid")
    };
    let both = format!("{OTHER}, {THIRD},{OTHER}");
    assert_eq!(modify(&[("AddAccounts", &both)]).await, [OTHER, THIRD]);
    assert_eq!(modify(&[("AddAccounts", &both)]).await, [OTHER, THIRD], "once more changes nothing");
    assert_eq!(modify(&[("RemoveAccounts", OTHER)]).await, [THIRD]);
    assert_eq!(modify(&[("RemoveAccounts", OTHER)]).await, [THIRD]);
    assert_eq!(modify(&[("AddAccounts", OTHER), ("RemoveAccounts", THIRD)]).await, [OTHER]);
    assert!(
        modify(&[("AddAccounts", THIRD), ("RemoveAccounts", &both)]).await.is_empty(),
        "taking back wins"
    );
}

#[tokio::test]
async fn parameters_and_ownership() {
    let world = World::new().await;
    let (image, gone) = (world.import().await, world.import().await);
    world.owner.ok("DeleteImage", &[("ImageId", &gone)]).await;
    world.owner.share(&image, OTHER).await;
    let before = world.print().await;
    let add = ("AddAccounts", THIRD);
    let cases: [(&[(&str, &str)], Row); 9] = [
        (&[add], MISSING_ONE_PARAMETER),
        (&[("ImageId", &image)], MISSING_ONE_PARAMETER),
        (&[("ImageId", &image), ("AddAccounts", ""), ("RemoveAccounts", ",")], MISSING_ONE_PARAMETER),
        (&[("ImageId", "m a"), add], INVALID_IMAGE_ID),
        (&[("ImageId", &gone), add], INVALID_IMAGE_ID),
        (&[("ImageId", PUBLIC_IMAGE), add], IMAGE_TYPE),
        (&[("ImageId", &image), ("AddAccounts", "a/b")], invalid!("AddAccounts")),
        (&[("ImageId", &image), ("RemoveAccounts", "a b")], invalid!("RemoveAccounts")),
        (&[("ImageId", &image), ("AddAccounts", OWNER)], invalid!("AddAccounts")),
    ];
    for (params, row) in cases {
        world.owner.refused("ModifyImageSharePermission", params, row).await;
    }
    let params = [("ImageId", image.as_str()), add];
    world.other.refused("ModifyImageSharePermission", &params, NO_PERMISSION).await;
    world.third.refused("ModifyImageSharePermission", &params, INVALID_IMAGE_ID).await;
    assert_eq!(world.print().await, before);
}

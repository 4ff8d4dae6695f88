//! `DescribeImageSharePermission`: whom an image is shared with.

use serde_json::json;

use crate::support::caller::column;
use crate::support::refusals::{IMAGE_TYPE, INVALID_IMAGE_ID, MISSING_PARAMETER, NO_PERMISSION, invalid};
use crate::support::{OTHER, PUBLIC_IMAGE, THIRD, World};

#[tokio::test]
async fn lists_accounts_as_texts_and_counts_as_numbers() {
    let world = World::new().await;
    let image = world.import().await;
    let list = async |more: &[(&str, &str)]| {
        let params = [&[("ImageId", image.as_str())], more].concat();
        world.owner.ok("DescribeImageSharePermission", &params).await
    };
    let body = list(&[]).await;
    assert_eq!((&body["Accounts"]["Account"], &body["TotalCount"]), (&json!([]), &json!(0)));
    world.owner.share(&image, &format!("{THIRD},{OTHER}")).await;
    let body = list(&[]).await;
    let expected = json!({
        "Accounts": { "Account": [{ "AliyunUid": OTHER }, { "AliyunUid": THIRD }] },
        "ImageId": image,
        "PageNumber": 1,
        "PageSize": 10,
        "RequestId": body["RequestId"],
        "TotalCount": 2,
    });
    assert_eq!(body, expected);
    assert_eq!(column(&list(&[("AliyunId", THIRD)]).await["Accounts"]["Account"], "AliyunUid"), [THIRD]);
    assert_eq!(list(&[("AliyunId", "1")]).await["TotalCount"], 0);
}

#[tokio::test]
async fn pages() {
    let world = World::new().await;
    let image = world.import().await;
    let accounts: Vec<String> = (0..105).map(|number| format!("2{number:015}")).collect();
    world.owner.share(&image, &accounts.join(",")).await;
    let page = async |number: &str, size: &str| {
        let params = [("ImageId", image.as_str()), ("PageNumber", number), ("PageSize", size)];
        let body = world.owner.ok("DescribeImageSharePermission", &params).await;
        assert_eq!(body["TotalCount"], 105);
        column(&body["Accounts"]["Account"], "AliyunUid")
    };
    assert_eq!(page("", "").await, accounts[..10]);
    assert_eq!(page("1", "100").await, accounts[..100]);
    assert_eq!(page("2", "100").await, accounts[100..]);
    assert!(page("3", "100").await.is_empty());
    let params = [("ImageId", image.as_str()), ("PageSize", "101")];
    world.owner.refused("DescribeImageSharePermission", &params, invalid!("PageSize")).await;
}

#[tokio::test]
async fn only_the_owner_is_told() {
    let world = World::new().await;
    let image = world.import().await;
    let refused = async |caller: &crate::support::caller::Caller, params: &[(&str, &str)], row| {
        caller.refused("DescribeImageSharePermission", params, row).await
    };
    refused(&world.owner, &[], MISSING_PARAMETER).await;
    refused(&world.owner, &[("ImageId", "m a")], INVALID_IMAGE_ID).await;
    refused(&world.owner, &[("ImageId", "m-unknown")], INVALID_IMAGE_ID).await;
    refused(&world.owner, &[("ImageId", PUBLIC_IMAGE)], IMAGE_TYPE).await;
    refused(&world.other, &[("ImageId", &image)], INVALID_IMAGE_ID).await;
    world.owner.share(&image, OTHER).await;
    refused(&world.other, &[("ImageId", &image)], NO_PERMISSION).await;
}

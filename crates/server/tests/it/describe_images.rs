//! `DescribeImages`: what the caller can use.

use serde_json::json;

use crate::support::caller::column;
use crate::support::print::redacted;
use crate::support::refusals::invalid;
use crate::support::{OTHER, PUBLIC_IMAGE, World, disk, import_params, with};

#[tokio::test]
async fn lists_public_own_and_shared_images_with_whose_they_are() {
    let world = World::new().await;
    world.pass(1);
    let image = world.import().await;
    let body = world.owner.ok("DescribeImages", &[]).await;
    insta::assert_json_snapshot!("describe_images", redacted(&body));

    let seen = async |caller: &crate::support::caller::Caller| {
        let body = caller.ok("DescribeImages", &[]).await;
        let images = &body["Images"]["Image"];
        column(images, "ImageId").into_iter().zip(column(images, "ImageOwnerAlias")).collect::<Vec<_>>()
    };
    let public = (PUBLIC_IMAGE.to_owned(), "system".to_owned());
    assert_eq!(seen(&world.owner).await, [(image.clone(), "self".to_owned()), public.clone()]);
    assert_eq!(seen(&world.other).await, std::slice::from_ref(&public));
    world.owner.share(&image, OTHER).await;
    assert_eq!(seen(&world.other).await, [(image.clone(), "others".to_owned()), public.clone()]);
    assert_eq!(seen(&world.third).await, [public]);
}

#[tokio::test]
async fn shows_what_can_be_used_only() {
    let world = World::new().await;
    let making = world.begin_import(&disk("x")).await;
    let listed = async |image: &str| {
        let body = world.owner.ok("DescribeImages", &[("ImageId", image)]).await;
        body["Images"]["Image"].as_array().unwrap().len()
    };
    assert_eq!(listed(&making).await, 0);
    world.drain().await;
    assert_eq!(listed(&making).await, 1);
    let failed = world.import_disk(b"no qcow2").await;
    assert_eq!(listed(&failed).await, 0);
}

#[tokio::test]
async fn filters_by_the_whole_id_part_of_the_name_and_snapshot() {
    let world = World::new().await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    let params = [("ImageName", "made-of-it"), ("SnapshotId", snapshot.as_str())];
    let made = world.owner.ok("CreateImage", &params).await["ImageId"].clone();
    world.drain().await;
    let ids = async |name: &str, value: &str| {
        let body = world.owner.ok("DescribeImages", &[(name, value)]).await;
        assert_eq!(body["TotalCount"], body["Images"]["Image"].as_array().unwrap().len());
        column(&body["Images"]["Image"], "ImageId")
    };
    assert_eq!(ids("ImageId", &image).await, [image.as_str()]);
    assert_eq!(ids("ImageId", PUBLIC_IMAGE).await, [PUBLIC_IMAGE]);
    assert!(ids("ImageId", &image[..20]).await.is_empty(), "exactly one id");
    assert!(ids("ImageId", "m-unknown").await.is_empty());
    assert_eq!(ids("ImageName", "golden").await, [image.as_str()]);
    assert_eq!(ids("SnapshotId", &snapshot).await, [made.as_str().unwrap()]);
    assert_eq!(ids("Status", "Creating").await.len(), 3, "this filter is not in use");
}

#[tokio::test]
async fn pages() {
    let world = World::new().await;
    let mut names = vec![PUBLIC_IMAGE.to_owned()];
    for number in 0..11 {
        world.pass(1);
        let key = world.put(&disk("x"));
        names.push(format!("image-{number}"));
        world.owner.ok("ImportImage", &with(import_params(&key), &[("ImageName", &names[number + 1])])).await;
    }
    world.drain().await;
    names.reverse();
    let page = async |number: &str, size: &str| {
        let params = [("PageNumber", number), ("PageSize", size)];
        let body = world.owner.ok("DescribeImages", &params).await;
        assert_eq!(body["TotalCount"], json!(12), "{number} {size}");
        (column(&body["Images"]["Image"], "ImageName"), body["PageNumber"].clone(), body["PageSize"].clone())
    };
    assert_eq!(page("", "").await, (names[..10].to_vec(), json!(1), json!(10)), "the newest first");
    assert_eq!(page("2", "").await, (names[10..].to_vec(), json!(2), json!(10)));
    assert_eq!(page("2", "5").await, (names[5..10].to_vec(), json!(2), json!(5)));
    assert_eq!(page("1", "50").await, (names.clone(), json!(1), json!(50)));
    assert_eq!(page("9", "50").await, (vec![], json!(9), json!(50)), "beyond the end");
    for (name, value, row) in [
        ("PageNumber", "0", invalid!("PageNumber")),
        ("PageNumber", "-1", invalid!("PageNumber")),
        ("PageNumber", "one", invalid!("PageNumber")),
        ("PageNumber", "9223372036854775807", invalid!("PageNumber")),
        ("PageSize", "0", invalid!("PageSize")),
        ("PageSize", "51", invalid!("PageSize")),
        ("PageSize", "many", invalid!("PageSize")),
    ] {
        world.owner.refused("DescribeImages", &[(name, value)], row).await;
    }
}

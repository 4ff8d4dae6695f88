//! `DescribeExportImageInfo`: the caller's images that are being exported or were.

use serde_json::json;

use crate::support::caller::column;
use crate::support::print::redacted;
use crate::support::refusals::invalid;
use crate::support::{BUCKET, OTHER, REGION, World, import_params, with};

#[tokio::test]
async fn lists_filters_and_pages() {
    let world = World::new().await;
    let named = async |name: &str| {
        let key = world.put(&crate::support::disk("x"));
        let params = with(import_params(&key), &[("ImageName", name)]);
        world.owner.ok("ImportImage", &params).await["ImageId"].as_str().unwrap().to_owned()
    };
    let (first, second, never) = (named("first").await, named("second").await, named("never").await);
    world.drain().await;
    world.owner.share(&first, OTHER).await;
    for image in [&first, &second] {
        world.pass(1);
        let params = [("ImageId", image.as_str()), ("OSSBucket", BUCKET), ("OSSRegionId", REGION)];
        world.owner.ok("ExportImage", &params).await;
        if image == &first {
            world.drain().await;
        }
    }
    let body = world.owner.ok("DescribeExportImageInfo", &[]).await;
    let images = &body["Images"]["Image"];
    assert_eq!(column(images, "ImageId"), [second.clone(), first.clone()], "the latest first");
    assert_eq!(column(images, "ImageExportStatus"), ["Exporting", "Exported"]);
    let expected = json!({
        "Architecture": "x86_64",
        "CreationTime": "2026-03-27T08:09:10Z",
        "ExportedImageURL": format!("oss://{BUCKET}/{first}.qcow2"),
        "ImageExportStatus": "Exported",
        "ImageId": first,
        "ImageName": "first",
        "ImageOwnerAlias": "self",
        "Platform": "centos",
    });
    assert_eq!(images[1], expected);
    let counts = json!({ "PageNumber": 1, "PageSize": 10, "TotalCount": 2 });
    for name in ["PageNumber", "PageSize", "TotalCount"] {
        assert_eq!(body[name], counts[name], "a number");
    }
    assert_eq!(redacted(&body).as_object().unwrap().len(), 5);

    let ids = async |params: &[(&str, &str)]| {
        let body = world.owner.ok("DescribeExportImageInfo", params).await;
        column(&body["Images"]["Image"], "ImageId")
    };
    assert_eq!(ids(&[("ImageId", &first)]).await, [first.as_str()]);
    assert!(ids(&[("ImageId", &never)]).await.is_empty());
    assert_eq!(ids(&[("ImageName", "eco")]).await, [second.as_str()]);
    assert_eq!(ids(&[("PageNumber", "2"), ("PageSize", "1")]).await, [first.as_str()]);
    assert!(ids(&[("PageNumber", "9")]).await.is_empty());
    let others = world.other.ok("DescribeExportImageInfo", &[]).await;
    assert_eq!(others["Images"]["Image"], json!([]), "exports are their owner's");
    world.owner.refused("DescribeExportImageInfo", &[("PageSize", "51")], invalid!("PageSize")).await;
}

#[tokio::test]
async fn an_export_that_was_given_up_has_no_url() {
    let world = World::new().await;
    let image = world.import().await;
    let params = [("ImageId", image.as_str()), ("OSSBucket", BUCKET), ("OSSRegionId", REGION)];
    world.owner.ok("ExportImage", &params).await;
    world.change("UPDATE replicas SET sha256 = 'another'", &[]).await;
    world.drain().await;
    let body = world.owner.ok("DescribeExportImageInfo", &[]).await;
    let listed = &body["Images"]["Image"][0];
    assert_eq!(
        (&listed["ImageExportStatus"], &listed["ExportedImageURL"]),
        (&json!("ExportError"), &json!(""))
    );
}

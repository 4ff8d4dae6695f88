//! `DescribeExportImageStatus`: how far one export is.

use serde_json::json;

use crate::support::refusals::{IMAGE_TYPE, INVALID_IMAGE_ID, MISSING_PARAMETER};
use crate::support::{BUCKET, OTHER, PUBLIC_IMAGE, REGION, World};

#[tokio::test]
async fn from_unexported_to_exported() {
    let world = World::new().await;
    let image = world.import().await;
    let one = [("ImageId", image.as_str())];
    let body = world.owner.ok("DescribeExportImageStatus", &one).await;
    assert_eq!(body, json!({ "ImageExportStatus": "Unexported", "RequestId": body["RequestId"] }));
    let params = [("ImageId", image.as_str()), ("OSSBucket", BUCKET), ("OSSRegionId", REGION)];
    world.owner.ok("ExportImage", &params).await;
    for status in ["Exporting", "Exported"] {
        let body = world.owner.ok("DescribeExportImageStatus", &one).await;
        assert_eq!(body["ImageExportStatus"], status);
        world.drain().await;
    }
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let action = "DescribeExportImageStatus";
    world.owner.refused(action, &[], MISSING_PARAMETER).await;
    for unknown in ["m a", "m-unknown"] {
        world.owner.refused(action, &[("ImageId", unknown)], INVALID_IMAGE_ID).await;
    }
    world.third.refused(action, &[("ImageId", &image)], INVALID_IMAGE_ID).await;
    world.other.refused(action, &[("ImageId", &image)], IMAGE_TYPE).await;
    world.owner.refused(action, &[("ImageId", PUBLIC_IMAGE)], IMAGE_TYPE).await;
}

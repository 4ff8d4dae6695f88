//! DescribeImageInfos: the catalogue of public images.

use calotype_core::image::{ImageView, Product};
use serde_json::{Value, json};

use super::error::EnsError;
use super::render;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_images::{ImageFilter, describe_images};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeImageInfos",
    action: "ens:DescribeImageInfos",
    parameters: &[Parameter::optional("OsType", Kind::Text)],
    summary: "Lists the public images.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The most images that the catalogue shows: it has no pages.
const IMAGES_MAX: i64 = 1_000;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let os_type = call.params.text("OsType");
    if os_type.is_some_and(|os| !["linux", "windows"].iter().any(|known| known.eq_ignore_ascii_case(os))) {
        return Err(EnsError::invalid("OsType"));
    }
    let filter = ImageFilter { state: Some("available"), public: true, ..ImageFilter::default() };
    let page = describe_images(call.app, &call.caller, Product::Ens, &filter, 0, IMAGES_MAX).await?;
    let matching = page
        .items
        .iter()
        .filter(|view| os_type.is_none_or(|os_type| view.image.labels.os_type.eq_ignore_ascii_case(os_type)));
    let images: Vec<_> = matching.map(image).collect();
    Ok(json!({ "Code": 0, "Images": { "Image": images } }))
}

fn image(view: &ImageView) -> Value {
    let image = &view.image;
    json!({
        "ComputeType": image.labels.compute_type,
        "Description": image.name,
        "DiskDeviceMappings": render::disk_mappings(image),
        "ImageId": image.id.as_str(),
        "ImageOwnerAlias": render::owner_alias(view.standing),
        "ImageSize": render::size_gib(image),
        "ImageVersion": image.labels.os_version,
        "OSName": image.labels.platform,
        "OSType": image.labels.os_type,
        "RegionId": image.region.as_str(),
    })
}

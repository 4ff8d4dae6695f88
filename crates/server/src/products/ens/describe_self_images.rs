//! DescribeSelfImages: the images of the caller and those shared to it, with their states.

use calotype_core::image::{ImageView, Product};
use serde_json::{Value, json};

use super::error::EnsError;
use super::render;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_images::{ImageFilter, describe_images};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeSelfImages",
    action: "ens:DescribeSelfImages",
    parameters: &[
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("ImageName", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::optional("SnapshotId", Kind::Text),
    ],
    summary: "Lists the custom images of the caller and those shared to it, with their states.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most images on a page.
const PAGE_SIZE_MAX: i64 = 50;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let paging = Paging::of(call.params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let filter = ImageFilter {
        id_part: call.params.text("ImageId"),
        name_part: call.params.text("ImageName"),
        snapshot: call.params.text("SnapshotId"),
        own: true,
        shared_in: true,
        ..ImageFilter::default()
    };
    let page =
        describe_images(call.app, &call.caller, Product::Ens, &filter, paging.offset(), paging.size).await?;
    let images: Vec<_> = page.items.iter().map(image).collect();
    // The one listing whose counts are texts.
    Ok(json!({
        "Code": 0,
        "Images": { "Image": images },
        "PageNumber": paging.number.to_string(),
        "PageSize": paging.size.to_string(),
        "TotalCount": page.total.to_string(),
    }))
}

fn image(view: &ImageView) -> Value {
    let image = &view.image;
    let mut members = render::image(view);
    let stored = image.stored_size_bytes.unwrap_or(0);
    members.insert("ComputeType".to_owned(), json!(image.labels.compute_type));
    members.insert("ImageStorageSize".to_owned(), json!(stored.to_string()));
    members
        .insert("InstanceId".to_owned(), json!(image.source_instance.as_ref().map_or("", |id| id.as_str())));
    members.insert("OsVersion".to_owned(), json!(image.labels.os_version));
    members.insert("Status".to_owned(), json!(render::image_status(&image.state)));
    Value::Object(members)
}

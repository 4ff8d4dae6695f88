//! DescribeExportImageInfo: the images of the caller that are being exported or were.

use calotype_core::export_image::ExportState;
use serde_json::{Value, json};

use super::error::EnsError;
use super::render::export_status;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_exports::{ExportFilter, ExportedImage, describe_exports};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeExportImageInfo",
    action: "ens:DescribeExportImageInfo",
    parameters: &[
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("ImageName", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
    ],
    summary: "Lists the images of the caller that are being exported or were, each with its latest export.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most images on a page.
const PAGE_SIZE_MAX: i64 = 50;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let paging = Paging::of(call.params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let filter =
        ExportFilter { image: call.params.text("ImageId"), name_part: call.params.text("ImageName") };
    let page = describe_exports(call.app, &call.caller, &filter, paging.offset(), paging.size).await?;
    let images: Vec<_> = page.items.iter().map(image).collect();
    Ok(json!({
        "Images": { "Image": images },
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": page.total,
    }))
}

fn image(item: &ExportedImage) -> Value {
    let export = &item.export;
    let url = match export.state {
        ExportState::Exporting | ExportState::Exported => export.target.to_string(),
        // There is nothing there.
        ExportState::Failed { .. } => String::new(),
    };
    json!({
        "Architecture": item.architecture,
        "CreationTime": item.created.to_string(),
        "ExportedImageURL": url,
        "ImageExportStatus": export_status(&export.state),
        "ImageId": export.image.as_str(),
        "ImageName": item.name,
        "ImageOwnerAlias": "self",
        "Platform": item.platform,
    })
}

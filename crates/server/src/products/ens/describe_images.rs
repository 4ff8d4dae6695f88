//! DescribeImages: the images that the caller can use.

use calotype_core::image::Product;
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
    name: "DescribeImages",
    action: "ens:DescribeImages",
    parameters: &[
        Parameter::optional("EnsRegionId", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("ImageName", Kind::Text),
        Parameter::optional("PageNumber", Kind::Text),
        Parameter::optional("PageSize", Kind::Text),
        Parameter::optional("SnapshotId", Kind::Text),
        Parameter::optional("Status", Kind::Text),
    ],
    summary: "Lists the images that the caller can use: public ones, its own and those shared to it.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most images on a page.
const PAGE_SIZE_MAX: i64 = 50;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let paging = Paging::of(call.params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let filter = ImageFilter {
        ids: call.params.text("ImageId").into_iter().collect(),
        name_part: call.params.text("ImageName"),
        snapshot: call.params.text("SnapshotId"),
        state: Some("available"),
        public: true,
        own: true,
        shared_in: true,
        ..ImageFilter::default()
    };
    let page =
        describe_images(call.app, &call.caller, Product::Ens, &filter, paging.offset(), paging.size).await?;
    let images: Vec<_> = page.items.iter().map(render::image).collect();
    Ok(json!({
        "Code": 0,
        "Images": { "Image": images },
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": page.total,
    }))
}

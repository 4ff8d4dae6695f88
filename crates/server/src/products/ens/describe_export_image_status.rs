//! DescribeExportImageStatus: how far the latest export of an image is.

use serde_json::{Value, json};

use super::error::EnsError;
use super::params::image_id;
use super::render::export_status;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_exports::describe_export;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeExportImageStatus",
    action: "ens:DescribeExportImageStatus",
    parameters: &[Parameter::required("ImageId", Kind::Text)],
    summary: "Tells how far the latest export of an image is.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let image = image_id(call.params)?;
    let export = describe_export(call.app, &call.caller, &image).await?;
    let status = export.map_or("Unexported", |export| export_status(&export.state));
    Ok(json!({ "ImageExportStatus": status }))
}

//! ExportImage: writes the bytes of an image to an object of a bucket.

use calotype_core::export_image::is_prefix;
use calotype_core::ids::RegionId;
use serde_json::{Value, json};

use super::error::EnsError;
use super::launch_params::bounded;
use super::params::{image_id, in_the_singular, required};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::export_image::{ExportImage, export_image};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ExportImage",
    action: "ens:ExportImage",
    parameters: &[
        Parameter::required("ImageId", Kind::Text),
        Parameter::required("OSSBucket", Kind::Text),
        Parameter::optional("OSSPrefix", Kind::Text),
        Parameter::required("OSSRegionId", Kind::Text),
        Parameter::optional("RoleName", Kind::Text),
    ],
    summary: "Writes an image that the caller made to an object of a bucket; until then it is not deletable.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    // This page says it in the singular.
    let image = image_id(params).map_err(in_the_singular)?;
    let bucket = required(params, "OSSBucket").map_err(in_the_singular)?;
    let region = required(params, "OSSRegionId").map_err(in_the_singular)?;
    let region = RegionId::parse(region).map_err(|_| EnsError::invalid("OSSRegionId"))?;
    let prefix = params.text("OSSPrefix").unwrap_or_default();
    if !is_prefix(prefix) {
        return Err(EnsError::invalid("OSSPrefix"));
    }
    // The operator lets this service write to its buckets; there is no role to take on for that.
    bounded(params, "RoleName")?;
    let command = ExportImage { image, bucket: bucket.to_owned(), prefix: prefix.to_owned(), region };
    let target = export_image(call.app, &call.caller, &command, call.now).await?;
    Ok(json!({ "ExportedImageURL": target.to_string() }))
}

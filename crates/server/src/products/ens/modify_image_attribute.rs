//! ModifyImageAttribute: renames a custom image of the caller.

use calotype_core::image::Product;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{image_id, required_name};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::modify_image_attribute::rename_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifyImageAttribute",
    action: "ens:ModifyImageAttribute",
    parameters: &[Parameter::required("ImageId", Kind::Text), Parameter::required("ImageName", Kind::Text)],
    summary: "Renames a custom image that the caller made.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let image = image_id(call.params)?;
    let name = required_name(call.params, "ImageName")?;
    rename_image(call.app, &call.caller, Product::Ens, &image, name, call.now).await?;
    Ok(json!({ "Code": 0 }))
}

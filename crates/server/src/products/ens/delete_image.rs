//! DeleteImage: deletes a custom image of the caller (D1..D20).

use calotype_core::image::Product;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::image_id;
use super::{API, RULES, answer};
use crate::products::{Call, Kind, Operation, Parameter, REASON, reason};
use crate::service::delete_image::delete_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteImage",
    action: "ens:DeleteImage",
    parameters: &[Parameter::required("ImageId", Kind::Text), REASON],
    summary: "Deletes a custom image that the caller made and nothing uses.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let image = image_id(call.params)?;
    let reason = reason(call.params)?;
    delete_image(call.app, &call.caller, Product::Ens, &RULES, image, reason, call.now).await?;
    Ok(json!({ "Code": 0 }))
}

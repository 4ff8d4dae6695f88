//! DeleteImage: deletes a custom image of the caller in every region (D21..D43).

use calotype_core::ids::ImageId;
use calotype_core::image::Product;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::{API, RULES, answer};
use crate::products::{Call, Kind, Operation, Parameter, REASON, reason};
use crate::service::delete_image::{delete_image, refuse_to_delete};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteImage",
    action: "appstreaming:DeleteImage",
    parameters: &[Parameter::optional("ImageId", Kind::Text), REASON],
    summary: "Deletes a custom image in every region, with the cloud-desktop templates that reference it.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    // The table has no code for a missing or malformed id: such an image does not exist (D28).
    let id = call.params.text("ImageId").and_then(|text| ImageId::parse(text).ok());
    // Whoever may not delete at all does not learn even that (D27).
    let Some(image) = id else { return Err(refuse_to_delete(call.app, &call.caller).into()) };
    let reason = reason(call.params)?;
    delete_image(call.app, &call.caller, Product::AppStreaming, &RULES, image, reason, call.now).await?;
    Ok(json!({ "Code": "200", "Data": true, "Message": "successful", "Success": true }))
}

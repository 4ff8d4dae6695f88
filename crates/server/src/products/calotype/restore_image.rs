//! RestoreImage: takes the delete of an image back within its grace period.

use serde_json::{Value, json};

use super::error::CalotypeError;
use super::{API, answer, image_id};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::restore_image::restore_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "RestoreImage",
    action: "calotype:RestoreImage",
    parameters: &[Parameter::required("ImageId", Kind::Text)],
    summary: "Brings a deleted image back within its grace period, with all that went with it.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    let image = image_id(call.params)?;
    let deletion = restore_image(call.app, &call.caller, &image, call.now).await?;
    Ok(json!({ "DeletionId": deletion.id.as_str(), "ImageId": image.as_str() }))
}

//! WithdrawCommunityImage: makes a community image an ordinary one again.

use serde_json::{Value, json};

use super::error::CalotypeError;
use super::{API, answer, image_id};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::publish_image::publish_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "WithdrawCommunityImage",
    action: "calotype:WithdrawCommunityImage",
    parameters: &[Parameter::required("ImageId", Kind::Text)],
    summary: "Makes a community image of the caller an ordinary image again.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    let image = image_id(call.params)?;
    publish_image(call.app, &call.caller, &image, false, call.now).await?;
    Ok(json!({}))
}

//! PublishCommunityImage: publishes an image of the caller for everybody.

use serde_json::{Value, json};

use super::error::CalotypeError;
use super::{API, answer, image_id};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::publish_image::publish_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "PublishCommunityImage",
    action: "calotype:PublishCommunityImage",
    parameters: &[Parameter::required("ImageId", Kind::Text)],
    summary: "Publishes a custom image as a community image, for everybody.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    let image = image_id(call.params)?;
    publish_image(call.app, &call.caller, &image, true, call.now).await?;
    Ok(json!({}))
}

//! CreateImageFromAppInstanceGroup: makes an image of a delivery group in debug mode.

use calotype_core::ids::InstanceId;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::image_params::image_name;
use super::params::about;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::create_derived_image::{DeriveImage, derive_image};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateImageFromAppInstanceGroup",
    action: "appstreaming:CreateImageFromAppInstanceGroup",
    parameters: &[
        Parameter::required("AppCenterImageName", Kind::Text),
        Parameter::required("AppInstanceGroupId", Kind::Text),
        Parameter::required("ProductType", Kind::Text),
    ],
    summary: "Makes a custom image of a delivery group that runs in debug mode.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    let name = image_name(params, "AppCenterImageName")?;
    let id = params.text("AppInstanceGroupId").and_then(|text| InstanceId::parse(text).ok());
    if params.text("ProductType") != Some("CloudApp") {
        return Err(AppStreamError::invalid("ProductType"));
    }
    let command = DeriveImage {
        kind: ConsumerKind::DeliveryGroup,
        consumer: id.ok_or(AppStreamError::invalid("AppInstanceGroupId"))?,
        condition: Some(("RuntimePolicy.DebugMode", "ON")),
        name: name.ok_or(AppStreamError::invalid("AppCenterImageName"))?,
        product_type: "CloudApp",
        details: vec![("ImageCreateMode".to_owned(), "BUILDER_MANUAL".to_owned())],
        tags: Vec::new(),
    };
    let made = derive_image(call.app, &call.caller, command, call.now).await;
    let made = made.map_err(|error| about("AppInstanceGroupId", error))?;
    Ok(json!({ "ImageId": made.image.as_str() }))
}

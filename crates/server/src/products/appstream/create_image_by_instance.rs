//! CreateImageByInstance: makes an image of a workstation.

use calotype_core::ids::InstanceId;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::image_params::{image_name, tags};
use super::{API, answer, task_id};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::create_derived_image::{DeriveImage, derive_image};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateImageByInstance",
    action: "appstreaming:CreateImageByInstance",
    parameters: &[
        Parameter::optional("AutoCleanUserdata", Kind::Boolean),
        Parameter::optional("BizType", Kind::Integer),
        Parameter::optional("CopyProfile", Kind::Boolean),
        Parameter::optional("Description", Kind::Text),
        Parameter::optional("DiskType", Kind::Text),
        Parameter::optional("ImageName", Kind::Text),
        Parameter::optional("InstanceId", Kind::Text),
        Parameter::optional("InstanceType", Kind::Text),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("SubInstanceId", Kind::Text),
        Parameter::optional("TagList", Kind::FlatList),
    ],
    summary: "Makes a custom image of a workstation.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 256;

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    let id = params.text("InstanceId").and_then(|text| InstanceId::parse(text).ok());
    let consumer = id.ok_or(AppStreamError::invalid("InstanceId"))?;
    match params.text("InstanceType") {
        None | Some("WuyingServer") => {}
        // There are no cloud desktops here, so there is none of that id.
        Some("CloudDesktop") => return Err(AppStreamError::invalid("InstanceId")),
        Some(_) => return Err(AppStreamError::invalid("InstanceType")),
    }
    for flag in ["AutoCleanUserdata", "CopyProfile"] {
        params.boolean(flag)?;
    }
    let create_mode = match params.text("DiskType") {
        None | Some("ALL") => "BY_INSTANCE_ID",
        Some("SYSTEM") => "BY_SNAPSHOT_ID",
        Some(_) => return Err(AppStreamError::invalid("DiskType")),
    };
    let description = params.text("Description").unwrap_or_default();
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(AppStreamError::invalid("Description"));
    }
    let details = [("ImageCreateMode", create_mode), ("Description", description)];
    let command = DeriveImage {
        kind: ConsumerKind::Workstation,
        name: image_name(params, "ImageName")?.unwrap_or_else(|| consumer.to_string()),
        consumer,
        condition: None,
        product_type: "WuyingServer",
        details: details.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        tags: tags(params, "TagList")?,
    };
    let made = derive_image(call.app, &call.caller, command, call.now).await?;
    Ok(json!({
        "Code": "200",
        "Data": {
            "ImageId": made.image.as_str(),
            "TaskId": task_id(call),
            "VersionId": made.version.as_str(),
        },
        "Message": "success",
        "Success": true,
    }))
}

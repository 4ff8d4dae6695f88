//! GetAppInstanceGroup: one delivery group.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{consumer, must_be_cloud_app};
use super::render;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "GetAppInstanceGroup",
    action: "appstreaming:GetAppInstanceGroup",
    parameters: &[
        Parameter::required("AppInstanceGroupId", Kind::Text),
        Parameter::required("ProductType", Kind::Text),
    ],
    summary: "Shows one delivery group.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// What kind of sessions a group has, if it was not said.
const SESSION_TYPE_DEFAULT: &str = "NORMAL";

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    must_be_cloud_app(call.params)?;
    let item = consumer(call, ConsumerKind::DeliveryGroup, "AppInstanceGroupId").await?;
    let session_type = match render::echo(&item.instance, "RuntimePolicy.SessionType") {
        "" => SESSION_TYPE_DEFAULT,
        given => given,
    };
    let mut group = render::group(&item, call.now);
    group.insert("AppCenterImageName".to_owned(), json!(render::image_name(&item)));
    group.insert("AppInstanceTypeName".to_owned(), json!(""));
    group.insert("SessionType".to_owned(), json!(session_type));
    Ok(json!({ "AppInstanceGroupModels": group }))
}

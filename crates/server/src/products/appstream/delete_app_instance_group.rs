//! DeleteAppInstanceGroup: deletes a delivery group, which ends its use of its image.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{about, consumer_id, must_be_cloud_app};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::release_instance::release_instance;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteAppInstanceGroup",
    action: "appstreaming:DeleteAppInstanceGroup",
    parameters: &[
        Parameter::required("AppInstanceGroupId", Kind::Text),
        Parameter::required("ProductType", Kind::Text),
    ],
    summary: "Deletes a delivery group; it uses no image any more.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    must_be_cloud_app(call.params)?;
    let id = consumer_id(call.params, "AppInstanceGroupId")?;
    release_instance(call.app, &call.caller, ConsumerKind::DeliveryGroup, &id, None)
        .await
        .map_err(|error| about("AppInstanceGroupId", error))?;
    Ok(json!({}))
}

//! DeleteAppInstances: ends sessions of a delivery group, of which there are none, because nothing runs here.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{consumer, must_be_cloud_app, texts};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteAppInstances",
    action: "appstreaming:DeleteAppInstances",
    parameters: &[
        Parameter::required("AppInstanceGroupId", Kind::Text),
        Parameter::required("AppInstanceIds", Kind::FlatList),
        Parameter::required("ProductType", Kind::Text),
    ],
    summary: "Answers for each session of a delivery group that it does not exist: none runs here.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    must_be_cloud_app(call.params)?;
    let ids = texts(call.params, "AppInstanceIds")?;
    if ids.is_empty() {
        return Err(AppStreamError::invalid("AppInstanceIds"));
    }
    consumer(call, ConsumerKind::DeliveryGroup, "AppInstanceGroupId").await?;
    let row = AppStreamError::invalid("AppInstanceIds").row();
    let (code, message) = (row.code, row.message);
    let unknown =
        |id: &String| json!({ "AppInstanceId": id, "Code": code, "Message": message, "Success": false });
    let models: Vec<_> = ids.iter().map(unknown).collect();
    Ok(json!({ "DeleteAppInstanceModels": models }))
}

//! DeleteWuyingServer: deletes a workstation, which ends its use of its image.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{about, consumer_id};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::release_instance::release_instance;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteWuyingServer",
    action: "appstreaming:DeleteWuyingServer",
    parameters: &[Parameter::required("WuyingServerId", Kind::Text)],
    summary: "Deletes a workstation; it uses no image any more.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let id = consumer_id(call.params, "WuyingServerId")?;
    release_instance(call.app, &call.caller, ConsumerKind::Workstation, &id, None)
        .await
        .map_err(|error| about("WuyingServerId", error))?;
    Ok(json!({}))
}

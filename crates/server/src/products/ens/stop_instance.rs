//! StopInstance: stops an instance.

use calotype_core::instance::PowerState;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::instance_id;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::power_instance::power_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "StopInstance",
    action: "ens:StopInstance",
    parameters: &[
        Parameter::optional("ForceStop", Kind::Text),
        Parameter::required("InstanceId", Kind::Text),
    ],
    summary: "Stops an instance of the caller.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let id = instance_id(call.params)?;
    let results = power_instances(
        call.app,
        &call.caller,
        ConsumerKind::Instance,
        &[id],
        PowerState::Stopped,
        false,
        call.now,
    )
    .await?;
    for result in results {
        result?;
    }
    Ok(json!({ "Code": 0 }))
}

//! StopInstances: stops several instances.

use calotype_core::instance::PowerState;
use calotype_core::usage::ConsumerKind;
use serde_json::Value;

use super::error::EnsError;
use super::params::instance_ids;
use super::render;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::power_instance::power_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "StopInstances",
    action: "ens:StopInstances",
    parameters: &[Parameter::optional("InstanceIds", Kind::CommaList)],
    summary: "Stops instances of the caller, with a result for each.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let ids = instance_ids(call.params)?;
    let results = power_instances(
        call.app,
        &call.caller,
        ConsumerKind::Instance,
        &ids,
        PowerState::Stopped,
        false,
        call.now,
    )
    .await?;
    Ok(render::instance_responses(&ids, results))
}

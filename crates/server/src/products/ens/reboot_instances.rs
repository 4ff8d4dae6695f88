//! RebootInstances: starts several running instances anew.

use serde_json::Value;

use super::error::EnsError;
use super::params::instance_ids;
use super::render;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::power_instance::reboot_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "RebootInstances",
    action: "ens:RebootInstances",
    parameters: &[Parameter::optional("InstanceIds", Kind::CommaList)],
    summary: "Starts running instances of the caller anew, with a result for each.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let ids = instance_ids(call.params)?;
    let results = reboot_instances(call.app, &call.caller, &ids, call.now).await?;
    Ok(render::instance_responses(&ids, results))
}

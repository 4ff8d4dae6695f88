//! RebootInstance: starts a running instance anew.

use serde_json::{Value, json};

use super::error::EnsError;
use super::params::instance_id;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::power_instance::reboot_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "RebootInstance",
    action: "ens:RebootInstance",
    parameters: &[
        Parameter::optional("ForceStop", Kind::Text),
        Parameter::required("InstanceId", Kind::Text),
    ],
    summary: "Starts a running instance of the caller anew.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let id = instance_id(call.params)?;
    call.params.boolean("ForceStop")?;
    for result in reboot_instances(call.app, &call.caller, &[id], call.now).await? {
        result?;
    }
    Ok(json!({ "Code": 0 }))
}

//! ReinitInstance: switches an instance to an image.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{image_id, instance_id};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::reinit_instance::reinit_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ReinitInstance",
    action: "ens:ReinitInstance",
    parameters: &[
        Parameter::required("ImageId", Kind::Text),
        Parameter::required("InstanceId", Kind::Text),
        Parameter::optional("Password", Kind::Text),
    ],
    summary: "Resets the system disk of an instance from an image.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let id = instance_id(call.params)?;
    let image = image_id(call.params)?;
    let results =
        reinit_instances(call.app, &call.caller, ConsumerKind::Instance, &[id], Some(&image), call.now)
            .await?;
    for result in results {
        result?;
    }
    Ok(json!({}))
}

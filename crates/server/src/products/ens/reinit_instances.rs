//! ReinitInstances: switches several instances to an image.

use calotype_core::ids::ImageId;
use calotype_core::usage::ConsumerKind;
use serde_json::Value;

use super::error::EnsError;
use super::params::instance_ids;
use super::render;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::reinit_instance::reinit_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ReinitInstances",
    action: "ens:ReinitInstances",
    parameters: &[
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("InstanceIds", Kind::CommaList),
        Parameter::optional("Password", Kind::Text),
    ],
    summary: "Resets the system disks of instances from an image, with a result for each.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let ids = instance_ids(call.params)?;
    // Without an image, each instance is set back to the one it has.
    let image = call.params.text("ImageId").map(ImageId::parse).transpose();
    let image = image.map_err(|_| EnsError::invalid("ImageId"))?;
    let results =
        reinit_instances(call.app, &call.caller, ConsumerKind::Instance, &ids, image.as_ref(), call.now)
            .await?;
    Ok(render::instance_responses(&ids, results))
}

//! UpdateWuyingServerImage: moves a workstation to another image.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{about, consumer_id, image_id, may_be_workstation};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::reinit_instance::reinit_instances;
use crate::wire::encode::hex;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "UpdateWuyingServerImage",
    action: "appstreaming:UpdateWuyingServerImage",
    parameters: &[
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("WuyingServerId", Kind::Text),
    ],
    summary: "Moves a workstation to another image.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    may_be_workstation(params)?;
    let id = consumer_id(params, "WuyingServerId")?;
    let image = image_id(params, "ImageId")?;
    let kind = ConsumerKind::Workstation;
    let results = reinit_instances(call.app, &call.caller, kind, &[id], Some(&image), call.now).await?;
    for result in results {
        result.map_err(|refusal| about("WuyingServerId", refusal))?;
    }
    // The workstation tells of the update itself, so nothing is kept under the id of the task.
    Ok(json!({ "TaskId": format!("ota-{}", hex(&call.app.chance.id())) }))
}

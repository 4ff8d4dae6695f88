//! StartWuyingServer: starts workstations.

use calotype_core::instance::PowerState;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{about, may_be_workstation, workstation_ids};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::power_instance::power_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "StartWuyingServer",
    action: "appstreaming:StartWuyingServer",
    parameters: &[
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("WuyingServerIdList", Kind::FlatList),
    ],
    summary: "Starts workstations, all of them or none.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    may_be_workstation(params)?;
    let ids = workstation_ids(params)?;
    let kind = ConsumerKind::Workstation;
    let results =
        power_instances(call.app, &call.caller, kind, &ids, PowerState::Running, true, call.now).await?;
    for result in results {
        result.map_err(|refusal| about("WuyingServerIdList", refusal))?;
    }
    Ok(json!({}))
}

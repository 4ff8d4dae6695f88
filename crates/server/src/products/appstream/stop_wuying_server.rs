//! StopWuyingServer: stops workstations.

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
    name: "StopWuyingServer",
    action: "appstreaming:StopWuyingServer",
    parameters: &[
        Parameter::optional("Force", Kind::Boolean),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("WuyingServerIdList", Kind::FlatList),
    ],
    summary: "Stops workstations, all of them or none.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    may_be_workstation(params)?;
    // Nothing runs inside, so there is nothing that force would end.
    params.boolean("Force")?;
    let ids = workstation_ids(params)?;
    let kind = ConsumerKind::Workstation;
    let results =
        power_instances(call.app, &call.caller, kind, &ids, PowerState::Stopped, true, call.now).await?;
    for result in results {
        result.map_err(|refusal| about("WuyingServerIdList", refusal))?;
    }
    Ok(json!({}))
}

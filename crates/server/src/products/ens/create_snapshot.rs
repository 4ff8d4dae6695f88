//! CreateSnapshot: takes a snapshot of a disk.

use calotype_core::ids::DiskId;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{required, snapshot_description, snapshot_name};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::create_snapshot::{CreateSnapshot, create_snapshot};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateSnapshot",
    action: "ens:CreateSnapshot",
    parameters: &[
        Parameter::optional("Description", Kind::Text),
        Parameter::required("DiskId", Kind::Text),
        Parameter::required("EnsRegionId", Kind::Text),
        Parameter::optional("InstanceBillingCycle", Kind::Text),
        Parameter::optional("SnapshotName", Kind::Text),
    ],
    summary: "Takes a snapshot of the system disk of an instance.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let disk = DiskId::parse(required(params, "DiskId")?).map_err(|_| EnsError::invalid("DiskId"))?;
    let ens_region = required(params, "EnsRegionId")?.to_owned();
    let name = snapshot_name(params)?;
    let description = snapshot_description(params)?.unwrap_or_default();
    let command = CreateSnapshot {
        disk,
        ens_region,
        name: name.map(str::to_owned),
        description: description.to_owned(),
    };
    let snapshot = create_snapshot(call.app, &call.caller, command, call.now).await?;
    // Nothing is sold here, so there is no order.
    Ok(json!({ "OrderId": "", "SnapShotId": [snapshot.as_str()] }))
}

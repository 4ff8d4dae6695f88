//! CreateSnapshot: takes a snapshot of a disk.

use calotype_core::ids::DiskId;
use calotype_core::name;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::required;
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

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 256;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let disk = DiskId::parse(required(params, "DiskId")?).map_err(|_| EnsError::invalid("DiskId"))?;
    let ens_region = required(params, "EnsRegionId")?.to_owned();
    let name = params.text("SnapshotName");
    if name.is_some_and(|name| !name::is_valid(name) || name.starts_with("auto")) {
        return Err(EnsError::invalid("SnapshotName"));
    }
    let description = params.text("Description").unwrap_or_default();
    let is_link = description.starts_with("http://") || description.starts_with("https://");
    if is_link || description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(EnsError::invalid("Description"));
    }
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

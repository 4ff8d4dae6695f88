//! DeleteSnapshot: deletes a snapshot of the caller.

use calotype_core::ids::SnapshotId;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::required;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::delete_snapshot::delete_snapshot;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteSnapshot",
    action: "ens:DeleteSnapshot",
    parameters: &[Parameter::required("SnapshotId", Kind::Text)],
    summary: "Deletes a snapshot; images that were made of it stay.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let id = required(call.params, "SnapshotId")?;
    let id = SnapshotId::parse(id).map_err(|_| EnsError::invalid("SnapshotId"))?;
    delete_snapshot(call.app, &call.caller, &id, call.now).await?;
    Ok(json!({}))
}

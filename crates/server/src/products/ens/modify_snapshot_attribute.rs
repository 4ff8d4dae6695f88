//! ModifySnapshotAttribute: changes name and description of a snapshot.

use calotype_core::ids::SnapshotId;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{required, snapshot_description, snapshot_name};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::modify_snapshot::modify_snapshot;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifySnapshotAttribute",
    action: "ens:ModifySnapshotAttribute",
    parameters: &[
        Parameter::optional("Description", Kind::Text),
        Parameter::required("SnapshotId", Kind::Text),
        Parameter::optional("SnapshotName", Kind::Text),
    ],
    summary: "Changes name and description of a snapshot; what is left out stays.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let id =
        SnapshotId::parse(required(params, "SnapshotId")?).map_err(|_| EnsError::invalid("SnapshotId"))?;
    let (name, description) = (snapshot_name(params)?, snapshot_description(params)?);
    modify_snapshot(call.app, &call.caller, &id, name, description).await?;
    Ok(json!({}))
}

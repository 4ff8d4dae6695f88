//! DescribeEnsRegions: the edge nodes.

use serde_json::{Value, json};

use super::error::EnsError;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_ens_regions::describe_ens_regions;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeEnsRegions",
    action: "ens:DescribeEnsRegions",
    parameters: &[Parameter::optional("EnsRegionId", Kind::Text)],
    summary: "Lists the edge nodes.",
    handler: |call| Box::pin(async move { answer(call, handle(call)) }),
};

fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let only = call.params.text("EnsRegionId");
    let nodes: Vec<_> = describe_ens_regions(call.app, &call.caller)?
        .iter()
        .filter(|node| only.is_none_or(|only| node.id == only))
        .map(|node| {
            json!({
                "Area": node.area,
                "EnName": node.en_name,
                "EnsRegionId": node.id,
                "Name": node.name,
                "Province": node.province,
            })
        })
        .collect();
    Ok(json!({ "Code": 0, "EnsRegions": { "EnsRegions": nodes } }))
}

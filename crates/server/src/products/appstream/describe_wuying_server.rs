//! DescribeWuyingServer: one workstation.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::consumer;
use super::render;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeWuyingServer",
    action: "appstreaming:DescribeWuyingServer",
    parameters: &[Parameter::required("WuyingServerId", Kind::Text)],
    summary: "Shows one workstation.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let item = consumer(call, ConsumerKind::Workstation, "WuyingServerId").await?;
    Ok(json!({ "Data": render::workstation(&item, call.now) }))
}

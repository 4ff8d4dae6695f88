//! NoOp: does nothing, for a caller who is proven and allowed to. Only in builds for benchmarks: what every request
//! costs before anything is done for it.

use serde_json::{Value, json};

use super::error::CalotypeError;
use super::{API, answer};
use crate::products::{Call, Operation};
use crate::service::no_op::no_op;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "NoOp",
    action: "calotype:NoOp",
    parameters: &[],
    summary: "Does nothing.",
    handler: |call| Box::pin(async move { answer(call, handle(call)) }),
};

fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    no_op(&call.caller)?;
    Ok(json!({}))
}

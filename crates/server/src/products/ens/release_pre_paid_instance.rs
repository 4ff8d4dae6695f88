//! ReleasePrePaidInstance: releases an instance that is paid for by subscription.

use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::instance_id;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::release_instance::release_instance;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ReleasePrePaidInstance",
    action: "ens:ReleasePrePaidInstance",
    parameters: &[Parameter::required("InstanceId", Kind::Text)],
    summary: "Releases an instance that is paid for by subscription.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let id = instance_id(call.params)?;
    release_instance(call.app, &call.caller, ConsumerKind::Instance, &id, Some(ChargeType::PrePaid)).await?;
    Ok(json!({}))
}

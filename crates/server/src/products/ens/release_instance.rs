//! ReleaseInstance: releases an instance, however it is paid for.
//!
//! The vendor's page is about addresses, load balancers and disks, of which there are none here that stand by
//! themselves; its answer names instances too, and these it releases here.

use serde_json::{Value, json};

use super::error::EnsError;
use super::params::instance_id;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::release_instance::release_by_id;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ReleaseInstance",
    action: "ens:ReleaseInstance",
    parameters: &[Parameter::required("InstanceId", Kind::Text)],
    summary: "Releases an instance, however it is paid for; disks are in use until their instance goes.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let id = instance_id(call.params)?;
    release_by_id(call.app, &call.caller, &id).await?;
    Ok(json!({ "ResourceType": "instance" }))
}

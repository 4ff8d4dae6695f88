//! ModifyInstanceAttribute: changes name, host name and deletion protection of an instance.

use calotype_core::name;
use serde_json::{Value, json};

use super::error::EnsError;
use super::launch_params::{bounded, check_user_data, echo};
use super::params::instance_id;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::modify_instance::{ModifyInstance, modify_instance};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifyInstanceAttribute",
    action: "ens:ModifyInstanceAttribute",
    parameters: &[
        Parameter::optional("DeletionProtection", Kind::Boolean),
        Parameter::optional("HostName", Kind::Text),
        Parameter::required("InstanceId", Kind::Text),
        Parameter::optional("InstanceName", Kind::Text),
        Parameter::optional("Password", Kind::Text),
        Parameter::optional("UserData", Kind::Text),
    ],
    summary: "Changes name, host name and deletion protection of an instance; what is left out stays.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let id = instance_id(params)?;
    let name = params.text("InstanceName");
    if name.is_some_and(|name| !name::is_valid(name)) {
        return Err(EnsError::invalid("InstanceName"));
    }
    // Nothing logs in to an instance here, and nothing runs in it.
    bounded(params, "Password")?;
    check_user_data(params)?;
    let command = ModifyInstance {
        name: name.map(str::to_owned),
        deletion_protection: params.boolean("DeletionProtection")?,
        // Clients wait until the listing shows it.
        echo: echo(params, &["HostName"])?,
    };
    modify_instance(call.app, &call.caller, &id, command).await?;
    Ok(json!({ "Code": 0 }))
}

//! GetCallerIdentity: who the caller is.

use calotype_core::ram::PrincipalKind;
use serde_json::{Value, json};

use super::API;
use crate::products::{Call, Operation};
use crate::service::caller_identity::caller_arn;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "GetCallerIdentity",
    action: "sts:GetCallerIdentity",
    parameters: &[],
    summary: "Tells the caller which account and user it is.",
    handler: |call| Box::pin(async move { Ok(handle(call)) }),
};

fn handle(call: &Call<'_>) -> Value {
    let principal = &call.caller.principal;
    let account = principal.account.as_str();
    let (identity_type, user_id, principal_id, role_id) = match &principal.kind {
        PrincipalKind::Root => ("Account", account.to_owned(), account.to_owned(), String::new()),
        PrincipalKind::User { id, .. } => ("RAMUser", id.clone(), id.clone(), String::new()),
        PrincipalKind::RoleSession { role, session } => {
            ("AssumedRoleUser", String::new(), format!("{role}:{session}"), role.clone())
        }
    };
    json!({
        "AccountId": account,
        "Arn": caller_arn(&call.caller),
        "IdentityType": identity_type,
        "PrincipalId": principal_id,
        "RoleId": role_id,
        "UserId": user_id,
    })
}

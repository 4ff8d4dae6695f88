//! AssumeRole: temporary keys for the rights of a role.

use calotype_core::assume_role::{ROLE_SESSION_S_MIN, RoleArn, SessionName};
use calotype_core::ram::{Policy, SESSION_POLICY_CHARS_MAX};
use serde_json::{Value, json};

use super::error::StsError;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::assume_role::{AssumeRole, assume_role};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "AssumeRole",
    action: "sts:AssumeRole",
    parameters: &[
        Parameter::optional("DurationSeconds", Kind::Integer),
        Parameter::optional("ExternalId", Kind::Text),
        Parameter::optional("Policy", Kind::Text),
        Parameter::required("RoleArn", Kind::Text),
        Parameter::required("RoleSessionName", Kind::Text),
    ],
    summary: "Gives temporary keys with the rights of a role that trusts the caller.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The longest external id, in bytes, and the shortest.
const EXTERNAL_ID_BYTES: std::ops::RangeInclusive<usize> = 2..=1_224;

async fn handle(call: &Call<'_>) -> Result<Value, StsError> {
    let params = call.params;
    let role =
        RoleArn::parse(required(params, "RoleArn")?).map_err(|_| StsError::WronglyFormed("RoleArn"))?;
    let session = SessionName::parse(required(params, "RoleSessionName")?)
        .map_err(|_| StsError::WronglyFormed("RoleSessionName"))?;
    let duration_s = params.integer("DurationSeconds");
    let asked = AssumeRole {
        role: &role,
        session: &session,
        duration_s: duration_s.map_err(|_| StsError::Duration { longest_s: ROLE_SESSION_S_MIN })?,
        policy: policy(params)?,
        external_id: external_id(params)?,
    };
    let assumed = assume_role(call.app, &call.caller, &asked, call.now).await?;
    Ok(json!({
        "AssumedRoleUser": {
            "Arn": format!("{role}/{}", session.as_str()),
            "AssumedRoleId": format!("{}:{}", role.name, session.as_str()),
        },
        "Credentials": {
            "AccessKeyId": assumed.key.access_key_id,
            "AccessKeySecret": assumed.key.secret.expose(),
            "Expiration": assumed.expires.to_string(),
            "SecurityToken": assumed.key.token.expose(),
        },
    }))
}

fn required<'a>(params: &'a Params, name: &'static str) -> Result<&'a str, StsError> {
    params.text(name).ok_or(StsError::Missing(name))
}

/// The session policy. What is kept is its text; that it can be read is seen now.
fn policy(params: &Params) -> Result<Option<&str>, StsError> {
    let Some(text) = params.text("Policy") else { return Ok(None) };
    if text.chars().count() > SESSION_POLICY_CHARS_MAX {
        return Err(StsError::PolicySize);
    }
    Policy::parse_session(text).map_err(|_| StsError::PolicyGrammar)?;
    Ok(Some(text))
}

fn external_id(params: &Params) -> Result<Option<&str>, StsError> {
    let Some(text) = params.text("ExternalId") else { return Ok(None) };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@:/-_".contains(&byte);
    let fits = EXTERNAL_ID_BYTES.contains(&text.len()) && text.bytes().all(allowed);
    if fits { Ok(Some(text)) } else { Err(StsError::WronglyFormed("ExternalId")) }
}

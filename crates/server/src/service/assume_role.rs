//! Gives temporary keys to those who may assume a role.

use calotype_core::assume_role::{AssumeRefusal, RoleArn, SessionName, decide};
use calotype_core::ram::{self, Arn, Context};
use calotype_core::time::Timestamp;
use calotype_store::sessions::{self, SessionRow};

use super::{Caller, ServiceError, begin};
use crate::app::App;
use crate::sessions::TemporaryKey;

/// Which role to assume, and how.
#[derive(Clone, Debug)]
pub struct AssumeRole<'a> {
    /// The role.
    pub role: &'a RoleArn,
    /// What the caller calls the session.
    pub session: &'a SessionName,
    /// How long it shall last, in seconds.
    pub duration_s: Option<i64>,
    /// The session policy; it has been checked.
    pub policy: Option<&'a str>,
    /// What the caller shows to the owner of the role.
    pub external_id: Option<&'a str>,
}

/// A session that has begun.
#[derive(Debug)]
pub struct Assumed {
    /// Its key.
    pub key: TemporaryKey,
    /// When it ends.
    pub expires: Timestamp,
}

/// Begins a session of a role: the policies of the caller must allow it, and the role must trust the caller.
///
/// # Errors
/// [`ServiceError`], refused with the first [`AssumeRefusal`]. Whether there is such a role is told only to whom
/// its own policies let assume it.
pub async fn assume_role(
    app: &App,
    caller: &Caller,
    asked: &AssumeRole<'_>,
    now: Timestamp,
) -> Result<Assumed, ServiceError<AssumeRefusal>> {
    let arn = Arn::of("ram", &asked.role.account, "role", &asked.role.name);
    caller.authorize(arn.clone())?;
    let identity = app.identity();
    let role = identity.role(&asked.role.account, &asked.role.name);
    let role = role.ok_or(ServiceError::Refused(AssumeRefusal::NoRole))?;
    let external_id = asked.external_id.map(str::to_owned);
    let context = Context { external_id, ..caller.context.clone() };
    let (principal, policies) = (&caller.principal, &caller.policies);
    let authorized = ram::authorize_assume_role(principal, policies, arn, &role.trust, &context);
    let authorized = authorized.map_err(Box::new)?;
    let expires = decide(&authorized, asked.role, role.longest_session_s, asked.duration_s, now)
        .map_err(ServiceError::Refused)?;
    let key = TemporaryKey::fresh(&app.chance);
    let row = SessionRow {
        access_key_id: key.access_key_id.clone(),
        token_sha256: key.token_sha256(),
        sealed_secret: key.sealed_secret(),
        account: asked.role.account.clone(),
        role: asked.role.name.clone(),
        name: asked.session.as_str().to_owned(),
        policy: asked.policy.map(str::to_owned),
        issued_to: authorized.caller().to_owned(),
        created: now,
        expires,
    };
    let mut tx = begin(app, caller).await?;
    sessions::insert(&mut tx, &row).await?;
    tx.commit().await?;
    tracing::info!(
        request_id = caller.request_id,
        role = %asked.role,
        session = row.name,
        access_key_id = row.access_key_id,
        caller = row.issued_to,
        expires = %row.expires,
        "role assumed"
    );
    Ok(Assumed { key, expires })
}

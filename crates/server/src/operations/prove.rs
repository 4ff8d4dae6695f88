//! Who sent a request: an access key of the configuration, or a temporary one.

use std::sync::Arc;

use calotype_core::ram::{Policies, Principal, PrincipalKind};
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;

use crate::app::App;
use crate::identity::{AccessKey, Identity};
use crate::sessions::{NoSession, Session, is_token};
use crate::wire::fault::{Fault, GatewayError};
use crate::wire::request::Claim;
use crate::wire::signature;

/// Somebody whose signature is proven.
#[derive(Debug)]
pub(super) struct Proven {
    /// Who it is.
    pub(super) principal: Principal,
    /// What it may do.
    pub(super) policies: Policies,
}

/// Proves that the claim is true, and spends its nonce: key, token, signature, nonce.
///
/// The nonce is spent whatever comes of the request. One that is refused afterwards, be it for coming too soon,
/// can never be carried out by somebody who has seen it go by; clients sign anew when they try again.
///
/// `signed` is the present time by the clocks of those who sign.
pub(super) async fn prove(
    app: &App,
    claim: &Claim<'_>,
    now: Timestamp,
    signed: Timestamp,
) -> Result<Proven, Fault> {
    let identity = app.identity();
    let proven = match identity.key(claim.access_key_id) {
        Some(key) => permanent(key, claim)?,
        None => temporary(app, &identity, claim, now).await?,
    };
    app.nonces.spend(claim.access_key_id, claim.nonce, claim.stamped, signed).map_err(GatewayError::from)?;
    Ok(proven)
}

/// A key of the configuration. It has no token; one that was issued belongs to another key.
fn permanent(key: &AccessKey, claim: &Claim<'_>) -> Result<Proven, GatewayError> {
    if !key.active {
        return Err(GatewayError::InvalidAccessKeyIdInactive);
    }
    match claim.security_token {
        None => {}
        Some(token) if is_token(token) => return Err(GatewayError::InvalidSecurityTokenMismatch),
        Some(_) => return Err(GatewayError::InvalidSecurityTokenMalformed),
    }
    signature::verify(claim, &key.secret)?;
    Ok(Proven { principal: key.principal.clone(), policies: key.policies.clone() })
}

/// A key of a session. Its role is the one of the present configuration: if it is gone, the session is over.
async fn temporary(
    app: &App,
    identity: &Identity,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Proven, Fault> {
    let found = app.sessions.find(&app.db, claim.access_key_id, claim.security_token, now).await;
    let session = found.map_err(no_session)?;
    let role = identity.role(&session.account, &session.role);
    let role = role.ok_or(GatewayError::InvalidSecurityTokenExpired)?;
    signature::verify(claim, &session.secret)?;
    app.sessions.remember(claim.access_key_id, &session);
    let policies =
        Policies { identity: role.policies.clone(), session: session.policy.as_ref().map(Arc::clone) };
    Ok(Proven { principal: principal(&session), policies })
}

fn principal(session: &Session) -> Principal {
    let kind = PrincipalKind::RoleSession { role: session.role.clone(), session: session.name.clone() };
    Principal { account: session.account.clone(), kind }
}

fn no_session(error: NoSession) -> Fault {
    match error {
        NoSession::UnknownKey => GatewayError::InvalidAccessKeyIdNotFound.into(),
        NoSession::NoToken => GatewayError::Missing { name: "SecurityToken" }.into(),
        NoSession::Malformed => GatewayError::InvalidSecurityTokenMalformed.into(),
        NoSession::Mismatch => GatewayError::InvalidSecurityTokenMismatch.into(),
        NoSession::Expired => GatewayError::InvalidSecurityTokenExpired.into(),
        NoSession::Store(error @ StoreError::Corrupt(_)) => {
            Fault::from(GatewayError::InternalError).with_source(error)
        }
        NoSession::Store(error @ (StoreError::Conflict | StoreError::Spent | StoreError::Unavailable(_))) => {
            Fault::from(GatewayError::ServiceUnavailable).with_source(error)
        }
    }
}

//! Makes [`Authorized`], the proof of permission that every decision asks for.

use std::sync::Arc;

use super::arn::Arn;
use super::condition::Context;
use super::evaluate::{Decision, Layer, evaluate};
use super::policy::Policy;
use super::principal::{Principal, PrincipalKind};
use super::trust::TrustPolicy;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// The policies of a caller, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// The policies of the user or of the role; without any, nothing is allowed.
    pub identity: Vec<Arc<Policy>>,
    /// The session policy given with `AssumeRole`; none leaves the role's rights as they are.
    pub session: Option<Arc<Policy>>,
}

/// The proof that RAM allowed one action on one resource to one caller.
///
/// Only this module makes it, and only after the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    action: &'static str,
    resource: Arn,
    account: AccountId,
    caller: String,
}

impl Authorized {
    fn new(principal: &Principal, action: &'static str, resource: Arn) -> Self {
        Self { action, resource, account: principal.account.clone(), caller: principal.arn() }
    }

    /// Returns the allowed action, such as `ens:DeleteImage`.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// Returns the resource it is allowed on.
    #[must_use]
    pub const fn resource(&self) -> &Arn {
        &self.resource
    }

    /// Says whether the resource is this thing, or everything: a decision asserts that the permission
    /// it was handed is for what it decides about.
    #[must_use]
    pub fn covers(&self, kind: &str, id: &str) -> bool {
        self.resource.covers(kind, id)
    }

    /// Returns the account the caller acts for.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the ARN of the caller, for records of who did what.
    #[must_use]
    pub fn caller(&self) -> &str {
        &self.caller
    }
}

/// RAM refused: who asked for what, and which layer said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action} is denied to {} ({}, {})", principal.arn(), self.permission_type(), layer.policy_type())]
pub struct Denied {
    action: &'static str,
    principal: Principal,
    layer: Layer,
    explicit: bool,
}

impl Denied {
    /// Returns who was refused.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns the layer that refused.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// Says whether a statement denied the action, rather than none allowing it.
    #[must_use]
    pub const fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// Returns the members of `AccessDeniedDetail` in the vendor's order, names with values.
    ///
    /// `EncodedDiagnosticMessage`, the last member, is not among them: it is the Base64 form of
    /// [`diagnostic_message`].
    ///
    /// Source: RAM refusals.
    #[must_use]
    pub fn detail(&self) -> [(&'static str, String); 6] {
        [
            ("PolicyType", self.layer.policy_type().to_owned()),
            ("NoPermissionType", self.permission_type().to_owned()),
            ("AuthAction", self.action.to_owned()),
            ("AuthPrincipalType", self.principal.principal_type().to_owned()),
            ("AuthPrincipalDisplayName", self.principal.display_name()),
            ("AuthPrincipalOwnerId", self.principal.account.to_string()),
        ]
    }

    const fn permission_type(&self) -> &'static str {
        if self.explicit { "ExplicitDeny" } else { "ImplicitDeny" }
    }
}

/// Makes the content of `EncodedDiagnosticMessage`: six fixed bytes, the time as four bytes of whole
/// seconds since the epoch, most significant first (held at the ends of their range), then the
/// request id as text. It points to the server's log and reveals nothing.
///
/// Source: RAM refusals.
#[must_use]
pub fn diagnostic_message(request_id: &str, now: Timestamp) -> Vec<u8> {
    let seconds = now.as_millis().div_euclid(1000).clamp(0, i64::from(u32::MAX));
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    let mut message = vec![1, 1, 0, 0, 0, 0];
    message.extend(seconds.to_be_bytes());
    message.extend(request_id.as_bytes());
    message
}

/// Allows the action on the resource, or says which layer refuses it.
///
/// The account itself is always allowed; policies do not bind it.
///
/// # Errors
/// [`Denied`] if a policy denies the action, or none that would have to allows it.
///
/// Source: `docs/requirements.md` D3 and D15, RAM order of evaluation.
pub fn authorize(
    principal: &Principal,
    policies: &Policies,
    action: &'static str,
    resource: Arn,
    context: &Context,
) -> Result<Authorized, Denied> {
    let identity = (Layer::Identity, policies.identity.as_slice());
    let session = (Layer::Session, policies.session.as_slice());
    let layers = if policies.session.is_some() { &[session, identity][..] } else { &[identity][..] };
    let decision = match principal.kind {
        PrincipalKind::Root => Decision::Allow,
        PrincipalKind::User { .. } | PrincipalKind::RoleSession { .. } => {
            evaluate(layers, action, &resource, context)
        }
    };
    conclude(decision, principal, action)?;
    Ok(Authorized::new(principal, action, resource))
}

/// Allows the caller to assume a role, if its own policies allow `sts:AssumeRole` on the role and the
/// role's trust policy trusts it.
///
/// # Errors
/// [`Denied`] by the caller's policies or, with [`Layer::Trust`], by the trust policy, which never
/// trusts an account itself.
///
/// Source: RAM identities.
pub fn authorize_assume_role(
    principal: &Principal,
    policies: &Policies,
    role: Arn,
    trust: &TrustPolicy,
    context: &Context,
) -> Result<Authorized, Denied> {
    let authorized = authorize(principal, policies, "sts:AssumeRole", role, context)?;
    conclude(trust.evaluate(principal, context), principal, authorized.action)?;
    Ok(authorized)
}

/// Allows `sts:GetCallerIdentity`, which needs no permission and answers even under a Deny: a caller
/// may always learn who it is.
///
/// Source: RAM identities.
#[must_use]
pub fn authorize_identity_call(principal: &Principal) -> Authorized {
    Authorized::new(principal, "sts:GetCallerIdentity", Arn::all("sts", &principal.account))
}

fn conclude(decision: Decision, principal: &Principal, action: &'static str) -> Result<(), Denied> {
    let (layer, explicit) = match decision {
        Decision::Allow => return Ok(()),
        Decision::ImplicitDeny(layer) => (layer, false),
        Decision::ExplicitDeny(layer) => (layer, true),
    };
    Err(Denied { action, principal: principal.clone(), layer, explicit })
}

//! Decides whether a caller may perform an action on a resource: the RAM policy engine.
//!
//! Policies are parsed once, strictly, when they are stored; a question is then answered without
//! input, output or failure. [`authorize()`] and its two siblings are the only makers of
//! [`Authorized`], which every decision asks for, so that nothing is decided for a caller whose
//! permission was not checked. Whether an image is within a caller's reach (owner, shares) is not
//! decided here.

mod arn;
mod authorize;
mod condition;
mod document;
mod evaluate;
mod glob;
mod policy;
mod principal;
mod trust;

#[cfg(test)]
mod tests;

pub use arn::Arn;
pub use authorize::{
    Authorized, Denied, Policies, authorize, authorize_assume_role, authorize_identity_call,
    diagnostic_message,
};
pub use condition::Context;
pub use document::PolicyError;
pub use evaluate::{Decision, Layer, evaluate};
pub use policy::{POLICY_BYTES_MAX, Policy, SESSION_POLICY_CHARS_MAX};
pub use principal::{Principal, PrincipalKind};
pub use trust::TrustPolicy;

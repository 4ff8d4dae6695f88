//! Answers one question from the policies of all layers.

use std::sync::Arc;

use super::arn::Arn;
use super::condition::Context;
use super::policy::{Effect, Policy};

/// Where a policy stands, and so what its silence means.
///
/// Source: RAM order of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Set above the account; limits what everybody in it may do.
    Control,
    /// Given with `AssumeRole`; limits what the role's own policies grant.
    Session,
    /// The policies of the user or role: the only ones that grant.
    Identity,
    /// The trust policy of a role: who may assume it.
    Trust,
}

impl Layer {
    /// Returns the `PolicyType` of a refusal by this layer.
    #[must_use]
    pub const fn policy_type(self) -> &'static str {
        match self {
            Self::Control => "ControlPolicy",
            Self::Session => "SessionPolicy",
            Self::Identity => "AccountLevelIdentityBasedPolicy",
            Self::Trust => "AssumeRolePolicy",
        }
    }

    fn grants(self) -> bool {
        self == Self::Identity
    }
}

/// The answer, and on a refusal the layer that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing denies it, every limiting layer allows it, and the identity layer grants it.
    Allow,
    /// Nothing denies it, but this layer does not allow it.
    ImplicitDeny(Layer),
    /// A statement of this layer denies it.
    ExplicitDeny(Layer),
}

/// Decides whether the policies allow the action on the resource.
///
/// A layer that is present limits even if it has no policies; leave out a layer that does not exist.
/// A matching Deny in any layer refuses; then the first limiting layer without a matching Allow
/// refuses; then an Allow of the identity layer grants. Deciding about several resources takes one
/// question each.
///
/// Source: RAM order of evaluation.
#[must_use]
pub fn evaluate(
    layers: &[(Layer, &[Arc<Policy>])],
    action: &str,
    resource: &Arn,
    context: &Context,
) -> Decision {
    let action = action.to_ascii_lowercase();
    let verdict = |policies: &[Arc<Policy>]| {
        let statements = policies.iter().flat_map(|policy| &policy.statements);
        let applying = statements.filter(|statement| statement.applies(&action, resource, context));
        applying.map(|statement| statement.effect).max()
    };
    let verdicts: Vec<(Layer, Option<Effect>)> =
        layers.iter().map(|(layer, policies)| (*layer, verdict(policies))).collect();

    let denying = verdicts.iter().find(|(_, effect)| *effect == Some(Effect::Deny));
    if let Some((layer, _)) = denying {
        return Decision::ExplicitDeny(*layer);
    }
    let silent = verdicts.iter().find(|(layer, effect)| !layer.grants() && effect.is_none());
    if let Some((layer, _)) = silent {
        return Decision::ImplicitDeny(*layer);
    }
    if verdicts.iter().any(|(layer, effect)| layer.grants() && effect.is_some()) {
        Decision::Allow
    } else {
        Decision::ImplicitDeny(Layer::Identity)
    }
}

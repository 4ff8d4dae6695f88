//! Trust policies of roles: who may assume them.

use super::condition::{self, Condition, Context};
use super::document::{self, Node, PolicyError};
use super::evaluate::{Decision, Layer};
use super::policy::{Effect, POLICY_BYTES_MAX};
use super::principal::Principal;

/// The trust policy of a role, checked.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    statements: Vec<Statement>,
}

/// One statement; `trusted` are ARNs without wildcards.
#[derive(Clone, Debug)]
struct Statement {
    effect: Effect,
    trusted: Vec<String>,
    conditions: Vec<Condition>,
}

impl TrustPolicy {
    /// Parses a trust policy: statements with `Effect`, the action `sts:AssumeRole`, a `Principal` of
    /// `RAM` and `Service` lists, and perhaps a `Condition`.
    ///
    /// A RAM principal is `acs:ram::ACCOUNT:root` (every user and role of that account), `user/NAME`
    /// or `role/NAME`, without wildcards. Services are accepted, and trusted in vain: none calls here.
    ///
    /// # Errors
    /// [`PolicyError`] if the text is longer than [`POLICY_BYTES_MAX`], is not JSON, or strays from
    /// this grammar.
    ///
    /// Source: RAM policy grammar.
    pub fn parse(document: &str) -> Result<Self, PolicyError> {
        let root = document::parse(document, document.len(), POLICY_BYTES_MAX, "bytes")?;
        let statements = document::statements(&Node::root(&root))?;
        Ok(Self { statements: statements.iter().map(Statement::parse).collect::<Result<_, _>>()? })
    }

    /// Decides whether the caller is trusted; refusals are of [`Layer::Trust`].
    ///
    /// It grants nothing alone: use [`super::authorize_assume_role`], which also asks the caller's
    /// own policies.
    #[must_use]
    pub fn evaluate(&self, caller: &Principal, context: &Context) -> Decision {
        let names = caller.trusted_as();
        let applying = self.statements.iter().filter(|statement| {
            statement.trusted.iter().any(|arn| names.contains(arn))
                && statement.conditions.iter().all(|condition| condition.holds(context))
        });
        match applying.map(|statement| statement.effect).max() {
            Some(Effect::Allow) => Decision::Allow,
            Some(Effect::Deny) => Decision::ExplicitDeny(Layer::Trust),
            None => Decision::ImplicitDeny(Layer::Trust),
        }
    }
}

impl Statement {
    fn parse(node: &Node<'_>) -> Result<Self, PolicyError> {
        node.allow_only(&["Effect", "Action", "Principal", "Condition"])?;
        for action in node.get("Action")?.one_or_many()? {
            if !action.text()?.eq_ignore_ascii_case("sts:AssumeRole") {
                return Err(action.expected("sts:AssumeRole"));
            }
        }
        Ok(Self {
            effect: Effect::parse(&node.get("Effect")?)?,
            trusted: trusted(&node.get("Principal")?)?,
            conditions: condition::parse_all(node)?,
        })
    }
}

fn trusted(principal: &Node<'_>) -> Result<Vec<String>, PolicyError> {
    principal.allow_only(&["RAM", "Service"])?;
    let (ram, service) = (principal.find("RAM"), principal.find("Service"));
    if ram.is_none() && service.is_none() {
        return Err(principal.refuse("RAM or Service must be given"));
    }
    for name in service.map_or(Ok(Vec::new()), |node| node.one_or_many())? {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if name.text()?.is_empty() || !name.text()?.bytes().all(allowed) {
            return Err(name.expected("a service such as ecs.aliyuncs.com"));
        }
    }
    let arns = ram.map_or(Ok(Vec::new()), |node| node.one_or_many())?;
    arns.iter().map(ram_identity).collect()
}

fn ram_identity(node: &Node<'_>) -> Result<String, PolicyError> {
    let text = node.text()?;
    let well_formed = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(':')).is_some_and(
        |(account, identity)| {
            let name = identity.strip_prefix("user/").or_else(|| identity.strip_prefix("role/"));
            !account.is_empty() && (identity == "root" || name.is_some_and(|name| !name.is_empty()))
        },
    );
    if well_formed && !text.contains(['*', '?']) {
        Ok(text.to_owned())
    } else {
        Err(node.expected("acs:ram::ACCOUNT:root, or a user or role of an account, without wildcards"))
    }
}

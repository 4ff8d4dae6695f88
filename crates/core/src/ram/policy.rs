//! Parses permission policies: those of users and roles, and session policies.

use super::arn::{Arn, ArnPattern};
use super::condition::{self, Condition, Context};
use super::document::{self, Node, PolicyError};
use super::glob;

/// The longest policy text, in bytes.
///
/// Source: RAM limits.
pub const POLICY_BYTES_MAX: usize = 6144;

/// The longest session policy, in characters.
///
/// Source: RAM limits.
pub const SESSION_POLICY_CHARS_MAX: usize = 2048;

const NAME_BYTES_MAX: usize = 128;

/// A permission policy that passed every check, ready to be evaluated.
///
/// It holds no more than its text did, and evaluating it cannot fail.
#[derive(Clone, Debug)]
pub struct Policy {
    name: String,
    pub(super) statements: Vec<Statement>,
}

impl Policy {
    /// Parses a policy of a user or role. The name is 1 to 128 letters, digits and `-`.
    ///
    /// # Errors
    /// [`PolicyError`] if the name is malformed, the text is longer than [`POLICY_BYTES_MAX`], is not
    /// JSON, or strays from the grammar anywhere: what would be ignored is refused instead, so that
    /// nobody relies on a line without effect.
    ///
    /// Source: RAM policy grammar and limits.
    pub fn parse(name: &str, document: &str) -> Result<Self, PolicyError> {
        let well_formed = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !well_formed {
            let problem =
                format!("expected 1 to 128 letters, digits and -, found {}", document::excerpt(name));
            return Err(PolicyError::new("policy name", problem));
        }
        let root = document::parse(document, document.len(), POLICY_BYTES_MAX, "bytes")?;
        Ok(Self { name: name.to_owned(), statements: statements(&Node::root(&root))? })
    }

    /// Parses a session policy, the parameter `Policy` of `AssumeRole`. Its name is `session`.
    ///
    /// # Errors
    /// As [`Policy::parse`], with the limit [`SESSION_POLICY_CHARS_MAX`].
    ///
    /// Source: RAM limits.
    pub fn parse_session(document: &str) -> Result<Self, PolicyError> {
        let chars = document.chars().count();
        let root = document::parse(document, chars, SESSION_POLICY_CHARS_MAX, "characters")?;
        Ok(Self { name: "session".to_owned(), statements: statements(&Node::root(&root))? })
    }

    /// Returns the name it was stored under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a statement does if it applies. `Deny` is the greater, since it outweighs any `Allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    Allow,
    Deny,
}

impl Effect {
    pub(super) fn parse(node: &Node<'_>) -> Result<Self, PolicyError> {
        match node.text()? {
            "Allow" => Ok(Self::Allow),
            "Deny" => Ok(Self::Deny),
            _ => Err(node.expected("\"Allow\" or \"Deny\"")),
        }
    }
}

/// One statement: its effect, and what it applies to.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) actions: Selection<String>,
    pub(super) resources: Selection<ArnPattern>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    fn parse(node: &Node<'_>) -> Result<Self, PolicyError> {
        node.allow_only(&["Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"])?;
        Ok(Self {
            effect: Effect::parse(&node.get("Effect")?)?,
            actions: Selection::parse(node, "Action", "NotAction", action)?,
            resources: Selection::parse(node, "Resource", "NotResource", resource)?,
            conditions: condition::parse_all(node)?,
        })
    }

    /// Says whether the statement is about this question. The action is in lower case.
    pub(super) fn applies(&self, action: &str, resource: &Arn, context: &Context) -> bool {
        self.actions.covers(|pattern| glob::matches(pattern, action))
            && self.resources.covers(|pattern| pattern.matches(resource))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

/// What any of the patterns matches or, if it is inverted (`NotAction`, `NotResource`), none of them.
#[derive(Clone, Debug)]
pub(super) struct Selection<T> {
    inverted: bool,
    pub(super) patterns: Vec<T>,
}

impl<T> Selection<T> {
    fn parse(
        statement: &Node<'_>,
        straight: &str,
        inverted: &str,
        item: fn(&Node<'_>) -> Result<T, PolicyError>,
    ) -> Result<Self, PolicyError> {
        let (node, inverted) = match (statement.find(straight), statement.find(inverted)) {
            (Some(node), None) => (node, false),
            (None, Some(node)) => (node, true),
            (None, None) | (Some(_), Some(_)) => {
                let problem = format!("exactly one of {straight} and {inverted} must be given");
                return Err(statement.refuse(problem));
            }
        };
        Ok(Self { inverted, patterns: node.one_or_many()?.iter().map(item).collect::<Result<_, _>>()? })
    }

    fn covers(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.inverted
    }
}

fn statements(root: &Node<'_>) -> Result<Vec<Statement>, PolicyError> {
    document::statements(root)?.iter().map(Statement::parse).collect()
}

/// Takes an action pattern, in lower case because actions are compared without case. The service may
/// have wildcards too: the vendor's own read-only policies say `*:Describe*`.
fn action(node: &Node<'_>) -> Result<String, PolicyError> {
    let word = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*?".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    };
    let text = node.text()?;
    let well_formed =
        text == "*" || text.split_once(':').is_some_and(|(service, name)| word(service) && word(name));
    if well_formed {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(node.expected("an action such as ens:DeleteImage, or *"))
    }
}

fn resource(node: &Node<'_>) -> Result<ArnPattern, PolicyError> {
    ArnPattern::parse(node.text()?)
        .ok_or_else(|| node.expected("a resource such as acs:ens:*:*:image/m-1, or *"))
}

//! Conditions of statements, and the facts of a call they are tested against.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;

use super::document::{Node, PolicyError, excerpt};
use super::glob;
use crate::time::Timestamp;

/// The facts about one call that conditions can ask for.
///
/// Source: RAM condition keys.
#[derive(Clone, Debug)]
pub struct Context {
    /// `acs:SourceIp`: the address of the caller. An IPv4 address mapped into IPv6 counts as IPv4.
    pub source_ip: Option<IpAddr>,
    /// `acs:SecureTransport`: whether the call came over TLS.
    pub secure_transport: bool,
    /// `acs:CurrentTime`: the time of the check, which conditions see in whole seconds.
    pub now: Timestamp,
    /// `acs:UserAgent`: the request header, its length bounded by the server.
    pub user_agent: Option<String>,
    /// `acs:PrincipalARN`: the name of the caller, as [`super::Principal::arn`] gives it.
    pub principal_arn: String,
    /// `acs:AccessId`: the id of the access key that signed the call.
    pub access_key_id: String,
    /// `sts:ExternalId`: what the caller of `AssumeRole` shows to the role's owner.
    pub external_id: Option<String>,
    /// `acs:RequestTag/KEY`: the tags that the request asks for, keys with values.
    pub request_tags: Vec<(String, String)>,
    /// `acs:ResourceTag/KEY`: the tags on the resource, keys with values.
    pub resource_tags: Vec<(String, String)>,
}

impl Context {
    fn value(&self, key: &Key) -> Option<Cow<'_, str>> {
        match key {
            Key::SourceIp => Some(self.source_ip?.to_canonical().to_string().into()),
            Key::SecureTransport => Some(self.secure_transport.to_string().into()),
            Key::CurrentTime => Some(self.now.to_string().into()),
            Key::UserAgent => Some(self.user_agent.as_deref()?.into()),
            Key::PrincipalArn => Some(self.principal_arn.as_str().into()),
            Key::AccessId => Some(self.access_key_id.as_str().into()),
            Key::ExternalId => Some(self.external_id.as_deref()?.into()),
            Key::RequestTag(name) => tag(&self.request_tags, name),
            Key::ResourceTag(name) => tag(&self.resource_tags, name),
            Key::Unknown => None,
        }
    }
}

fn tag<'a>(tags: &'a [(String, String)], name: &str) -> Option<Cow<'a, str>> {
    tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str().into())
}

/// One key tested by one operator.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    key: Key,
    negated: bool,
    test: Test,
}

impl Condition {
    /// Says whether the condition holds. What the call does not tell (a missing key, or a value of
    /// another kind than the operator's) fails a positive operator and passes a negated one, so that
    /// a Deny "unless from these addresses" also denies a caller without an address.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let hit = context.value(&self.key).and_then(|found| self.test.any(&found));
        hit.map_or(self.negated, |hit| hit != self.negated)
    }
}

/// Parses the optional member `Condition` of a statement. All conditions must hold.
pub(super) fn parse_all(statement: &Node<'_>) -> Result<Vec<Condition>, PolicyError> {
    let Some(node) = statement.find("Condition") else { return Ok(Vec::new()) };
    let mut conditions = Vec::new();
    for (name, operator) in node.entries()? {
        let (negated, kind) = kind(name).ok_or_else(|| unknown_operator(&node, name))?;
        let keys = operator.entries()?;
        if keys.is_empty() {
            return Err(operator.refuse("must not be empty"));
        }
        for (name, values) in keys {
            let key = Key::parse(name, &values)?;
            conditions.push(Condition { key, negated, test: Test::parse(kind, &values)? });
        }
    }
    Ok(conditions)
}

/// What an operator compares, and how. The expected value comes first; an ordering is that of the
/// found value against the expected one.
#[derive(Clone, Copy)]
enum Kind {
    Text(fn(&str, &str) -> bool),
    Number(fn(Ordering) -> bool),
    Date(fn(Ordering) -> bool),
    Bool,
    Address,
}

/// Returns the operator of this name: whether it is negated, and what it compares.
fn kind(operator: &str) -> Option<(bool, Kind)> {
    Some(match operator {
        "StringEquals" => (false, Kind::Text(str::eq)),
        "StringNotEquals" => (true, Kind::Text(str::eq)),
        "StringEqualsIgnoreCase" => (false, Kind::Text(equals_ignoring_case)),
        "StringNotEqualsIgnoreCase" => (true, Kind::Text(equals_ignoring_case)),
        "StringLike" => (false, Kind::Text(glob::matches)),
        "StringNotLike" => (true, Kind::Text(glob::matches)),
        "NumericEquals" => (false, Kind::Number(Ordering::is_eq)),
        "NumericNotEquals" => (true, Kind::Number(Ordering::is_eq)),
        "NumericLessThan" => (false, Kind::Number(Ordering::is_lt)),
        "NumericLessThanEquals" => (false, Kind::Number(Ordering::is_le)),
        "NumericGreaterThan" => (false, Kind::Number(Ordering::is_gt)),
        "NumericGreaterThanEquals" => (false, Kind::Number(Ordering::is_ge)),
        "DateEquals" => (false, Kind::Date(Ordering::is_eq)),
        "DateNotEquals" => (true, Kind::Date(Ordering::is_eq)),
        "DateLessThan" => (false, Kind::Date(Ordering::is_lt)),
        "DateLessThanEquals" => (false, Kind::Date(Ordering::is_le)),
        "DateGreaterThan" => (false, Kind::Date(Ordering::is_gt)),
        "DateGreaterThanEquals" => (false, Kind::Date(Ordering::is_ge)),
        "Bool" => (false, Kind::Bool),
        "IpAddress" => (false, Kind::Address),
        "NotIpAddress" => (true, Kind::Address),
        _ => return None,
    })
}

fn unknown_operator(condition: &Node<'_>, operator: &str) -> PolicyError {
    let problem = if operator == "Null" || operator.ends_with("IfExists") {
        "IfExists/Null is unsupported: operator"
    } else {
        "unknown operator"
    };
    condition.refuse(format!("{problem} {}", excerpt(operator)))
}

fn equals_ignoring_case(expected: &str, found: &str) -> bool {
    expected.to_lowercase() == found.to_lowercase()
}

const KEY_BYTES_MAX: usize = 128;

/// A condition key. `Unknown` stands for all that no call here carries: keys of other services, and
/// `acs:MFAPresent`, which is absent from calls signed with an access key.
#[derive(Clone, Debug)]
enum Key {
    SourceIp,
    SecureTransport,
    CurrentTime,
    UserAgent,
    PrincipalArn,
    AccessId,
    ExternalId,
    RequestTag(String),
    ResourceTag(String),
    Unknown,
}

impl Key {
    /// Takes a key. Case does not matter but in the name of a tag: the vendor's own pages also write
    /// `acs:SourceIP`, and a Deny must not be lost to a spelling.
    fn parse(text: &str, node: &Node<'_>) -> Result<Self, PolicyError> {
        if text.is_empty() || text.len() > KEY_BYTES_MAX {
            return Err(node.refuse(format!("a condition key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let (name, tag) = text.split_once('/').map_or((text, None), |(name, tag)| (name, Some(tag)));
        Ok(match (name.to_ascii_lowercase().as_str(), tag) {
            ("acs:sourceip", None) => Self::SourceIp,
            ("acs:securetransport", None) => Self::SecureTransport,
            ("acs:currenttime", None) => Self::CurrentTime,
            ("acs:useragent", None) => Self::UserAgent,
            ("acs:principalarn", None) => Self::PrincipalArn,
            ("acs:accessid", None) => Self::AccessId,
            ("sts:externalid", None) => Self::ExternalId,
            ("acs:requesttag", Some(tag)) => Self::RequestTag(tag.to_owned()),
            ("acs:resourcetag", Some(tag)) => Self::ResourceTag(tag.to_owned()),
            _ => Self::Unknown,
        })
    }
}

/// The values of one key with the comparison, parsed when the policy is, so that a policy with a
/// value that could never match is refused.
#[derive(Clone, Debug)]
enum Test {
    Text(fn(&str, &str) -> bool, Vec<String>),
    Number(fn(Ordering) -> bool, Vec<f64>),
    Date(fn(Ordering) -> bool, Vec<jiff::Timestamp>),
    Bool(Vec<bool>),
    Address(Vec<IpNet>),
}

impl Test {
    fn parse(kind: Kind, values: &Node<'_>) -> Result<Self, PolicyError> {
        let values = values.one_or_many()?;
        Ok(match kind {
            Kind::Text(holds) => {
                Self::Text(holds, each(&values, "a text", |value| value.as_str().map(str::to_owned))?)
            }
            Kind::Number(holds) => Self::Number(holds, each(&values, "a number", number_value)?),
            Kind::Date(holds) => {
                Self::Date(holds, each(&values, "a time with offset", |value| date(value.as_str()?))?)
            }
            Kind::Bool => Self::Bool(each(&values, "\"true\" or \"false\"", bool_value)?),
            Kind::Address => Self::Address(each(&values, "an IP address or a CIDR block", |value| {
                network(value.as_str()?)
            })?),
        })
    }

    /// Says whether the found value meets any of the expected ones; nothing if it is of another kind.
    fn any(&self, found: &str) -> Option<bool> {
        Some(match self {
            Self::Text(holds, values) => values.iter().any(|expected| holds(expected, found)),
            Self::Number(holds, values) => {
                let found = number(found)?;
                values.iter().filter_map(|expected| found.partial_cmp(expected)).any(holds)
            }
            Self::Date(holds, values) => {
                let found = date(found)?;
                values.iter().any(|expected| holds(found.cmp(expected)))
            }
            Self::Bool(values) => values.contains(&found.parse().ok()?),
            Self::Address(values) => {
                let found: IpAddr = found.parse().ok()?;
                values.iter().any(|expected| expected.contains(&found))
            }
        })
    }
}

fn each<T>(
    values: &[Node<'_>],
    what: &str,
    parse: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, PolicyError> {
    values.iter().map(|node| parse(node.value()).ok_or_else(|| node.expected(what))).collect()
}

fn number_value(value: &Value) -> Option<f64> {
    if value.is_number() { number(&value.to_string()) } else { number(value.as_str()?) }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn bool_value(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

/// Takes an address or a block. A block of mapped IPv4 addresses becomes one of IPv4, the form in
/// which addresses are compared.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse().map(IpAddr::into)).ok()?;
    let IpNet::V6(six) = network else { return Some(network) };
    let Some(four) = six.addr().to_ipv4_mapped() else { return Some(network) };
    let Some(prefix) = six.prefix_len().checked_sub(96) else { return Some(network) };
    Ipv4Net::new(four, prefix).ok().map(IpNet::V4)
}

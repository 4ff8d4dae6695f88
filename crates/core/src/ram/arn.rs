//! Names of resources: of the one a call is about, and the patterns for them in policies.

use std::fmt;

use super::glob;
use crate::ids::AccountId;

/// The resource of one call, named by the server and never taken from a request.
///
/// Prints as `acs:SERVICE:REGION:ACCOUNT:RELATIVE-ID`. No resource here is bound to a region, so the
/// region is `*`, or empty for `ram`, whose resources are global.
///
/// Source: RAM policy matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn {
    service: &'static str,
    account: AccountId,
    relative_id: String,
}

impl Arn {
    /// Names everything of one service in an account, for operations whose declared resource is `*`.
    ///
    /// Its relative id is the character `*` itself: the patterns `*` and `acs:ens:*:*:*` match it,
    /// `acs:ens:*:*:image/*` does not.
    #[must_use]
    pub fn all(service: &'static str, account: &AccountId) -> Self {
        Self { service, account: account.clone(), relative_id: "*".to_owned() }
    }

    /// Names one thing: `image` and `m-1` become `acs:ens:*:ACCOUNT:image/m-1`.
    #[must_use]
    pub fn of(service: &'static str, account: &AccountId, kind: &str, id: &str) -> Self {
        Self { service, account: account.clone(), relative_id: format!("{kind}/{id}") }
    }

    pub(super) fn covers(&self, kind: &str, id: &str) -> bool {
        self.relative_id == "*" || self.relative_id.split_once('/') == Some((kind, id))
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = if self.service == "ram" { "" } else { "*" };
        write!(f, "acs:{}:{region}:{}:{}", self.service, self.account, self.relative_id)
    }
}

/// A resource in a policy: `*`, or five segments of which four may have wildcards.
#[derive(Clone, Debug)]
pub(super) enum ArnPattern {
    Any,
    Segments { service: String, region: String, account: String, relative_id: String },
}

impl ArnPattern {
    /// Takes a pattern from a policy; nothing if the text has too few segments, does not begin with
    /// `acs`, or has an empty service or relative id, with which it could never match.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let mut segments = text.strip_prefix("acs:")?.splitn(4, ':').map(str::to_owned);
        let (service, region) = (segments.next()?, segments.next()?);
        let (account, relative_id) = (segments.next()?, segments.next()?);
        let complete = !service.is_empty() && !relative_id.is_empty();
        complete.then_some(Self::Segments { service, region, account, relative_id })
    }

    /// Compares segment by segment and with case, so that no wildcard reaches across a colon into
    /// the account. A pattern for one region only never matches, since no resource has a region.
    pub(super) fn matches(&self, arn: &Arn) -> bool {
        match self {
            Self::Any => true,
            Self::Segments { service, region, account, relative_id } => {
                glob::matches(service, arn.service)
                    && (region.is_empty() || glob::matches(region, "*"))
                    && glob::matches(account, arn.account.as_str())
                    && glob::matches(relative_id, &arn.relative_id)
            }
        }
    }
}

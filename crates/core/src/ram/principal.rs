//! Who is asking.

use crate::ids::AccountId;

/// A proven caller: an account, or somebody who acts for it.
///
/// Source: RAM identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account the caller belongs to.
    pub account: AccountId,
    /// Who in the account it is.
    pub kind: PrincipalKind,
}

/// Who in an account is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The account itself, which policies do not bind.
    Root,
    /// A RAM user.
    User {
        /// The name, as in its ARN.
        name: String,
        /// The id, as refusals show it.
        id: String,
    },
    /// Somebody who assumed a role.
    RoleSession {
        /// The name of the role.
        role: String,
        /// The name that was given to the session.
        session: String,
    },
}

impl Principal {
    /// Returns the ARN, such as `acs:ram::1000000000000001:user/ci`.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.kind {
            PrincipalKind::Root => self.named("root"),
            PrincipalKind::User { name, .. } => self.named(&format!("user/{name}")),
            PrincipalKind::RoleSession { role, session } => {
                self.named(&format!("assumed-role/{role}/{session}"))
            }
        }
    }

    /// Returns the `AuthPrincipalType` of a refusal. The word for the account itself is ours: the
    /// vendor names none, since only `AssumeRole` ever refuses it.
    #[must_use]
    pub const fn principal_type(&self) -> &'static str {
        match self.kind {
            PrincipalKind::Root => "Account",
            PrincipalKind::User { .. } => "SubUser",
            PrincipalKind::RoleSession { .. } => "AssumedRoleUser",
        }
    }

    /// Returns the `AuthPrincipalDisplayName` of a refusal: the user id, `role:session`, or the
    /// account id.
    #[must_use]
    pub fn display_name(&self) -> String {
        match &self.kind {
            PrincipalKind::Root => self.account.to_string(),
            PrincipalKind::User { id, .. } => id.clone(),
            PrincipalKind::RoleSession { role, session } => format!("{role}:{session}"),
        }
    }

    /// Returns the ARNs by which a trust policy may name this caller: its account, and the user or
    /// role. The account itself has none, since it cannot assume roles.
    pub(super) fn trusted_as(&self) -> Vec<String> {
        let identity = match &self.kind {
            PrincipalKind::Root => return Vec::new(),
            PrincipalKind::User { name, .. } => format!("user/{name}"),
            PrincipalKind::RoleSession { role, .. } => format!("role/{role}"),
        };
        vec![self.named("root"), self.named(&identity)]
    }

    fn named(&self, relative_id: &str) -> String {
        format!("acs:ram::{}:{relative_id}", self.account)
    }
}

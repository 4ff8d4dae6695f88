//! The refusals of STS: the only place where its wire codes are written.

use calotype_core::assume_role::AssumeRefusal;
use calotype_core::ram::{Denied, PrincipalKind};
use calotype_store::db::StoreError;

use crate::products::{Call, access_denied};
use crate::service::ServiceError;
use crate::wire::fault::{ANY_NAME, ErrorRow, Fault, GatewayError};

/// The parameters of AssumeRole that can be missing or wrongly formed.
const PARAMETERS: [&str; 4] = ["ExternalId", "Policy", "RoleArn", "RoleSessionName"];

/// Why an operation of STS was not done, in the order of its document.
#[derive(Debug, thiserror::Error)]
pub enum StsError {
    /// A parameter that must be there is not.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// The session is shorter or longer than it may be.
    #[error("the session has another length than it may have")]
    Duration {
        /// The longest session of the role, in seconds.
        longest_s: i64,
    },
    /// A parameter is not written as it should be.
    #[error("the parameter {0} is wrongly formed")]
    WronglyFormed(&'static str),
    /// The session policy cannot be read.
    #[error("the session policy cannot be read")]
    PolicyGrammar,
    /// The session policy is too long.
    #[error("the session policy is too long")]
    PolicySize,
    /// A policy refuses.
    #[error("denied by RAM")]
    Denied(Box<Denied>),
    /// Accounts themselves assume no roles.
    #[error("an account assumes no roles")]
    DeniedToAccount(Box<Denied>),
    /// There is no such role.
    #[error("no such role")]
    NoRole,
    /// The request was seen before.
    #[error("the request was seen before")]
    Replayed,
    /// The store did not do its part.
    #[error("the store failed")]
    Store(StoreError),
}

impl StsError {
    /// One of each in their order, for whoever lists or imitates them: those of a parameter under this name, if
    /// AssumeRole has it.
    #[must_use]
    pub fn every(name: &str, denied: &Denied) -> Vec<Self> {
        let name = PARAMETERS.into_iter().find(|parameter| *parameter == name).unwrap_or(ANY_NAME);
        vec![
            Self::Missing(name),
            Self::Duration { longest_s: 3_600 },
            Self::WronglyFormed(name),
            Self::PolicyGrammar,
            Self::PolicySize,
            Self::Denied(Box::new(denied.clone())),
            Self::DeniedToAccount(Box::new(denied.clone())),
            Self::NoRole,
            Self::Replayed,
            Self::Store(StoreError::Unavailable("told so".into())),
            Self::Store(StoreError::Corrupt("told so".to_owned())),
        ]
    }

    /// What the caller sees.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::Missing(name) => GatewayError::Missing { name }.row(),
            Self::Duration { longest_s } => ErrorRow {
                status: 400,
                code: "InvalidParameter.DurationSeconds".into(),
                message: format!("The Min/Max value of DurationSeconds is 15min/{}.", length(*longest_s))
                    .into(),
            },
            Self::WronglyFormed(name) => ErrorRow {
                status: 400,
                code: format!("InvalidParameter.{name}").into(),
                message: format!("The parameter {name} is wrongly formed.").into(),
            },
            Self::PolicyGrammar => ErrorRow::fixed(
                400,
                "InvalidParameter.PolicyGrammar",
                "The parameter Policy has not passed grammar check.",
            ),
            Self::PolicySize => ErrorRow::fixed(
                400,
                "InvalidParameter.PolicySize",
                "The size of Policy must be smaller than 2048 bytes.",
            ),
            Self::Denied(_) => ErrorRow::fixed(
                403,
                "NoPermission",
                "You are not authorized to do this action. You should be authorized by RAM.",
            ),
            Self::DeniedToAccount(_) => {
                ErrorRow::fixed(403, "NoPermission", "Roles may not be assumed by root accounts.")
            }
            Self::NoRole => ErrorRow::fixed(404, "EntityNotExist.Role", "The specified Role not exists."),
            Self::Replayed => GatewayError::SignatureNonceUsed.row(),
            Self::Store(StoreError::Corrupt(_)) => GatewayError::InternalError.row(),
            Self::Store(StoreError::Conflict | StoreError::Spent | StoreError::Unavailable(_)) => {
                GatewayError::ServiceUnavailable.row()
            }
        }
    }

    /// The fault that the caller sees, with the inner cause for the log.
    pub(in crate::products) fn into_fault(self, call: &Call<'_>) -> Fault {
        let fault = Fault::new(self.row());
        match self {
            Self::Denied(denied) | Self::DeniedToAccount(denied) => {
                fault.with_access_denied(access_denied(&denied, call))
            }
            Self::Store(error) => fault.with_source(error),
            Self::Missing(_)
            | Self::Duration { .. }
            | Self::WronglyFormed(_)
            | Self::PolicyGrammar
            | Self::PolicySize
            | Self::NoRole
            | Self::Replayed => fault,
        }
    }
}

/// A length of time, in the words of the document.
fn length(seconds: i64) -> String {
    if seconds % 3_600 == 0 { format!("{}hr", seconds / 3_600) } else { format!("{}min", seconds / 60) }
}

impl From<ServiceError<AssumeRefusal>> for StsError {
    fn from(error: ServiceError<AssumeRefusal>) -> Self {
        match error {
            ServiceError::Denied(denied) => match denied.principal().kind {
                PrincipalKind::Root => Self::DeniedToAccount(denied),
                PrincipalKind::User { .. } | PrincipalKind::RoleSession { .. } => Self::Denied(denied),
            },
            ServiceError::Replayed => Self::Replayed,
            ServiceError::Refused(AssumeRefusal::NoRole) => Self::NoRole,
            ServiceError::Refused(AssumeRefusal::Duration { longest_s }) => Self::Duration { longest_s },
            ServiceError::Store(error) => Self::Store(error),
        }
    }
}

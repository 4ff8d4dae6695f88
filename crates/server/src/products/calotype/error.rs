//! The refusals of our own API.

use std::borrow::Cow;

use calotype_core::image::NotChangeable;
use calotype_core::ram::Denied;
use calotype_core::restore_image::{Lost, RestoreRefusal};
use calotype_store::db::StoreError;
use serde_json::{Value, json};

use crate::products::{Call, access_denied};
use crate::service::ServiceError;
use crate::service::publish_image::PublishRefusal;
use crate::wire::fault::{ErrorRow, Fault, GatewayError};
use crate::wire::params::InvalidParameter;

/// Why an operation of our own API was not done.
#[derive(Debug, thiserror::Error)]
pub enum CalotypeError {
    /// A parameter that must be there is not.
    #[error("a parameter is missing")]
    MissingParameter,
    /// A parameter is malformed or out of bounds.
    #[error("the parameter {0} is invalid")]
    InvalidParameter(Cow<'static, str>),
    /// There is no such deletion.
    #[error("no such deletion")]
    DeletionNotExist,
    /// The image does not come back.
    #[error("not restored")]
    NotRestored(RestoreRefusal),
    /// There is no such image.
    #[error("no such image")]
    ImageNotExist,
    /// The image is not the caller's own.
    #[error("not the caller's own")]
    NotOwner,
    /// The image is not available.
    #[error("the image is not available")]
    NotAvailable,
    /// The image was derived from one that is deleted.
    #[error("the parent is gone")]
    ParentNotExist,
    /// A policy refuses.
    #[error("denied by RAM")]
    Denied(Box<Denied>),
    /// The request was seen before.
    #[error("the request was seen before")]
    Replayed,
    /// The store did not do its part.
    #[error("the store failed")]
    Store(StoreError),
}

impl CalotypeError {
    /// The refusal of a parameter.
    pub(super) fn invalid(name: &'static str) -> Self {
        Self::InvalidParameter(name.into())
    }

    /// One of each in their order, for whoever lists or imitates them: that of a parameter under this name.
    #[must_use]
    pub fn every(name: &str, denied: &Denied) -> Vec<Self> {
        vec![
            Self::MissingParameter,
            Self::InvalidParameter(name.to_owned().into()),
            Self::DeletionNotExist,
            Self::NotRestored(RestoreRefusal::Restored),
            Self::NotRestored(RestoreRefusal::GraceOver),
            Self::NotRestored(RestoreRefusal::Lost(Vec::new())),
            Self::ImageNotExist,
            Self::NotOwner,
            Self::NotAvailable,
            Self::ParentNotExist,
            Self::Denied(Box::new(denied.clone())),
            Self::Replayed,
            Self::Store(StoreError::Unavailable("told so".into())),
            Self::Store(StoreError::Corrupt("told so".to_owned())),
        ]
    }

    /// What the caller sees.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::MissingParameter => GatewayError::MissingParameter.row(),
            Self::InvalidParameter(name) => ErrorRow {
                status: 400,
                code: format!("InvalidParameter.{name}").into(),
                message: format!("The parameter {name} is invalid.").into(),
            },
            Self::DeletionNotExist | Self::NotRestored(RestoreRefusal::NotFound) => {
                ErrorRow::fixed(400, "Deletion.NotExist", "The deletion does not exist.")
            }
            Self::NotRestored(RestoreRefusal::Restored) => {
                ErrorRow::fixed(400, "Deletion.Restored", "The image was restored already.")
            }
            Self::NotRestored(RestoreRefusal::GraceOver) => {
                ErrorRow::fixed(400, "Deletion.GraceOver", "The grace period of the deletion is over.")
            }
            Self::NotRestored(RestoreRefusal::Lost(_)) => ErrorRow::fixed(
                400,
                "Deletion.NotRestorable",
                "Part of what was deleted can no longer come back.",
            ),
            Self::ImageNotExist => ErrorRow::fixed(400, "Image.NotExist", "The image does not exist."),
            Self::NotOwner => ErrorRow::fixed(403, "Image.NotOwner", "The image belongs to another account."),
            Self::NotAvailable => ErrorRow::fixed(400, "Image.NotAvailable", "The image is not available."),
            Self::ParentNotExist => {
                ErrorRow::fixed(400, "Image.ParentNotExist", "The parent of the image does not exist.")
            }
            Self::Denied(_) => GatewayError::NoPermission.row(),
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
            Self::Denied(denied) => fault.with_access_denied(access_denied(&denied, call)),
            Self::Store(error) => fault.with_source(error),
            Self::NotRestored(RestoreRefusal::Lost(lost)) => {
                let lost = lost.iter().map(render_lost).collect::<Vec<_>>();
                fault.with_extra(vec![("Lost", lost.into())])
            }
            Self::MissingParameter
            | Self::InvalidParameter(_)
            | Self::DeletionNotExist
            | Self::NotRestored(_)
            | Self::ImageNotExist
            | Self::NotOwner
            | Self::NotAvailable
            | Self::ParentNotExist
            | Self::Replayed => fault,
        }
    }
}

impl<R: Into<CalotypeError>> From<ServiceError<R>> for CalotypeError {
    fn from(error: ServiceError<R>) -> Self {
        match error {
            ServiceError::Denied(denied) => Self::Denied(denied),
            ServiceError::Replayed => Self::Replayed,
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => Self::Store(error),
        }
    }
}

impl From<RestoreRefusal> for CalotypeError {
    fn from(refusal: RestoreRefusal) -> Self {
        Self::NotRestored(refusal)
    }
}

impl From<InvalidParameter> for CalotypeError {
    fn from(invalid: InvalidParameter) -> Self {
        Self::InvalidParameter(invalid.name.into())
    }
}

fn render_lost(lost: &Lost) -> Value {
    let (kind, id, clear) = match lost {
        Lost::Region(region) => ("Region", region.as_str(), ""),
        Lost::Parent(parent) => ("ParentImage", parent.as_str(), "Restore it first."),
    };
    json!({ "Clear": clear, "Id": id, "Kind": kind })
}

impl From<PublishRefusal> for CalotypeError {
    fn from(refusal: PublishRefusal) -> Self {
        match refusal {
            PublishRefusal::Image(NotChangeable::NotFound) => Self::ImageNotExist,
            PublishRefusal::Image(NotChangeable::NotOwner) => Self::NotOwner,
            PublishRefusal::ParentGone => Self::ParentNotExist,
            PublishRefusal::Image(NotChangeable::Making) | PublishRefusal::Unusable(_) => Self::NotAvailable,
        }
    }
}

impl From<std::convert::Infallible> for CalotypeError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

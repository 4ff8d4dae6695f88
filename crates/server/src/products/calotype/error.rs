//! The refusals of our own API.

use calotype_core::image::NotChangeable;
use calotype_core::ram::Denied;
use calotype_store::db::StoreError;

use crate::products::{Call, access_denied};
use crate::service::ServiceError;
use crate::service::publish_image::PublishRefusal;
use crate::wire::fault::{ErrorRow, Fault, GatewayError};

/// Why an operation of our own API was not done.
#[derive(Debug, thiserror::Error)]
pub enum CalotypeError {
    /// A parameter that must be there is not.
    #[error("a parameter is missing")]
    MissingParameter,
    /// The image id is malformed.
    #[error("the image id is malformed")]
    InvalidImageId,
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
    /// What the caller sees.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::MissingParameter => GatewayError::MissingParameter.row(),
            Self::InvalidImageId => {
                ErrorRow::fixed(400, "InvalidParameter.ImageId", "The parameter ImageId is invalid.")
            }
            Self::ImageNotExist => ErrorRow::fixed(400, "Image.NotExist", "The image does not exist."),
            Self::NotOwner => ErrorRow::fixed(403, "Image.NotOwner", "The image belongs to another account."),
            Self::NotAvailable => ErrorRow::fixed(400, "Image.NotAvailable", "The image is not available."),
            Self::ParentNotExist => {
                ErrorRow::fixed(400, "Image.ParentNotExist", "The parent of the image does not exist.")
            }
            Self::Denied(_) => GatewayError::NoPermission.row(),
            Self::Replayed => GatewayError::SignatureNonceUsed.row(),
            Self::Store(StoreError::Corrupt(_)) => GatewayError::InternalError.row(),
            Self::Store(StoreError::Conflict | StoreError::Unavailable(_)) => {
                GatewayError::ServiceUnavailable.row()
            }
        }
    }

    /// The fault that the caller sees, with the inner cause for the log.
    pub(super) fn into_fault(self, call: &Call<'_>) -> Fault {
        let fault = Fault::new(self.row());
        match self {
            Self::Denied(denied) => fault.with_access_denied(access_denied(&denied, call)),
            Self::Store(error) => fault.with_source(error),
            Self::MissingParameter
            | Self::InvalidImageId
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

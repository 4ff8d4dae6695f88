//! The refusals of ECD: the only place where its wire codes are written.

use std::borrow::Cow;
use std::convert::Infallible;

use calotype_core::delete_image::DeleteRefusal;
use calotype_core::distribute_image::DistributeRefusal;
use calotype_core::image::{NotChangeable, Unusable};
use calotype_core::ram::Denied;
use calotype_core::share_image::ShareRefusal;
use calotype_core::template::TemplateRefusal;
use calotype_store::db::StoreError;

use crate::products::{Call, access_denied};
use crate::service::ServiceError;
use crate::service::delete_bundles::NoBundle;
use crate::service::delete_image::{DeleteImageError, TemplateStep};
use crate::service::delete_images::DeleteImagesError;
use crate::wire::fault::{ErrorRow, Fault, GatewayError};
use crate::wire::params::InvalidParameter;

/// Why an ECD operation was not done. No error table of ECD is public; what deletes answer is the table of
/// App Streaming's `DeleteImage`, the rest is a proposal.
#[derive(Debug, thiserror::Error)]
pub enum EcdError {
    /// A parameter that must be there is not.
    #[error("a parameter is missing")]
    MissingParameter,
    /// A parameter cannot be what it is.
    #[error("parameter {0} is invalid")]
    InvalidParameter(Cow<'static, str>),
    /// A policy refuses.
    #[error("denied by RAM")]
    Denied(Box<Denied>),
    /// The thing is not the caller's to change.
    #[error("not the caller's own")]
    NotOwner,
    /// There is no such image (D33).
    #[error("no such image")]
    ImageNotExist,
    /// There is no such template, or one of an image vanished (D41).
    #[error("no such template")]
    TemplateNotFound,
    /// The image is public, or another account's community image (D34).
    #[error("the image is public")]
    NotAllow,
    /// Community images were derived from the image (D35).
    #[error("community images were derived from the image")]
    CommunityParent,
    /// The image is shared to the caller (D36).
    #[error("the image is shared to the caller")]
    SharedIn,
    /// Groups, workstations or bundles use the image (D37).
    #[error("the image is in use")]
    InUse,
    /// The image is being made or copied (D38).
    #[error("the image is being made")]
    Creating,
    /// The templates of the image could not be deleted (D39).
    #[error("the templates could not be deleted")]
    DeleteTemplate(#[source] StoreError),
    /// The templates of the image could not be looked up (D40).
    #[error("the templates could not be looked up")]
    QueryTemplate(#[source] StoreError),
    /// The owner shares the image (D42).
    #[error("the image is shared with others")]
    SharedOut,
    /// The request was seen before.
    #[error("the request was seen before")]
    Replayed,
    /// The store did not do its part.
    #[error("the store failed")]
    Store(StoreError),
}

const fn bad(code: &'static str, message: &'static str) -> ErrorRow {
    ErrorRow::fixed(400, code, message)
}

const SHARED: &str = "The shared image is not allowed to be deleted.";

impl EcdError {
    /// The parameter of this name cannot be what it is.
    #[must_use]
    pub const fn invalid(name: &'static str) -> Self {
        Self::InvalidParameter(Cow::Borrowed(name))
    }

    /// One of each in their order, for whoever lists or imitates them: that of a parameter under this name.
    #[must_use]
    pub fn every(name: &str, denied: &Denied) -> Vec<Self> {
        let away = || StoreError::Unavailable("told so".into());
        vec![
            Self::MissingParameter,
            Self::InvalidParameter(name.to_owned().into()),
            Self::Denied(Box::new(denied.clone())),
            Self::NotOwner,
            Self::ImageNotExist,
            Self::TemplateNotFound,
            Self::NotAllow,
            Self::CommunityParent,
            Self::SharedIn,
            Self::InUse,
            Self::Creating,
            Self::DeleteTemplate(away()),
            Self::QueryTemplate(away()),
            Self::SharedOut,
            Self::Replayed,
            Self::Store(StoreError::Unavailable("told so".into())),
            Self::Store(StoreError::Corrupt("told so".to_owned())),
        ]
    }

    /// What the caller sees: status, code and message.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::MissingParameter => GatewayError::MissingParameter.row(),
            Self::InvalidParameter(name) => ErrorRow {
                status: 400,
                code: format!("InvalidParameter.{name}").into(),
                message: format!("The parameter {name} is invalid.").into(),
            },
            Self::Denied(_) | Self::NotOwner => GatewayError::NoPermission.row(),
            Self::ImageNotExist => bad("Image.NotExist", "The image does not exist."),
            Self::TemplateNotFound => bad("InvalidTemplate.NotFound", "Template not found."),
            Self::NotAllow => bad("ImageDeleteFailed.NotAllow", "The image is not allowed to be deleted."),
            Self::CommunityParent => bad(
                "ImageDeleteFailed.NotAllowCommunityParent",
                "The parent image of a community image is not allowed to be deleted.",
            ),
            Self::SharedIn => bad("ImageDeleteFailed.NotAllowSharedImage", SHARED),
            Self::InUse => bad(
                "ImageNotAllowDelete",
                "The image cannot be deleted, because shared cloud computers already exist.",
            ),
            Self::Creating => {
                bad("InvalidImageOperation.ImageIsCreating", "Failed to operation the image, it is creating.")
            }
            Self::DeleteTemplate(_) => bad("DeleteTemplate.Failed", "Delete template failed."),
            Self::QueryTemplate(_) => bad("QueryTemplate.Failed", "Query template failed."),
            Self::SharedOut => bad("ImageDeleteFailed.HasSharedImage", SHARED),
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
            Self::DeleteTemplate(error) | Self::QueryTemplate(error) | Self::Store(error) => {
                fault.with_source(error)
            }
            Self::MissingParameter
            | Self::InvalidParameter(_)
            | Self::NotOwner
            | Self::ImageNotExist
            | Self::TemplateNotFound
            | Self::NotAllow
            | Self::CommunityParent
            | Self::SharedIn
            | Self::InUse
            | Self::Creating
            | Self::SharedOut
            | Self::Replayed => fault,
        }
    }
}

impl<R: Into<EcdError>> From<ServiceError<R>> for EcdError {
    fn from(error: ServiceError<R>) -> Self {
        match error {
            ServiceError::Denied(denied) => Self::Denied(denied),
            ServiceError::Replayed => Self::Replayed,
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Infallible> for EcdError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<InvalidParameter> for EcdError {
    fn from(invalid: InvalidParameter) -> Self {
        Self::InvalidParameter(invalid.name.into())
    }
}

impl From<TemplateRefusal> for EcdError {
    fn from(refusal: TemplateRefusal) -> Self {
        match refusal {
            TemplateRefusal::NotFound => Self::TemplateNotFound,
            TemplateRefusal::Image(Unusable::NotFound) => Self::ImageNotExist,
            TemplateRefusal::Image(Unusable::NotAvailable) => Self::Creating,
            TemplateRefusal::SystemDiskTooSmall => Self::invalid("SystemDiskSize"),
        }
    }
}

impl From<NoBundle> for EcdError {
    fn from(_: NoBundle) -> Self {
        Self::invalid("BundleId")
    }
}

impl From<NotChangeable> for EcdError {
    fn from(refusal: NotChangeable) -> Self {
        match refusal {
            NotChangeable::NotFound => Self::ImageNotExist,
            NotChangeable::NotOwner => Self::NotOwner,
            NotChangeable::Making => Self::Creating,
        }
    }
}

impl From<DistributeRefusal> for EcdError {
    fn from(refusal: DistributeRefusal) -> Self {
        match refusal {
            DistributeRefusal::Image(refusal) => refusal.into(),
            DistributeRefusal::NoVersion => Self::ImageNotExist,
            // The image is not in the region that is named.
            DistributeRefusal::NoSource => Self::invalid("RegionId"),
        }
    }
}

impl From<ShareRefusal> for EcdError {
    fn from(refusal: ShareRefusal) -> Self {
        match refusal {
            ShareRefusal::NotFound => Self::ImageNotExist,
            ShareRefusal::NotOwner | ShareRefusal::Public => Self::NotOwner,
            ShareRefusal::WithOwner | ShareRefusal::TooMany => Self::invalid("AddAccount"),
        }
    }
}

impl From<DeleteImagesError> for EcdError {
    fn from(error: DeleteImagesError) -> Self {
        match error {
            DeleteImagesError::Image(error) => error.into(),
            DeleteImagesError::Bundled(_) => Self::InUse,
        }
    }
}

impl From<DeleteImageError> for EcdError {
    fn from(error: DeleteImageError) -> Self {
        match error {
            DeleteImageError::Denied(denied) => Self::Denied(denied),
            DeleteImageError::Replayed => Self::Replayed,
            DeleteImageError::Refused(refusal) => refusal.into(),
            DeleteImageError::Templates(TemplateStep::Query, Some(error)) => Self::QueryTemplate(error),
            DeleteImageError::Templates(TemplateStep::Delete, Some(error)) => Self::DeleteTemplate(error),
            DeleteImageError::Templates(..) => Self::TemplateNotFound,
            DeleteImageError::Store(error) => Self::Store(error),
        }
    }
}

impl From<DeleteRefusal> for EcdError {
    fn from(refusal: DeleteRefusal) -> Self {
        match refusal {
            DeleteRefusal::NotFound => Self::ImageNotExist,
            DeleteRefusal::SharedIn => Self::SharedIn,
            DeleteRefusal::Public => Self::NotAllow,
            DeleteRefusal::Making(_) | DeleteRefusal::Exporting(_) => Self::Creating,
            DeleteRefusal::SharedOut(_) => Self::SharedOut,
            DeleteRefusal::CommunityParent(_) => Self::CommunityParent,
            DeleteRefusal::CreatedUse(_) | DeleteRefusal::SwitchedUse(_) => Self::InUse,
        }
    }
}

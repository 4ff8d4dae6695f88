//! The refusals of App Streaming: the only place where its wire codes are written.

use std::borrow::Cow;
use std::convert::Infallible;

use calotype_core::delete_image::DeleteRefusal;
use calotype_core::distribute_image::DistributeRefusal;
use calotype_core::image::{NotChangeable, Unusable};
use calotype_core::instance::InstanceRefusal;
use calotype_core::ram::Denied;
use calotype_core::reinit_instance::ReinitRefusal;
use calotype_store::db::StoreError;
use serde_json::json;

use crate::products::{Call, access_denied};
use crate::service::ServiceError;
use crate::service::create_derived_image::DeriveRefusal;
use crate::service::delete_image::{DeleteImageError, TemplateStep};
use crate::service::run_instances::RunRefusal;
use crate::wire::fault::{ErrorRow, Fault, GatewayError};
use crate::wire::params::InvalidParameter;

/// Why an App Streaming operation was not done. The first twelve are the table of `DeleteImage`.
#[derive(Debug, thiserror::Error)]
pub enum AppStreamError {
    /// Something failed that should not (D32).
    #[error("a row is corrupt")]
    Internal(#[source] StoreError),
    /// There is no such image (D28, D33).
    #[error("no such image")]
    ImageNotExist,
    /// The image is public, or another account's community image (D34).
    #[error("the image is public")]
    NotAllow,
    /// Community images were derived from the image (D35).
    #[error("community images were derived from the image")]
    CommunityParent,
    /// The image is shared to the caller (D36).
    #[error("the image is shared to the caller")]
    SharedIn,
    /// Groups or workstations use the image (D37).
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
    /// A template of the image vanished (D41).
    #[error("a template vanished")]
    TemplateNotFound,
    /// The owner shares the image (D42).
    #[error("the image is shared with others")]
    SharedOut,
    /// The store is away (D43).
    #[error("the store is away")]
    Unavailable(#[source] StoreError),
    /// A parameter cannot be what it is.
    #[error("parameter {0} is invalid")]
    InvalidParameter(Cow<'static, str>),
    /// The thing is in another state.
    #[error("the thing is in another state")]
    IncorrectStatus,
    /// A policy refuses.
    #[error("denied by RAM")]
    Denied(Box<Denied>),
    /// The request was seen before.
    #[error("the request was seen before")]
    Replayed,
}

const fn bad(code: &'static str, message: &'static str) -> ErrorRow {
    ErrorRow::fixed(400, code, message)
}

const SHARED: &str = "The shared image is not allowed to be deleted.";

impl AppStreamError {
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
            Self::Internal(StoreError::Corrupt("told so".to_owned())),
            Self::ImageNotExist,
            Self::NotAllow,
            Self::CommunityParent,
            Self::SharedIn,
            Self::InUse,
            Self::Creating,
            Self::DeleteTemplate(away()),
            Self::QueryTemplate(away()),
            Self::TemplateNotFound,
            Self::SharedOut,
            Self::Unavailable(away()),
            Self::InvalidParameter(name.to_owned().into()),
            Self::IncorrectStatus,
            Self::Denied(Box::new(denied.clone())),
            Self::Replayed,
        ]
    }

    /// What the caller sees: status, code and message, letter for letter as documented.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::Internal(_) => bad("InternalError", "Internal error."),
            Self::ImageNotExist => bad("Image.NotExist", "The image does not exist."),
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
            Self::TemplateNotFound => bad("InvalidTemplate.NotFound", "Template not found."),
            Self::SharedOut => bad("ImageDeleteFailed.HasSharedImage", SHARED),
            Self::Unavailable(_) => {
                ErrorRow::fixed(500, "ServiceUnavailable", "Service unavailable. Please try again later.")
            }
            Self::InvalidParameter(name) => ErrorRow {
                status: 400,
                code: format!("InvalidParameter.{name}").into(),
                message: format!("The parameter {name} is invalid.").into(),
            },
            Self::IncorrectStatus => {
                bad("IncorrectStatus", "The current status of the resource does not support this operation.")
            }
            Self::Denied(_) => GatewayError::NoPermission.row(),
            Self::Replayed => GatewayError::SignatureNonceUsed.row(),
        }
    }

    /// The fault that the caller sees, with the inner cause for the log.
    pub(in crate::products) fn into_fault(self, call: &Call<'_>) -> Fault {
        // The only place where a failure can say so in the members of a success.
        let fault =
            Fault::new(self.row()).with_extra(vec![("Success", json!(false)), ("Data", json!(false))]);
        match self {
            Self::Denied(denied) => fault.with_access_denied(access_denied(&denied, call)),
            Self::Internal(error)
            | Self::DeleteTemplate(error)
            | Self::QueryTemplate(error)
            | Self::Unavailable(error) => fault.with_source(error),
            Self::ImageNotExist
            | Self::NotAllow
            | Self::CommunityParent
            | Self::SharedIn
            | Self::InUse
            | Self::Creating
            | Self::TemplateNotFound
            | Self::SharedOut
            | Self::InvalidParameter(_)
            | Self::IncorrectStatus
            | Self::Replayed => fault,
        }
    }
}

impl From<StoreError> for AppStreamError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Internal(error),
            StoreError::Conflict | StoreError::Spent | StoreError::Unavailable(_) => Self::Unavailable(error),
        }
    }
}

impl<R: Into<AppStreamError>> From<ServiceError<R>> for AppStreamError {
    fn from(error: ServiceError<R>) -> Self {
        match error {
            ServiceError::Denied(denied) => Self::Denied(denied),
            ServiceError::Replayed => Self::Replayed,
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<DeleteImageError> for AppStreamError {
    fn from(error: DeleteImageError) -> Self {
        match error {
            DeleteImageError::Denied(denied) => Self::Denied(denied),
            DeleteImageError::Replayed => Self::Replayed,
            DeleteImageError::Refused(refusal) => refusal.into(),
            DeleteImageError::Templates(TemplateStep::Query, Some(error)) => Self::QueryTemplate(error),
            DeleteImageError::Templates(TemplateStep::Delete, Some(error)) => Self::DeleteTemplate(error),
            DeleteImageError::Templates(..) => Self::TemplateNotFound,
            DeleteImageError::Store(error) => error.into(),
        }
    }
}

impl From<DeleteRefusal> for AppStreamError {
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

impl From<Infallible> for AppStreamError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<InvalidParameter> for AppStreamError {
    fn from(invalid: InvalidParameter) -> Self {
        Self::InvalidParameter(invalid.name.into())
    }
}

impl From<Unusable> for AppStreamError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::NotFound => Self::ImageNotExist,
            Unusable::NotAvailable => Self::Creating,
        }
    }
}

impl From<NotChangeable> for AppStreamError {
    fn from(refusal: NotChangeable) -> Self {
        match refusal {
            NotChangeable::NotFound => Self::ImageNotExist,
            NotChangeable::NotOwner => Self::invalid("ImageId"),
            NotChangeable::Making => Self::Creating,
        }
    }
}

impl From<DistributeRefusal> for AppStreamError {
    fn from(refusal: DistributeRefusal) -> Self {
        match refusal {
            DistributeRefusal::Image(refusal) => refusal.into(),
            DistributeRefusal::NoVersion => Self::invalid("VersionId"),
            DistributeRefusal::NoSource => Self::invalid("SourceRegion"),
        }
    }
}

impl From<DeriveRefusal> for AppStreamError {
    fn from(refusal: DeriveRefusal) -> Self {
        match refusal {
            DeriveRefusal::NoInstance => Self::invalid("InstanceId"),
            DeriveRefusal::InstanceStatus => Self::IncorrectStatus,
        }
    }
}

impl From<RunRefusal> for AppStreamError {
    fn from(refusal: RunRefusal) -> Self {
        match refusal {
            RunRefusal::Image(unusable) => unusable.into(),
            RunRefusal::SystemDiskTooSmall => Self::invalid("SystemDiskSize"),
        }
    }
}

impl From<InstanceRefusal> for AppStreamError {
    fn from(refusal: InstanceRefusal) -> Self {
        match refusal {
            InstanceRefusal::NotFound | InstanceRefusal::ChargeType => Self::invalid("InstanceId"),
            InstanceRefusal::IncorrectStatus | InstanceRefusal::Protected => Self::IncorrectStatus,
        }
    }
}

impl From<ReinitRefusal> for AppStreamError {
    fn from(refusal: ReinitRefusal) -> Self {
        match refusal {
            ReinitRefusal::InstanceNotFound => Self::invalid("InstanceId"),
            ReinitRefusal::Image(unusable) => unusable.into(),
            ReinitRefusal::IncorrectStatus => Self::IncorrectStatus,
        }
    }
}

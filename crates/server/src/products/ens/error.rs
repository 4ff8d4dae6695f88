//! The refusals of ENS: the only place where its wire codes are written.

use std::borrow::Cow;
use std::convert::Infallible;

use calotype_core::delete_image::DeleteRefusal;
use calotype_core::export_image::ExportRefusal;
use calotype_core::image::{NotChangeable, Unusable};
use calotype_core::instance::InstanceRefusal;
use calotype_core::ram::Denied;
use calotype_core::reinit_instance::ReinitRefusal;
use calotype_core::share_image::ShareRefusal;
use calotype_store::db::StoreError;

use crate::products::{Call, access_denied};
use crate::service::ServiceError;
use crate::service::create_image::CreateImageRefusal;
use crate::service::create_snapshot::SnapshotRefusal;
use crate::service::delete_image::DeleteImageError;
use crate::service::delete_snapshot::NoSnapshot;
use crate::service::export_image::ExportImageRefusal;
use crate::service::import_image::ImportRefusal;
use crate::service::run_instances::RunRefusal;
use crate::wire::fault::{ErrorRow, Fault, GatewayError};
use crate::wire::params::InvalidParameter;

/// Why an ENS operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum EnsError {
    /// A parameter that must be there is not.
    #[error("a parameter is missing")]
    MissingParameter,
    /// As above, on the pages that say it in the singular.
    #[error("a parameter is missing")]
    MissingOneParameter,
    /// Neither resources nor tags were named.
    #[error("neither resources nor tags are named")]
    MissingResourceIdsOrTags,
    /// A parameter cannot be what it is.
    #[error("parameter {0} is invalid")]
    InvalidParameter(Cow<'static, str>),
    /// Parameters cannot be used together, or there are too many; the text says what is wrong.
    #[error("{0}")]
    Invalid(&'static str),
    /// A policy refuses.
    #[error("denied by RAM")]
    Denied(Box<Denied>),
    /// The thing is not the caller's to change.
    #[error("not the caller's own")]
    NotOwner,
    /// There is no such image (D17b).
    #[error("no such image")]
    ImageNotExist,
    /// The image is being made (D18).
    #[error("the image is in another state")]
    IncorrectImageStatus,
    /// Instances were made from the image (D16).
    #[error("instances were made from the image")]
    ImageUsedToCreate,
    /// Instances were switched to the image (D17a).
    #[error("instances were switched to the image")]
    ImageUsedOtherwise,
    /// The kind of image does not allow it.
    #[error("the kind of image does not allow it")]
    ImageTypeNotSupported,
    /// The instance is in another state.
    #[error("the instance is in another state")]
    IncorrectInstanceStatus,
    /// The instance is protected against release.
    #[error("the instance is protected")]
    InstanceProtected,
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

impl EnsError {
    /// The parameter of this name cannot be what it is.
    #[must_use]
    pub const fn invalid(name: &'static str) -> Self {
        Self::InvalidParameter(Cow::Borrowed(name))
    }

    /// One of each in their order, for whoever lists or imitates them: that of a parameter under this name.
    #[must_use]
    pub fn every(name: &str, denied: &Denied) -> Vec<Self> {
        vec![
            Self::MissingParameter,
            Self::MissingOneParameter,
            Self::MissingResourceIdsOrTags,
            Self::InvalidParameter(name.to_owned().into()),
            Self::Invalid("the parameters do not go together"),
            Self::Denied(Box::new(denied.clone())),
            Self::NotOwner,
            Self::ImageNotExist,
            Self::IncorrectImageStatus,
            Self::ImageUsedToCreate,
            Self::ImageUsedOtherwise,
            Self::ImageTypeNotSupported,
            Self::IncorrectInstanceStatus,
            Self::InstanceProtected,
            Self::Replayed,
            Self::Store(StoreError::Unavailable("told so".into())),
            Self::Store(StoreError::Corrupt("told so".to_owned())),
        ]
    }

    /// What the caller sees: status, code and message, letter for letter as documented.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::MissingParameter => bad(
                "MissingParameter",
                "The input parameters that is mandatory for processing this request is not supplied.",
            ),
            Self::MissingOneParameter => bad(
                "MissingParameter",
                "The input parameter that is mandatory for processing this request is not supplied.",
            ),
            Self::MissingResourceIdsOrTags => bad(
                "MissingParameter.ResourceIdsOrTags",
                "The input parameter ResourceId or Tag that is mandatory for processing this request is not supplied.",
            ),
            Self::InvalidParameter(name) => ErrorRow {
                status: 400,
                code: format!("InvalidParameter.{name}").into(),
                message: format!("The specified field {name} invalid. Please check it again.").into(),
            },
            Self::Invalid(text) => ErrorRow {
                status: 400,
                code: "InvalidParameter".into(),
                message: format!("The errorMessage is {text}. Please check it again.").into(),
            },
            Self::Denied(_) | Self::NotOwner => bad("NoPermission", "Permission denied."),
            Self::ImageNotExist => bad("Error.DeleteImage", "The image is not exist."),
            Self::IncorrectImageStatus => bad(
                "IncorrectStatus.Image",
                "The current status of the image does not support this operation.",
            ),
            Self::ImageUsedToCreate => {
                bad("Forbidden.DelerrorteImage", "The image cannot be deleted when used by instance.")
            }
            Self::ImageUsedOtherwise => {
                bad("Error.DeleteImage", "The image cannot be deleted when used by instance.")
            }
            Self::ImageTypeNotSupported => {
                bad("InvalidImageType.NotSupported", "The specified image type is not supported.")
            }
            Self::IncorrectInstanceStatus => bad(
                "IncorrectInstanceStatus",
                "The current status of the instance does not support this operation.",
            ),
            Self::InstanceProtected => {
                bad("OperationDenied.DeletionProtection", "The instance is protected against release.")
            }
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
            Self::MissingParameter
            | Self::MissingOneParameter
            | Self::MissingResourceIdsOrTags
            | Self::InvalidParameter(_)
            | Self::Invalid(_)
            | Self::NotOwner
            | Self::ImageNotExist
            | Self::IncorrectImageStatus
            | Self::ImageUsedToCreate
            | Self::ImageUsedOtherwise
            | Self::ImageTypeNotSupported
            | Self::IncorrectInstanceStatus
            | Self::InstanceProtected
            | Self::Replayed => fault,
        }
    }
}

impl<R: Into<EnsError>> From<ServiceError<R>> for EnsError {
    fn from(error: ServiceError<R>) -> Self {
        match error {
            ServiceError::Denied(denied) => Self::Denied(denied),
            ServiceError::Replayed => Self::Replayed,
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Infallible> for EnsError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<InvalidParameter> for EnsError {
    fn from(invalid: InvalidParameter) -> Self {
        Self::InvalidParameter(invalid.name.into())
    }
}

impl From<DeleteRefusal> for EnsError {
    fn from(refusal: DeleteRefusal) -> Self {
        match refusal {
            DeleteRefusal::NotFound => Self::ImageNotExist,
            DeleteRefusal::SharedIn | DeleteRefusal::Public => Self::NotOwner,
            DeleteRefusal::Making(_) | DeleteRefusal::Exporting(_) => Self::IncorrectImageStatus,
            DeleteRefusal::CreatedUse(_) => Self::ImageUsedToCreate,
            // Shares do not block here, and nothing is published; were it so, it would be another use.
            DeleteRefusal::SwitchedUse(_)
            | DeleteRefusal::SharedOut(_)
            | DeleteRefusal::CommunityParent(_) => Self::ImageUsedOtherwise,
        }
    }
}

impl From<DeleteImageError> for EnsError {
    fn from(error: DeleteImageError) -> Self {
        match error {
            DeleteImageError::Denied(denied) => Self::Denied(denied),
            DeleteImageError::Replayed => Self::Replayed,
            DeleteImageError::Refused(refusal) => refusal.into(),
            // Templates do not go with images here, so nothing vanishes.
            DeleteImageError::Templates(_, None) => Self::Store(StoreError::Conflict),
            DeleteImageError::Templates(_, Some(error)) | DeleteImageError::Store(error) => {
                Self::Store(error)
            }
        }
    }
}

impl From<NotChangeable> for EnsError {
    fn from(refusal: NotChangeable) -> Self {
        match refusal {
            NotChangeable::NotFound => Self::invalid("ImageId"),
            NotChangeable::NotOwner => Self::NotOwner,
            NotChangeable::Making => Self::IncorrectImageStatus,
        }
    }
}

impl From<Unusable> for EnsError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::NotFound => Self::invalid("ImageId"),
            Unusable::NotAvailable => Self::IncorrectImageStatus,
        }
    }
}

impl From<ShareRefusal> for EnsError {
    fn from(refusal: ShareRefusal) -> Self {
        match refusal {
            ShareRefusal::NotFound => Self::invalid("ImageId"),
            ShareRefusal::NotOwner => Self::NotOwner,
            ShareRefusal::Public => Self::ImageTypeNotSupported,
            ShareRefusal::WithOwner => Self::invalid("AddAccounts"),
            ShareRefusal::TooMany => Self::Invalid("the image is shared with too many accounts"),
        }
    }
}

impl From<ExportRefusal> for EnsError {
    fn from(refusal: ExportRefusal) -> Self {
        match refusal {
            ExportRefusal::NotFound => Self::invalid("ImageId"),
            ExportRefusal::NotOwn => Self::ImageTypeNotSupported,
            ExportRefusal::NotAvailable | ExportRefusal::Exporting => Self::IncorrectImageStatus,
        }
    }
}

impl From<ExportImageRefusal> for EnsError {
    fn from(refusal: ExportImageRefusal) -> Self {
        match refusal {
            ExportImageRefusal::NoBucket => Self::invalid("OSSBucket"),
            ExportImageRefusal::OtherRegion => Self::invalid("OSSRegionId"),
            ExportImageRefusal::Image(refusal) => refusal.into(),
        }
    }
}

impl From<ImportRefusal> for EnsError {
    fn from(refusal: ImportRefusal) -> Self {
        match refusal {
            ImportRefusal::NoBucket => Self::invalid("OSSBucket"),
            ImportRefusal::NoRegion => Self::invalid("TargetOSSRegionId"),
        }
    }
}

impl From<CreateImageRefusal> for EnsError {
    fn from(refusal: CreateImageRefusal) -> Self {
        match refusal {
            CreateImageRefusal::NoInstance => Self::invalid("InstanceId"),
            CreateImageRefusal::NoSnapshot => Self::invalid("SnapshotId"),
            CreateImageRefusal::InstanceStatus => Self::IncorrectInstanceStatus,
            CreateImageRefusal::NoRegion => Self::invalid("TargetOSSRegionId"),
        }
    }
}

impl From<RunRefusal> for EnsError {
    fn from(refusal: RunRefusal) -> Self {
        match refusal {
            RunRefusal::Image(unusable) => unusable.into(),
            RunRefusal::SystemDiskTooSmall => Self::invalid("SystemDisk.Size"),
        }
    }
}

impl From<InstanceRefusal> for EnsError {
    fn from(refusal: InstanceRefusal) -> Self {
        match refusal {
            InstanceRefusal::NotFound | InstanceRefusal::ChargeType => Self::invalid("InstanceId"),
            InstanceRefusal::IncorrectStatus => Self::IncorrectInstanceStatus,
            InstanceRefusal::Protected => Self::InstanceProtected,
        }
    }
}

impl From<ReinitRefusal> for EnsError {
    fn from(refusal: ReinitRefusal) -> Self {
        match refusal {
            ReinitRefusal::InstanceNotFound => Self::invalid("InstanceId"),
            ReinitRefusal::Image(unusable) => unusable.into(),
            ReinitRefusal::IncorrectStatus => Self::IncorrectInstanceStatus,
        }
    }
}

impl From<SnapshotRefusal> for EnsError {
    fn from(refusal: SnapshotRefusal) -> Self {
        match refusal {
            SnapshotRefusal::NoDisk | SnapshotRefusal::DataDisk => Self::invalid("DiskId"),
            SnapshotRefusal::OtherNode => Self::invalid("EnsRegionId"),
        }
    }
}

impl From<NoSnapshot> for EnsError {
    fn from(_: NoSnapshot) -> Self {
        Self::invalid("SnapshotId")
    }
}

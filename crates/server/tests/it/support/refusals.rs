//! The refusals of ENS, letter for letter as its documents print them.

/// HTTP status, code and message.
pub type Row = (u16, &'static str, &'static str);

/// A policy refuses, for every API but ENS.
pub const NOT_AUTHORIZED: Row = (403, "NoPermission", "You are not authorized to do this action.");

/// A policy refuses, in the words of STS.
pub const NOT_AUTHORIZED_BY_RAM: Row =
    (403, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.");

/// `InvalidParameter.%s` for a parameter of this name.
macro_rules! invalid {
    ($name:literal) => {
        (
            400,
            concat!("InvalidParameter.", $name),
            concat!("The specified field ", $name, " invalid. Please check it again."),
        )
    };
}
pub(crate) use invalid;

pub const MISSING_PARAMETER: Row = (
    400,
    "MissingParameter",
    "The input parameters that is mandatory for processing this request is not supplied.",
);
pub const MISSING_ONE_PARAMETER: Row = (
    400,
    "MissingParameter",
    "The input parameter that is mandatory for processing this request is not supplied.",
);
pub const INVALID_IMAGE_ID: Row = invalid!("ImageId");
pub const INVALID_INSTANCE_ID: Row = invalid!("InstanceId");
pub const NO_PERMISSION: Row = (400, "NoPermission", "Permission denied.");
pub const NOT_EXIST: Row = (400, "Error.DeleteImage", "The image is not exist.");
pub const IMAGE_STATUS: Row =
    (400, "IncorrectStatus.Image", "The current status of the image does not support this operation.");
pub const USED_TO_CREATE: Row =
    (400, "Forbidden.DelerrorteImage", "The image cannot be deleted when used by instance.");
pub const USED_OTHERWISE: Row =
    (400, "Error.DeleteImage", "The image cannot be deleted when used by instance.");
pub const IMAGE_TYPE: Row =
    (400, "InvalidImageType.NotSupported", "The specified image type is not supported.");
pub const INSTANCE_STATUS: Row =
    (400, "IncorrectInstanceStatus", "The current status of the instance does not support this operation.");
pub const PROTECTED: Row =
    (400, "OperationDenied.DeletionProtection", "The instance is protected against release.");
pub const NONCE_USED: Row = (400, "SignatureNonceUsed", "Specified signature nonce was used already.");
pub const EXPIRED: Row = (400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
pub const UNAVAILABLE: Row =
    (503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.");

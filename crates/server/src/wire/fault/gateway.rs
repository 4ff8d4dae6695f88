//! The refusals of the gateway, in the order of its error table.

use std::borrow::Cow;
use std::fmt;

use super::ErrorRow;
use crate::wire::nonces::NonceRefused;
use crate::wire::params::{InvalidParameter, MalformedParams};

/// The parameters that every request has, and what stands for any of them.
const COMMON: [&str; 9] = [
    "AccessKeyId",
    "Action",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "Timestamp",
    "Version",
    ANY_NAME,
];

/// What stands for the name of any parameter.
pub const ANY_NAME: &str = "%s";

/// When an imitated refusal tells to come back, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// A refusal that is the same for every product: form, identity, clock, rate.
///
/// The variants stand in the order of the gateway's error table, which is not the order in which they
/// are checked. Source: protocol, errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayError {
    /// A common parameter is absent; the code is `Missing` and its name.
    Missing {
        /// The absent parameter, as the vendor spells it.
        name: &'static str,
    },
    /// A parameter of the operation is absent.
    MissingParameter,
    /// The time is not written as `yyyy-MM-ddTHH:mm:ssZ`.
    InvalidTimeStampFormat,
    /// The time is more than a quarter of an hour from the server's.
    InvalidTimeStampExpired,
    /// The nonce was seen before.
    SignatureNonceUsed,
    /// A V1 signature is not the one computed here.
    SignatureDoesNotMatch {
        /// What the server signed. Clients compare it with their own text, byte for byte.
        string_to_sign: String,
    },
    /// An ACS3 signature is not the one computed here.
    SignatureDoesNotMatchAcs3 {
        /// Algorithm and hash of the canonical request.
        string_to_sign: String,
        /// The request as the server read it.
        canonical_request: String,
    },
    /// A part of the signature is absent, or something that must be signed is not.
    IncompleteSignature {
        /// What the server would have signed; empty if that cannot be told.
        string_to_sign: String,
    },
    /// The way of signing is unknown here.
    InvalidSignatureMethod,
    /// No such access key.
    InvalidAccessKeyIdNotFound,
    /// The access key is switched off.
    InvalidAccessKeyIdInactive,
    /// The temporary credentials are over.
    InvalidSecurityTokenExpired,
    /// The security token was not issued here.
    InvalidSecurityTokenMalformed,
    /// The security token belongs to another key, or is absent where one is due.
    InvalidSecurityTokenMismatch,
    /// No such operation.
    InvalidActionNotFound,
    /// No API has this version.
    InvalidVersion,
    /// The request is not well formed: unknown `Format`, too many parameters, a body that is no object.
    InvalidParameterFormat,
    /// A parameter has a value it cannot have; the code is `Invalid` and its name.
    InvalidParameter {
        /// The parameter, as the vendor spells it.
        name: String,
    },
    /// The host name belongs to no product.
    InvalidProductNotFound,
    /// Neither GET nor POST.
    UnsupportedHttpMethod,
    /// Plain HTTP where TLS is demanded.
    InvalidProtocolNeedSsl,
    /// Too many requests.
    Throttling {
        /// When to come back, in milliseconds.
        retry_after_ms: u64,
    },
    /// Too many requests of one account.
    ThrottlingUser {
        /// When to come back, in milliseconds.
        retry_after_ms: u64,
    },
    /// Too many requests for one operation.
    ThrottlingApi {
        /// When to come back, in milliseconds.
        retry_after_ms: u64,
    },
    /// A policy does not allow the operation.
    NoPermission,
    /// A policy does not allow the operation, or the operation has no policies.
    ForbiddenRam,
    /// A policy does not allow the operation, in the words of ENS.
    NoPermissionEns,
    /// Something failed that should not.
    InternalError,
    /// Something that is needed is away for the moment.
    ServiceUnavailable,
}

impl GatewayError {
    /// One of each in their order, for whoever lists or imitates them: that of a parameter under this name, if it is
    /// one that can be absent.
    #[must_use]
    pub fn every(name: &str) -> Vec<Self> {
        let retry_after_ms = RETRY_AFTER_MS;
        let string_to_sign = String::new();
        let missing = COMMON.iter().find(|common| **common == name).map(|name| Self::Missing { name });
        let others = [
            Self::MissingParameter,
            Self::InvalidTimeStampFormat,
            Self::InvalidTimeStampExpired,
            Self::SignatureNonceUsed,
            Self::SignatureDoesNotMatch { string_to_sign: string_to_sign.clone() },
            Self::SignatureDoesNotMatchAcs3 {
                string_to_sign: string_to_sign.clone(),
                canonical_request: String::new(),
            },
            Self::IncompleteSignature { string_to_sign },
            Self::InvalidSignatureMethod,
            Self::InvalidAccessKeyIdNotFound,
            Self::InvalidAccessKeyIdInactive,
            Self::InvalidSecurityTokenExpired,
            Self::InvalidSecurityTokenMalformed,
            Self::InvalidSecurityTokenMismatch,
            Self::InvalidActionNotFound,
            Self::InvalidVersion,
            Self::InvalidParameterFormat,
            Self::InvalidParameter { name: name.to_owned() },
            Self::InvalidProductNotFound,
            Self::UnsupportedHttpMethod,
            Self::InvalidProtocolNeedSsl,
            Self::Throttling { retry_after_ms },
            Self::ThrottlingUser { retry_after_ms },
            Self::ThrottlingApi { retry_after_ms },
            Self::NoPermission,
            Self::ForbiddenRam,
            Self::NoPermissionEns,
            Self::InternalError,
            Self::ServiceUnavailable,
        ];
        missing.into_iter().chain(others).collect()
    }

    /// What the caller sees: status, code and message.
    #[must_use]
    pub fn row(&self) -> ErrorRow {
        match self {
            Self::Missing { name } => missing(name),
            Self::MissingParameter => MISSING_PARAMETER,
            Self::InvalidTimeStampFormat => TIME_FORMAT,
            Self::InvalidTimeStampExpired => TIME_EXPIRED,
            Self::SignatureNonceUsed => NONCE_USED,
            Self::SignatureDoesNotMatch { string_to_sign } => mismatch(string_to_sign),
            Self::SignatureDoesNotMatchAcs3 { string_to_sign, canonical_request } => {
                mismatch_acs3(string_to_sign, canonical_request)
            }
            Self::IncompleteSignature { string_to_sign } => incomplete(string_to_sign),
            Self::InvalidSignatureMethod => SIGNATURE_METHOD,
            Self::InvalidAccessKeyIdNotFound => NO_SUCH_KEY,
            Self::InvalidAccessKeyIdInactive => KEY_INACTIVE,
            Self::InvalidSecurityTokenExpired => TOKEN_EXPIRED,
            Self::InvalidSecurityTokenMalformed => TOKEN_MALFORMED,
            Self::InvalidSecurityTokenMismatch => TOKEN_MISMATCH,
            Self::InvalidActionNotFound => ACTION_NOT_FOUND,
            Self::InvalidVersion => VERSION,
            Self::InvalidParameterFormat => FORMAT,
            Self::InvalidParameter { name } => invalid(name),
            Self::InvalidProductNotFound => PRODUCT_NOT_FOUND,
            Self::UnsupportedHttpMethod => HTTP_METHOD,
            Self::InvalidProtocolNeedSsl => NEED_SSL,
            Self::Throttling { .. } => THROTTLING,
            Self::ThrottlingUser { .. } => PER_USER,
            Self::ThrottlingApi { .. } => PER_API,
            Self::NoPermission => NO_PERMISSION,
            Self::ForbiddenRam => FORBIDDEN_RAM,
            Self::NoPermissionEns => NO_PERMISSION_ENS,
            Self::InternalError => INTERNAL_ERROR,
            Self::ServiceUnavailable => UNAVAILABLE,
        }
    }

    /// When the caller should come back, in milliseconds, if that can be told.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        if let Self::Throttling { retry_after_ms }
        | Self::ThrottlingUser { retry_after_ms }
        | Self::ThrottlingApi { retry_after_ms } = self
        {
            Some(*retry_after_ms)
        } else {
            None
        }
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gateway refuses with {}", self.row().code)
    }
}

impl std::error::Error for GatewayError {}

impl From<InvalidParameter> for GatewayError {
    fn from(error: InvalidParameter) -> Self {
        Self::InvalidParameter { name: error.name }
    }
}

impl From<MalformedParams> for GatewayError {
    fn from(_: MalformedParams) -> Self {
        Self::InvalidParameterFormat
    }
}

/// A full memory for nonces is the server's trouble: to accept the request would let it be repeated.
impl From<NonceRefused> for GatewayError {
    fn from(refused: NonceRefused) -> Self {
        match refused {
            NonceRefused::Used => Self::SignatureNonceUsed,
            NonceRefused::Full => Self::ServiceUnavailable,
        }
    }
}

// The table. Rows with a text of their own are functions at the place where they stand in it.

fn missing(name: &str) -> ErrorRow {
    worded(format!("Missing{name}"), format!("{name} is mandatory for this action."))
}

const MISSING_PARAMETER: ErrorRow = row(
    400,
    "MissingParameter",
    "The input parameters that is mandatory for processing this request is not supplied.",
);
const TIME_FORMAT: ErrorRow =
    row(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.");
const TIME_EXPIRED: ErrorRow =
    row(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
const NONCE_USED: ErrorRow = row(400, "SignatureNonceUsed", "Specified signature nonce was used already.");

/// Clients cut the text at `string to sign is:` and compare the rest with their own, so no blank follows.
fn mismatch(string_to_sign: &str) -> ErrorRow {
    let told = "Specified signature is not matched with our calculation. server string to sign is:";
    worded("SignatureDoesNotMatch", format!("{told}{string_to_sign}"))
}

fn mismatch_acs3(string_to_sign: &str, canonical_request: &str) -> ErrorRow {
    let message = format!(
        "Specified signature does not match our calculation. server StringToSign is [{string_to_sign}] \
         server CanonicalRequest is [{canonical_request}]"
    );
    worded("SignatureDoesNotMatch", message)
}

fn incomplete(string_to_sign: &str) -> ErrorRow {
    let told = "The request signature does not conform to Aliyun standards. server string to sign is:";
    worded("IncompleteSignature", format!("{told}{string_to_sign}"))
}

const SIGNATURE_METHOD: ErrorRow =
    row(400, "InvalidSignatureMethod", "Specified signature method is not valid.");
const NO_SUCH_KEY: ErrorRow = row(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
const KEY_INACTIVE: ErrorRow = row(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.");
const TOKEN_EXPIRED: ErrorRow =
    row(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
const TOKEN_MALFORMED: ErrorRow =
    row(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.");
const TOKEN_MISMATCH: ErrorRow = row(
    400,
    "InvalidSecurityToken.MismatchWithAccessKey",
    "Specified SecurityToken mismatch with the AccessKey.",
);
const ACTION_NOT_FOUND: ErrorRow =
    row(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.");
const VERSION: ErrorRow = row(400, "InvalidVersion", "Specified parameter Version is not valid.");
const FORMAT: ErrorRow = row(400, "InvalidParameter.Format", "Specified parameter format is not valid.");

fn invalid(name: &str) -> ErrorRow {
    worded(format!("Invalid{name}"), format!("Specified parameter {name} is not valid."))
}

const PRODUCT_NOT_FOUND: ErrorRow =
    row(404, "InvalidProduct.NotFound", "Cannot find product according to your specified domain.");
const HTTP_METHOD: ErrorRow = row(403, "UnsupportedHTTPMethod", "This http method is not supported.");
const NEED_SSL: ErrorRow =
    row(400, "InvalidProtocol.NeedSsl", "Your request is denied as lack of ssl protect.");
const THROTTLING: ErrorRow = row(400, "Throttling", "Request was denied due to request throttling.");
const PER_USER: ErrorRow = row(400, "Throttling.User", "Request was denied due to user flow control.");
const PER_API: ErrorRow = row(400, "Throttling.Api", "Request was denied due to api flow control.");
const NO_PERMISSION: ErrorRow = row(403, "NoPermission", "You are not authorized to do this action.");
const FORBIDDEN_RAM: ErrorRow = row(
    403,
    "Forbidden.RAM",
    "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
);
const NO_PERMISSION_ENS: ErrorRow = row(400, "NoPermission", "Permission denied.");
const INTERNAL_ERROR: ErrorRow =
    row(500, "InternalError", "The request processing has failed due to some unknown error.");
const UNAVAILABLE: ErrorRow =
    row(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.");

const fn row(status: u16, code: &'static str, message: &'static str) -> ErrorRow {
    ErrorRow::fixed(status, code, message)
}

fn worded(code: impl Into<Cow<'static, str>>, message: String) -> ErrorRow {
    ErrorRow { status: 400, code: code.into(), message: Cow::Owned(message) }
}

#[cfg(test)]
mod tests;

//! Refusals on their way out.
//!
//! [`GatewayError`] is everything that is refused in front of the products; each product has an error
//! enum of its own. All of them become a [`Fault`], which [`super::reply`] renders. Text for the caller
//! comes from [`GatewayError::row`] and never from `Display`, so internal text cannot leak.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde_json::Value;

mod gateway;

pub use gateway::{ANY_NAME, GatewayError};

/// One row of an error table: what the caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// HTTP status.
    pub status: u16,
    /// Wire code, letter for letter.
    pub code: Cow<'static, str>,
    /// Wire message, with its final stop.
    pub message: Cow<'static, str>,
}

impl ErrorRow {
    /// A row of fixed texts.
    #[must_use]
    pub const fn fixed(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code: Cow::Borrowed(code), message: Cow::Borrowed(message) }
    }
}

/// A refusal that is ready to be rendered.
#[derive(Debug)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// Wire code, never empty.
    pub code: Cow<'static, str>,
    /// Wire message.
    pub message: Cow<'static, str>,
    /// The members of `AccessDeniedDetail`, in order; none if this is no denial by a policy.
    ///
    /// Values are text only: some clients fail on any other kind.
    pub access_denied: Box<[(&'static str, String)]>,
    /// Members that a product adds to the error object, such as `Success: false`.
    pub extra: Box<[(&'static str, Value)]>,
    /// How long the caller should wait before it tries again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// What happened inside, for the log only.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault with nothing but its row.
    #[must_use]
    pub fn new(row: ErrorRow) -> Self {
        Self {
            status: row.status,
            code: row.code,
            message: row.message,
            access_denied: Box::default(),
            extra: Box::default(),
            retry_after_ms: None,
            source: None,
        }
    }

    /// Adds the members of `AccessDeniedDetail`.
    #[must_use]
    pub fn with_access_denied(mut self, detail: Vec<(&'static str, String)>) -> Self {
        self.access_denied = detail.into();
        self
    }

    /// Adds members to the error object. A member named like one of the envelope's is ignored.
    #[must_use]
    pub fn with_extra(mut self, extra: Vec<(&'static str, Value)>) -> Self {
        self.extra = extra.into();
        self
    }

    /// Keeps what happened inside, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Writes this fault to the log, once, with the whole chain of causes.
    ///
    /// A server's own failure is an error; a refusal is told at debug level. The wire message stays out:
    /// it can repeat parts of the request.
    pub fn log(&self, request_id: &str) {
        if self.status >= 500 || self.source.is_some() {
            tracing::error!(request_id, status = self.status, code = %self.code, cause = %Chain(self));
        } else {
            tracing::debug!(request_id, status = self.status, code = %self.code);
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.code)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<GatewayError> for Fault {
    fn from(error: GatewayError) -> Self {
        let retry_after_ms = error.retry_after_ms();
        Self { retry_after_ms, ..Self::new(error.row()) }
    }
}

/// Prints the causes of a fault, outermost first, joined with colons.
struct Chain<'a>(&'a Fault);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause = self.0.source();
        let mut separator = "";
        while let Some(error) = cause {
            write!(f, "{separator}{error}")?;
            separator = ": ";
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("region is away")]
    struct Away(#[source] std::io::Error);

    #[test]
    fn the_log_gets_the_chain_and_the_caller_does_not() {
        let inner = std::io::Error::other("connection refused");
        let fault = Fault::from(GatewayError::InternalError).with_source(Away(inner));
        assert_eq!(Chain(&fault).to_string(), "region is away: connection refused");
        assert_eq!(fault.message, "The request processing has failed due to some unknown error.");
        assert_eq!(fault.to_string(), "refused with InternalError");
    }

    #[test]
    fn a_throttled_caller_is_told_when_to_come_back() {
        let fault = Fault::from(GatewayError::ThrottlingUser { retry_after_ms: 250 });
        assert_eq!(fault.retry_after_ms, Some(250));
        assert_eq!(Fault::from(GatewayError::MissingParameter).retry_after_ms, None);
    }

    #[test]
    fn a_fault_is_small_enough_to_be_returned_by_value() {
        assert!(size_of::<Fault>() < 128, "{}", size_of::<Fault>());
        assert!(size_of::<GatewayError>() < 64, "{}", size_of::<GatewayError>());
    }
}

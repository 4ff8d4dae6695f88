//! Does nothing.

use std::convert::Infallible;

use super::{Caller, ServiceError};

/// Asks whether the caller may do nothing.
///
/// # Errors
/// [`ServiceError::Denied`].
pub fn no_op(caller: &Caller) -> Result<(), ServiceError<Infallible>> {
    caller.authorize_all()?;
    Ok(())
}

//! Lists the edge nodes.

use std::convert::Infallible;

use super::{Caller, ServiceError};
use crate::app::App;
use crate::config::EnsRegion;

/// The nodes of the configuration, in its order.
///
/// # Errors
/// [`ServiceError::Denied`].
pub fn describe_ens_regions<'a>(
    app: &'a App,
    caller: &Caller,
) -> Result<&'a [EnsRegion], ServiceError<Infallible>> {
    caller.authorize_all()?;
    Ok(&app.ens_regions)
}

//! Lists the regions.

use std::convert::Infallible;

use calotype_core::ids::RegionId;

use super::{Caller, ServiceError};
use crate::app::App;

/// The regions of the configuration, in the order of their ids.
///
/// # Errors
/// [`ServiceError::Denied`].
pub fn list_regions<'a>(
    app: &'a App,
    caller: &Caller,
) -> Result<Vec<&'a RegionId>, ServiceError<Infallible>> {
    caller.authorize_all()?;
    Ok(app.places.regions.keys().collect())
}

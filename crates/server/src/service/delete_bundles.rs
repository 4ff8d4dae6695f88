//! Deletes bundles.

use std::collections::BTreeSet;

use calotype_core::ids::BundleId;
use calotype_store::bundles;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The account has no such bundle in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such bundle")]
pub struct NoBundle;

/// Deletes bundles of the caller's in a region, all or none.
///
/// # Errors
/// [`ServiceError`], refused with [`NoBundle`] if one of them is not there.
pub async fn delete_bundles(
    app: &App,
    caller: &Caller,
    region: &str,
    ids: &BTreeSet<BundleId>,
) -> Result<(), ServiceError<NoBundle>> {
    caller.authorize_all()?;
    let mut tx = begin(app, caller).await?;
    for id in ids {
        if !bundles::delete(&mut tx, id, region, caller.account()).await? {
            return Err(ServiceError::Refused(NoBundle));
        }
    }
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, count = ids.len(), "bundles deleted");
    Ok(())
}

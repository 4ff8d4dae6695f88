//! DeleteBundles: deletes bundles, all or none.

use calotype_core::ids::BundleId;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::{region, required_ids};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::delete_bundles::delete_bundles;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteBundles",
    action: "ecd:DeleteBundles",
    parameters: &[
        Parameter::required("BundleId", Kind::FlatList),
        Parameter::required("RegionId", Kind::Text),
    ],
    summary: "Deletes bundles in a region, all or none.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let ids = required_ids(call.params, "BundleId", BundleId::parse)?;
    let region = region(call)?;
    delete_bundles(call.app, &call.caller, region.as_str(), &ids.into_iter().collect()).await?;
    Ok(json!({}))
}

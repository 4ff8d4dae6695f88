//! ListRegions: the regions.

use serde_json::{Value, json};

use super::error::AppStreamError;
use super::image_params::product_type;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::list_regions::list_regions;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListRegions",
    action: "appstreaming:ListRegions",
    parameters: &[
        Parameter::optional("BizSource", Kind::Text),
        Parameter::optional("ProductType", Kind::Text),
    ],
    summary: "Lists the regions.",
    handler: |call| Box::pin(async move { answer(call, handle(call)) }),
};

fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    // Every product is in every region.
    product_type(call.params)?;
    let regions = list_regions(call.app, &call.caller)?;
    let regions: Vec<_> = regions.iter().map(|region| json!({ "regionId": region.as_str() })).collect();
    Ok(json!({ "RegionModels": regions }))
}

//! DescribeImagePermission: the accounts that an image is shared with.

use calotype_core::ids::AccountId;
use calotype_core::image::Product;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::{image_id, region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::share_image::image_shares;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeImagePermission",
    action: "ecd:DescribeImagePermission",
    parameters: &[Parameter::required("ImageId", Kind::Text), Parameter::required("RegionId", Kind::Text)],
    summary: "Lists the accounts that an image of the caller is shared with.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let image = image_id(call.params)?;
    region(call)?;
    let shares = image_shares(call.app, &call.caller, Product::AppStreaming, &image).await?;
    Ok(json!({ "AliUids": shares.iter().map(AccountId::as_str).collect::<Vec<_>>() }))
}

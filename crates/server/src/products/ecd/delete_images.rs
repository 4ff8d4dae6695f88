//! DeleteImages: deletes images of the caller, all or none.

use calotype_core::ids::ImageId;
use calotype_core::image::Product;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::{region, required_ids};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter, delete_rules};
use crate::service::delete_images::delete_images;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteImages",
    action: "ecd:DeleteImages",
    parameters: &[
        Parameter::optional("DeleteCascadedBundle", Kind::Boolean),
        Parameter::required("ImageId", Kind::FlatList),
        Parameter::required("RegionId", Kind::Text),
    ],
    summary: "Deletes custom images in every region, all or none, with the templates that reference them.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let mut ids: Vec<ImageId> = Vec::new();
    for id in required_ids(call.params, "ImageId", ImageId::parse)? {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    // An image goes from every region, whichever of them the call names.
    region(call)?;
    let bundles_go = call.params.boolean("DeleteCascadedBundle")?.unwrap_or(false);
    let rules = delete_rules(Product::AppStreaming);
    delete_images(call.app, &call.caller, rules, ids, bundles_go, call.now).await?;
    Ok(json!({}))
}

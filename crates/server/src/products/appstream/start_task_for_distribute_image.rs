//! StartTaskForDistributeImage: copies an image to further regions.

use calotype_core::distribute_image::DistributeImage;
use calotype_core::ids::{ImageId, RegionId, VersionId};
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::image_params::product_type;
use super::{API, answer, task_id};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::distribute_image::distribute_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "StartTaskForDistributeImage",
    action: "appstreaming:StartTaskForDistributeImage",
    parameters: &[
        Parameter::optional("DestinationRegionList", Kind::FlatList),
        Parameter::required("ImageId", Kind::Text),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("RetryType", Kind::Text),
        Parameter::optional("SourceRegion", Kind::Text),
        Parameter::optional("VersionId", Kind::Text),
    ],
    summary: "Copies an image to further regions.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    let id = params.text("ImageId").and_then(|text| ImageId::parse(text).ok());
    let image = id.ok_or(AppStreamError::ImageNotExist)?;
    product_type(params)?;
    let version = params.text("VersionId").map(VersionId::parse).transpose();
    let source = params.text("SourceRegion").map(RegionId::parse).transpose();
    let destinations: Result<Vec<_>, _> =
        params.list("DestinationRegionList").into_iter().map(RegionId::parse).collect();
    let invalid = AppStreamError::invalid;
    let command = DistributeImage {
        version: version.map_err(|_| invalid("VersionId"))?,
        source: source.map_err(|_| invalid("SourceRegion"))?,
        destinations: destinations.map_err(|_| invalid("DestinationRegionList"))?,
    };
    let known = |region| call.app.places.region(region).is_some();
    if command.destinations.is_empty() || !command.destinations.iter().all(known) {
        return Err(invalid("DestinationRegionList"));
    }
    distribute_image(call.app, &call.caller, &image, &command, call.now).await?;
    Ok(json!({ "Code": "200", "Data": task_id(call), "Message": "success", "Success": true }))
}

//! UpdateAppInstanceGroupImage: moves a delivery group to another image.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{about, consumer, image_id, must_be_cloud_app, region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::reinit_instance::reinit_instances;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "UpdateAppInstanceGroupImage",
    action: "appstreaming:UpdateAppInstanceGroupImage",
    parameters: &[
        Parameter::required("AppCenterImageId", Kind::Text),
        Parameter::required("AppInstanceGroupId", Kind::Text),
        Parameter::required("BizRegionId", Kind::Text),
        Parameter::required("ProductType", Kind::Text),
    ],
    summary: "Moves a delivery group to another image.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    must_be_cloud_app(call.params)?;
    let image = image_id(call.params, "AppCenterImageId")?;
    let region = region(call)?.ok_or(AppStreamError::invalid("BizRegionId"))?;
    let kind = ConsumerKind::DeliveryGroup;
    // A group never changes its region, so it may be looked at ahead of the switch.
    let group = consumer(call, kind, "AppInstanceGroupId").await?.instance;
    if group.labels.region != region {
        return Err(AppStreamError::invalid("BizRegionId"));
    }
    let results = reinit_instances(call.app, &call.caller, kind, &[group.id], Some(&image), call.now).await?;
    for result in results {
        result.map_err(|refusal| about("AppInstanceGroupId", refusal))?;
    }
    // `Code` and `Message` tell of errors only: clients take a success with another code for a failure.
    Ok(json!({}))
}

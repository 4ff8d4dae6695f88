//! CreateImage: makes an image of an instance or of a snapshot.

use calotype_core::ids::{InstanceId, SnapshotId};
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{required_name, target_region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::create_image::{CreateImage, Origin, create_image};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateImage",
    action: "ens:CreateImage",
    parameters: &[
        Parameter::optional("DeleteAfterImageUpload", Kind::Text),
        Parameter::required("ImageName", Kind::Text),
        Parameter::optional("InstanceId", Kind::Text),
        Parameter::optional("SnapshotId", Kind::Text),
        Parameter::optional("TargetOSSRegionId", Kind::Text),
        Parameter::optional("WithDataDisks", Kind::Boolean),
    ],
    summary: "Makes a custom image of an instance or of a snapshot.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let name = required_name(params, "ImageName")?.to_owned();
    for name in ["WithDataDisks", "DeleteAfterImageUpload"] {
        params.boolean(name)?;
    }
    // A snapshot says more exactly than its instance what is meant.
    let origin = match (params.text("SnapshotId"), params.text("InstanceId")) {
        (Some(id), _) => {
            Origin::Snapshot(SnapshotId::parse(id).map_err(|_| EnsError::invalid("SnapshotId"))?)
        }
        (None, Some(id)) => {
            Origin::Instance(InstanceId::parse(id).map_err(|_| EnsError::invalid("InstanceId"))?)
        }
        (None, None) => return Err(EnsError::MissingParameter),
    };
    let command = CreateImage { name, origin, region: target_region(params)? };
    let image = create_image(call.app, &call.caller, command, call.now).await?;
    Ok(json!({ "Code": 0, "ImageId": image.as_str() }))
}

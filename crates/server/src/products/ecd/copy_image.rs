//! CopyImage: copies a custom image to another region, as an image of its own.

use calotype_core::ids::RegionId;
use calotype_core::name;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::{description, image_id, region, required};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::copy_image::{CopyImage, copy_image};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CopyImage",
    action: "ecd:CopyImage",
    parameters: &[
        Parameter::optional("DestinationDescription", Kind::Text),
        Parameter::required("DestinationImageName", Kind::Text),
        Parameter::required("DestinationRegionId", Kind::Text),
        Parameter::required("ImageId", Kind::Text),
        Parameter::required("RegionId", Kind::Text),
    ],
    summary: "Copies a custom image to another region, as an image with an id and bytes of its own.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let image = image_id(params)?;
    let source = region(call)?;
    let name = required(params, "DestinationImageName")?;
    if !name::is_valid(name) {
        return Err(EcdError::invalid("DestinationImageName"));
    }
    let destination = RegionId::parse(required(params, "DestinationRegionId")?).ok();
    let known = |region: &RegionId| *region != source && call.app.places.region(region).is_some();
    let destination = destination.filter(known).ok_or(EcdError::invalid("DestinationRegionId"))?;
    let description = description(params, "DestinationDescription")?;
    let details = description.map(|text| ("Description".to_owned(), text.to_owned()));
    let details = details.into_iter().collect();
    let command = CopyImage { image, source, destination, name: name.to_owned(), details };
    let copy = copy_image(call.app, &call.caller, command, call.now).await?;
    Ok(json!({ "ImageId": copy.as_str() }))
}

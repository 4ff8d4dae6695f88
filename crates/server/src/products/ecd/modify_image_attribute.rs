//! ModifyImageAttribute: changes name and description of a custom image.

use calotype_core::name;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::{description, image_id, region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::relabel_image::relabel_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifyImageAttribute",
    action: "ecd:ModifyImageAttribute",
    parameters: &[
        Parameter::optional("Description", Kind::Text),
        Parameter::required("ImageId", Kind::Text),
        Parameter::optional("Name", Kind::Text),
        Parameter::required("RegionId", Kind::Text),
    ],
    summary: "Changes name and description of a custom image, in every region; what is left out stays.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let image = image_id(call.params)?;
    region(call)?;
    let name = call.params.text("Name");
    if name.is_some_and(|name| !name::is_valid(name)) {
        return Err(EcdError::invalid("Name"));
    }
    let description = description(call.params, "Description")?;
    let changed = description.map(|text| ("Description".to_owned(), text.to_owned()));
    let changed = changed.into_iter().collect();
    relabel_image(call.app, &call.caller, &image, name, changed, call.now).await?;
    Ok(json!({}))
}

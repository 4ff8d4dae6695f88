//! GetDeletion: how far the deletion of an image is, region by region.

use calotype_core::ids::DeletionId;
use serde_json::{Value, json};

use super::deletion_render::{deletion, erasure};
use super::error::CalotypeError;
use super::{API, answer, image_id};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::get_deletion::{Which, get_deletion};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "GetDeletion",
    action: "calotype:GetDeletion",
    parameters: &[Parameter::optional("DeletionId", Kind::Text), Parameter::optional("ImageId", Kind::Text)],
    summary: "Tells how far a deletion is, named by its own id or as the latest of an image.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    let which = match call.params.text("DeletionId") {
        Some(id) => Which::Deletion(DeletionId::parse(id).map_err(|_| CalotypeError::invalid("DeletionId"))?),
        None => Which::Image(image_id(call.params)?),
    };
    let found = get_deletion(call.app, &call.caller, &which).await?;
    let (found, erasures) = found.ok_or(CalotypeError::DeletionNotExist)?;
    let mut shown = deletion(&found, call.caller.account(), call.now);
    if let Some(members) = shown.as_object_mut() {
        let regions = erasures.iter().map(|one| erasure(one, &found)).collect::<Vec<_>>();
        members.insert("Regions".to_owned(), regions.into());
    }
    Ok(json!({ "Deletion": shown }))
}

//! ModifyImageSharePermission: shares an image with accounts or takes shares back.

use calotype_core::ids::AccountId;
use calotype_core::image::Product;
use calotype_core::share_image::ShareImage;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{image_id, in_the_singular};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::share_image::share_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifyImageSharePermission",
    action: "ens:ModifyImageSharePermission",
    parameters: &[
        Parameter::optional("AddAccounts", Kind::Text),
        Parameter::required("ImageId", Kind::Text),
        Parameter::optional("RemoveAccounts", Kind::Text),
    ],
    summary: "Shares an image with accounts or takes shares back.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    // This page says it in the singular.
    let image = image_id(call.params).map_err(in_the_singular)?;
    let command =
        ShareImage { image, add: accounts(call, "AddAccounts")?, remove: accounts(call, "RemoveAccounts")? };
    if command.add.is_empty() && command.remove.is_empty() {
        return Err(EnsError::MissingOneParameter);
    }
    share_image(call.app, &call.caller, Product::Ens, &command, call.now).await?;
    Ok(json!({}))
}

fn accounts(call: &Call<'_>, name: &'static str) -> Result<Vec<AccountId>, EnsError> {
    let parse = |id| AccountId::parse(id).map_err(|_| EnsError::invalid(name));
    call.params.comma_list(name).into_iter().map(parse).collect()
}

//! ModifyImagePermission: shares an image with accounts or takes shares back.

use calotype_core::ids::AccountId;
use calotype_core::image::Product;
use calotype_core::share_image::ShareImage;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::{image_id, region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::share_image::share_image;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifyImagePermission",
    action: "ecd:ModifyImagePermission",
    parameters: &[
        Parameter::optional("AddAccount", Kind::FlatList),
        Parameter::required("ImageId", Kind::Text),
        Parameter::required("RegionId", Kind::Text),
        Parameter::optional("RemoveAccount", Kind::FlatList),
    ],
    summary: "Shares a custom image with accounts or takes shares back.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Accounts that one call can share with.
const ADD_MAX: usize = 20;

/// Accounts that one call can take shares back from; those behind them are not read.
const REMOVE_READ: u32 = 10;

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let image = image_id(call.params)?;
    region(call)?;
    let add = call.params.list("AddAccount");
    if add.len() > ADD_MAX {
        return Err(EcdError::invalid("AddAccount"));
    }
    let remove: Vec<String> = (1..=REMOVE_READ).map(|place| format!("RemoveAccount.{place}")).collect();
    let remove = remove.iter().filter_map(|name| call.params.text(name));
    let command =
        ShareImage { image, add: accounts(add, "AddAccount")?, remove: accounts(remove, "RemoveAccount")? };
    if command.add.is_empty() && command.remove.is_empty() {
        return Err(EcdError::MissingParameter);
    }
    share_image(call.app, &call.caller, Product::AppStreaming, &command, call.now).await?;
    Ok(json!({}))
}

/// Accounts, whose ids are numbers.
fn accounts<'a>(
    ids: impl IntoIterator<Item = &'a str>,
    name: &'static str,
) -> Result<Vec<AccountId>, EcdError> {
    let parse = |id: &str| {
        let account = AccountId::parse(id).ok().filter(|_| id.bytes().all(|byte| byte.is_ascii_digit()));
        account.ok_or(EcdError::invalid(name))
    };
    ids.into_iter().map(parse).collect()
}

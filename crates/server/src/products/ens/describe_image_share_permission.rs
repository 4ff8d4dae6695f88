//! DescribeImageSharePermission: the accounts that an image is shared with.

use calotype_core::image::Product;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::image_id;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::share_image::image_shares;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeImageSharePermission",
    action: "ens:DescribeImageSharePermission",
    parameters: &[
        Parameter::optional("AliyunId", Kind::Integer),
        Parameter::required("ImageId", Kind::Text),
        Parameter::optional("PageNumber", Kind::Text),
        Parameter::optional("PageSize", Kind::Text),
    ],
    summary: "Lists the accounts that an image of the caller is shared with.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most accounts on a page.
const PAGE_SIZE_MAX: i64 = 100;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let image = image_id(call.params)?;
    let paging = Paging::of(call.params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    call.params.integer("AliyunId")?;
    let only = call.params.text("AliyunId");
    let shares = image_shares(call.app, &call.caller, Product::Ens, &image).await?;
    let shares: Vec<_> =
        shares.iter().filter(|account| only.is_none_or(|only| account.as_str() == only)).collect();
    let (skip, take) = (paging.offset().unsigned_abs(), paging.size.unsigned_abs());
    let page: Vec<_> = (0..)
        .zip(&shares)
        .skip_while(|(place, _)| *place < skip)
        .take_while(|(place, _)| *place - skip < take)
        .map(|(_, account)| json!({ "AliyunUid": account.as_str() }))
        .collect();
    Ok(json!({
        "Accounts": { "Account": page },
        "ImageId": image.as_str(),
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": shares.len(),
    }))
}

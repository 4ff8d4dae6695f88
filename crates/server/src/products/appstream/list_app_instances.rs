//! ListAppInstances: the sessions of a delivery group: none, because nothing runs here.

use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{consumer, texts};
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListAppInstances",
    action: "appstreaming:ListAppInstances",
    parameters: &[
        Parameter::required("AppInstanceGroupId", Kind::Text),
        Parameter::optional("AppInstanceId", Kind::Text),
        Parameter::optional("AppInstanceIdList", Kind::FlatList),
        Parameter::optional("IncludeDeleted", Kind::Boolean),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::optional("Status", Kind::FlatList),
        Parameter::optional("UserIdList", Kind::FlatList),
    ],
    summary: "Lists the sessions of a delivery group, of which there are none here.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Sessions on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 20;

/// The most sessions on a page.
const PAGE_SIZE_MAX: i64 = 100;

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    for list in ["Status", "UserIdList"] {
        texts(params, list)?;
    }
    let ids = texts(params, "AppInstanceIdList")?;
    if params.boolean("IncludeDeleted")?.unwrap_or(false) && ids.is_empty() {
        return Err(AppStreamError::invalid("AppInstanceIdList"));
    }
    consumer(call, ConsumerKind::DeliveryGroup, "AppInstanceGroupId").await?;
    Ok(json!({
        "AppInstanceModels": [],
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": 0,
    }))
}

//! DescribeTemplates: the cloud-desktop templates of the caller.

use calotype_core::ids::TemplateId;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::ids;
use super::{API, answer, envelope, template_render};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_templates::{TemplateFilter, describe_templates};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeTemplates",
    action: "ecd:DescribeTemplates",
    parameters: &[
        Parameter::optional("BizRegionId", Kind::Text),
        Parameter::optional("BizType", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("Keyword", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("TemplateIds", Kind::FlatList),
        Parameter::optional("TemplateName", Kind::Text),
        Parameter::optional("TemplateType", Kind::Text),
    ],
    summary: "Lists the cloud-desktop templates of the caller, all or those that reference an image.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Templates on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 20;

/// The most templates on a page.
const PAGE_SIZE_MAX: i64 = 100;

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let ids = ids(params, "TemplateIds", TemplateId::parse)?;
    let filter = TemplateFilter {
        ids: ids.iter().map(TemplateId::as_str).collect(),
        image: params.text("ImageId"),
        keyword: params.text("Keyword"),
        name_part: params.text("TemplateName"),
    };
    // There are no templates but those of users, for cloud desktops.
    let possible = matches!(params.text("TemplateType"), None | Some("USER_TEMPLATE"))
        && matches!(params.text("ProductType"), None | Some("CloudDesktop" | "CLOUD_DESKTOP"));
    let limit = if possible { paging.size } else { 0 };
    let page = describe_templates(call.app, &call.caller, &filter, paging.offset(), limit).await?;
    let region = params.text("BizRegionId");
    let request_id = &call.caller.request_id;
    let templates: Vec<_> =
        page.items.iter().map(|item| template_render::template(item, region, request_id)).collect();
    Ok(envelope([
        ("Data", json!(templates)),
        ("PageNumber", json!(paging.number)),
        ("PageSize", json!(paging.size)),
        ("TotalCount", json!(if possible { page.total } else { 0 })),
    ]))
}

//! ListAppInstanceGroup: the delivery groups of the caller.

use calotype_core::instance::Activity;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{must_be_cloud_app, texts};
use super::render;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_instances::{InstanceFilter, TAGS_IN_FILTER_MAX, describe_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListAppInstanceGroup",
    action: "appstreaming:ListAppInstanceGroup",
    parameters: &[
        Parameter::optional("AppCenterImageId", Kind::Text),
        Parameter::optional("AppInstanceGroupId", Kind::Text),
        Parameter::optional("AppInstanceGroupName", Kind::Text),
        Parameter::optional("BizRegionId", Kind::Text),
        Parameter::optional("ExcludedUserGroupIds", Kind::FlatList),
        Parameter::optional("NodeInstanceType", Kind::Text),
        Parameter::optional("OfficeSiteId", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::required("ProductType", Kind::Text),
        Parameter::optional("RegionId", Kind::Text),
        Parameter::optional("Status", Kind::FlatList),
        Parameter::optional("Tag", Kind::FlatList),
        Parameter::optional("UserGroupIds", Kind::FlatList),
    ],
    summary: "Lists the delivery groups of the caller.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most groups on a page.
const PAGE_SIZE_MAX: i64 = 100;

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    must_be_cloud_app(params)?;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let tags = params.objects("Tag")?;
    let mut filter = InstanceFilter {
        ids: params.text("AppInstanceGroupId").into_iter().collect(),
        image: params.text("AppCenterImageId"),
        name_part: params.text("AppInstanceGroupName"),
        // `RegionId` is deprecated, and clients add it to whatever they send.
        regions: params.text("BizRegionId").into_iter().collect(),
        instance_type: params.text("NodeInstanceType"),
        echo: params.text("OfficeSiteId").map(|site| ("OfficeSiteId", site)).into_iter().collect(),
        tags: tag_filter(&tags)?,
        now: call.now.as_millis(),
        ..InstanceFilter::default()
    };
    let possible = narrow(&mut filter, params)?;
    let limit = if possible { paging.size } else { 0 };
    let kind = ConsumerKind::DeliveryGroup;
    let page = describe_instances(call.app, &call.caller, kind, &filter, paging.offset(), limit).await?;
    let groups: Vec<_> = page
        .items
        .iter()
        .map(|item| {
            let mut group = render::group(item, call.now);
            group.insert("AppPolicyImageCheck".to_owned(), json!(false));
            group.insert("AppPolicyVersion".to_owned(), json!(""));
            group.insert("ResourceTags".to_owned(), render::tags(item));
            group
        })
        .collect();
    Ok(json!({
        "AppInstanceGroupModels": groups,
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": if possible { page.total } else { 0 },
    }))
}

fn tag_filter(tags: &[Params]) -> Result<Vec<(&str, Option<&str>)>, AppStreamError> {
    if tags.len() > TAGS_IN_FILTER_MAX {
        return Err(AppStreamError::invalid("Tag"));
    }
    let tag = |tag| {
        Params::text(tag, "Key").map(|key| (key, tag.text("Value"))).ok_or(AppStreamError::invalid("Tag"))
    };
    tags.iter().map(tag).collect()
}

/// Adds the filter for the statuses; `false` if no group can match.
fn narrow(filter: &mut InstanceFilter<'_>, params: &Params) -> Result<bool, AppStreamError> {
    let statuses = texts(params, "Status")?;
    let activities: Vec<Activity> =
        statuses.iter().flat_map(|status| render::group_activities(status)).copied().collect();
    let never = !statuses.is_empty() && activities.is_empty();
    filter.activities = activities;
    // No user groups exist here, so none is authorized, and none need be excluded. A comma would make
    // two values of one.
    let exact = filter.ids.iter().chain(&filter.regions).all(|value| !value.contains(','));
    texts(params, "ExcludedUserGroupIds")?;
    Ok(!never && exact && texts(params, "UserGroupIds")?.is_empty())
}

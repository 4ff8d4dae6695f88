//! ListWuyingServer: the workstations of the caller.

use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{may_be_workstation, texts};
use super::render::{self, EXPIRES};
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_instances::{InstanceFilter, describe_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListWuyingServer",
    action: "appstreaming:ListWuyingServer",
    parameters: &[
        Parameter::optional("AddVirtualNodePoolStatusList", Kind::FlatList),
        Parameter::optional("BizRegionId", Kind::Text),
        Parameter::optional("BizType", Kind::Integer),
        Parameter::optional("ChargeType", Kind::Text),
        Parameter::optional("CreateTimeEnd", Kind::Text),
        Parameter::optional("CreateTimeStart", Kind::Text),
        Parameter::optional("ExpiredTimeEnd", Kind::Text),
        Parameter::optional("ExpiredTimeStart", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("NetworkInterfaceIp", Kind::Text),
        Parameter::optional("OfficeSiteId", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("ServerInstanceType", Kind::Text),
        Parameter::optional("Status", Kind::Text),
        Parameter::optional("Users", Kind::FlatList),
        Parameter::optional("VirtualNodePoolId", Kind::Text),
        Parameter::optional("WuyingServerIdList", Kind::FlatList),
        Parameter::optional("WuyingServerNameOrId", Kind::Text),
        Parameter::optional("ZoneId", Kind::Text),
    ],
    summary: "Lists the workstations of the caller.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most workstations on a page.
const PAGE_SIZE_MAX: i64 = 100;

/// Filters for things that no workstation has here, so nothing matches them.
const NEVER_MATCHING: [&str; 2] = ["NetworkInterfaceIp", "ZoneId"];
const NEVER_MATCHING_LISTS: [&str; 2] = ["AddVirtualNodePoolStatusList", "Users"];

/// Filters for parameters of the launch.
const ECHOED: [&str; 2] = ["OfficeSiteId", "VirtualNodePoolId"];

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    may_be_workstation(params)?;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let ids = texts(params, "WuyingServerIdList")?;
    let mut filter = InstanceFilter {
        ids: ids.iter().map(String::as_str).collect(),
        image: params.text("ImageId"),
        regions: params.text("BizRegionId").into_iter().collect(),
        instance_type: params.text("ServerInstanceType"),
        search: params.text("WuyingServerNameOrId"),
        echo: ECHOED.iter().filter_map(|name| Some((*name, params.text(name)?))).collect(),
        created_ms: (
            time(params, "CreateTimeStart")?,
            // The end is not part of the range.
            time(params, "CreateTimeEnd")?.map(|end| end - 1),
        ),
        now: call.now.as_millis(),
        ..InstanceFilter::default()
    };
    let possible = narrow(&mut filter, params)?;
    let limit = if possible { paging.size } else { 0 };
    let kind = ConsumerKind::Workstation;
    let page = describe_instances(call.app, &call.caller, kind, &filter, paging.offset(), limit).await?;
    let workstations: Vec<_> =
        page.items.iter().map(|item| render::listed_workstation(item, call.now)).collect();
    Ok(json!({
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": if possible { page.total } else { 0 },
        "WuyingServerList": workstations,
    }))
}

/// A time in any spelling of ISO 8601 that has a zone, in milliseconds.
fn time(params: &Params, name: &'static str) -> Result<Option<i64>, AppStreamError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let time: jiff::Timestamp = text.parse().map_err(|_| AppStreamError::invalid(name))?;
    Ok(Some(time.as_millisecond()))
}

/// Adds the filters with a few known values; `false` if no workstation can match.
fn narrow(filter: &mut InstanceFilter<'_>, params: &Params) -> Result<bool, AppStreamError> {
    let mut possible = true;
    if let Some(status) = params.text("Status") {
        filter.activities = render::workstation_activity(status).into_iter().collect();
        possible &= !filter.activities.is_empty();
    }
    match params.text("ChargeType") {
        None => {}
        Some("PrePaid") => filter.charge_type = Some(ChargeType::PrePaid),
        Some("PostPaid") => filter.charge_type = Some(ChargeType::PostPaid),
        Some(_) => possible = false,
    }
    let (start, end) = (time(params, "ExpiredTimeStart")?, time(params, "ExpiredTimeEnd")?);
    if start.is_some() || end.is_some() {
        // Subscriptions run out at one time, the others never do.
        possible &= filter.charge_type != Some(ChargeType::PostPaid);
        possible &= start.is_none_or(|start| start <= EXPIRES.as_millis());
        possible &= end.is_none_or(|end| EXPIRES.as_millis() < end);
        filter.charge_type = Some(ChargeType::PrePaid);
    }
    for name in NEVER_MATCHING_LISTS {
        possible &= texts(params, name)?.is_empty();
    }
    possible &= matches!(params.integer("BizType")?, None | Some(1));
    // A comma would make two values of one.
    possible &= filter.ids.iter().chain(&filter.regions).all(|value| !value.contains(','));
    Ok(possible && NEVER_MATCHING.iter().all(|name| params.text(name).is_none()))
}

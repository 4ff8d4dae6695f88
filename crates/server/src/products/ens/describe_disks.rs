//! DescribeDisks: the disks of the caller's instances.

use calotype_core::instance::{ChargeType, DiskKind};
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::id_or_list;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_disks::{DiskFilter, ListedDisk, describe_disks};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeDisks",
    action: "ens:DescribeDisks",
    parameters: &[
        Parameter::optional("Category", Kind::Text),
        Parameter::optional("DiskChargeType", Kind::Text),
        Parameter::optional("DiskId", Kind::Text),
        Parameter::optional("DiskIds", Kind::Text),
        Parameter::optional("DiskName", Kind::Text),
        Parameter::optional("DiskType", Kind::Text),
        Parameter::optional("EnsRegionId", Kind::Text),
        Parameter::optional("EnsRegionIds", Kind::Text),
        Parameter::optional("InstanceId", Kind::Text),
        Parameter::optional("OrderByParams", Kind::Text),
        Parameter::optional("PageNumber", Kind::Text),
        Parameter::optional("PageSize", Kind::Text),
        Parameter::optional("SnapshotId", Kind::Text),
        Parameter::optional("Status", Kind::Text),
        Parameter::optional("Type", Kind::Text),
    ],
    summary: "Lists the disks of the caller's instances.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most disks on a page.
const PAGE_SIZE_MAX: i64 = 50;

const MIB_PER_GIB: i64 = 1024;

/// How disks are bought that come with an instance, in the vendor's spelling and in the usual one.
const WITH_INSTANCE: [&str; 2] = ["ResoureDisk", "ResourceDisk"];

const IN_USE: &str = "In-use";
const BEING_RESET: &str = "ReIniting";

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let mut ids = id_or_list(params, "DiskIds")?;
    ids.extend(params.text("DiskId").map(str::to_owned));
    let mut ens_regions = id_or_list(params, "EnsRegionIds")?;
    ens_regions.extend(params.text("EnsRegionId").map(str::to_owned));
    let order = params.structure("OrderByParams")?;
    let order = |name| order.as_ref().and_then(|order| order.text(name));
    let mut filter = DiskFilter {
        ids: ids.iter().map(String::as_str).collect(),
        name_part: params.text("DiskName"),
        instance: params.text("InstanceId"),
        ens_regions: ens_regions.iter().map(String::as_str).collect(),
        category: params.text("Category"),
        region_order: order("EnsRegionIdSort"),
        name_order: order("DiskNameSort"),
        ..DiskFilter::default()
    };
    let possible = narrow(&mut filter, params);
    let limit = if possible { paging.size } else { 0 };
    let page = describe_disks(call.app, &call.caller, &filter, paging.offset(), limit).await?;
    let disks: Vec<_> = page.items.iter().map(disk).collect();
    Ok(json!({
        "Code": 0,
        "Disks": { "Disks": disks },
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": if possible { page.total } else { 0 },
    }))
}

/// Adds the filters with a few known values; `false` if no disk can match.
fn narrow(filter: &mut DiskFilter<'_>, params: &Params) -> bool {
    match params.text("Type") {
        None => {}
        Some("system" | "1") => filter.kind = Some(DiskKind::System),
        Some("data" | "2") => filter.kind = Some(DiskKind::Data),
        Some(_) => return false,
    }
    // One page writes these words in two ways.
    match params.text("DiskChargeType").map(str::to_ascii_lowercase).as_deref() {
        None => {}
        Some("prepay" | "prepaid") => filter.charge_type = Some(ChargeType::PrePaid),
        Some("postpay" | "postpaid") => filter.charge_type = Some(ChargeType::PostPaid),
        Some(_) => return false,
    }
    match params.text("Status") {
        None => {}
        Some(IN_USE) => filter.is_reinitialised = Some(false),
        Some(BEING_RESET) => filter.is_reinitialised = Some(true),
        Some(_) => return false,
    }
    // Every disk came with its instance, and none was made of a snapshot.
    params.text("DiskType").is_none_or(|kind| WITH_INSTANCE.contains(&kind))
        && params.text("SnapshotId").is_none()
}

fn disk(item: &ListedDisk) -> Value {
    let id = item.disk.id.as_str();
    json!({
        "Category": item.disk.category,
        "CreationTime": item.created.to_string(),
        "DeleteWithInstance": true,
        "Description": "",
        "DiskChargeType": match item.charge_type {
            ChargeType::PrePaid => "prepay",
            ChargeType::PostPaid => "postpay",
        },
        "DiskId": id,
        "DiskName": id,
        "Encrypted": false,
        "EncryptedKeyId": "",
        "EnsRegionId": item.ens_region,
        "InstanceId": item.instance.as_str(),
        "InstanceName": item.instance_name,
        "Portable": false,
        "SerialId": id.strip_prefix("d-").unwrap_or(id),
        "Size": item.disk.size_gib * MIB_PER_GIB,
        "SnapshotId": "",
        "Status": if item.is_reinitialised { BEING_RESET } else { IN_USE },
        "Tags": { "Tags": [] },
        "Type": match item.disk.kind {
            DiskKind::System => "1",
            DiskKind::Data => "2",
        },
    })
}

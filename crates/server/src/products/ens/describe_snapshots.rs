//! DescribeSnapshots: the snapshots of the caller.

use calotype_core::snapshot::{Snapshot, SnapshotState};
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::id_or_list;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_snapshots::{SnapshotFilter, describe_snapshots};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeSnapshots",
    action: "ens:DescribeSnapshots",
    parameters: &[
        Parameter::optional("DiskId", Kind::Text),
        Parameter::optional("EnsRegionId", Kind::Text),
        Parameter::optional("EnsRegionIds", Kind::Text),
        Parameter::optional("InstanceId", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::optional("SnapshotId", Kind::Text),
        Parameter::optional("SnapshotName", Kind::Text),
    ],
    summary: "Lists the snapshots of the caller.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most snapshots on a page.
const PAGE_SIZE_MAX: i64 = 100;

const MIB_PER_GIB: i64 = 1024;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let ids = id_or_list(params, "SnapshotId")?;
    let mut ens_regions = id_or_list(params, "EnsRegionIds")?;
    ens_regions.extend(params.text("EnsRegionId").map(str::to_owned));
    let filter = SnapshotFilter {
        ids: ids.iter().map(String::as_str).collect(),
        name_part: params.text("SnapshotName"),
        disk: params.text("DiskId"),
        instance: params.text("InstanceId"),
        ens_regions: ens_regions.iter().map(String::as_str).collect(),
    };
    let page = describe_snapshots(call.app, &call.caller, &filter, paging.offset(), paging.size).await?;
    let snapshots: Vec<_> = page.items.iter().map(snapshot).collect();
    Ok(json!({
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "Snapshots": snapshots,
        "TotalCount": page.total,
    }))
}

fn snapshot(snapshot: &Snapshot) -> Value {
    let status = match snapshot.state {
        SnapshotState::Creating => "creating",
        SnapshotState::Available => "available",
        SnapshotState::Error => "error",
    };
    json!({
        "CreationTime": snapshot.created.to_string(),
        "Description": snapshot.description,
        "EnsRegionId": snapshot.ens_region,
        "Size": (snapshot.size_gib * MIB_PER_GIB).to_string(),
        "SnapshotId": snapshot.id.as_str(),
        "SnapshotName": snapshot.name,
        "SnapshotType": "user",
        "SourceDiskCategory": snapshot.disk_category,
        "SourceDiskId": snapshot.disk.as_str(),
        "SourceDiskType": "1",
        "SourceEnsRegionId": snapshot.ens_region,
        "SourceSnapshotId": "",
        "Status": status,
    })
}

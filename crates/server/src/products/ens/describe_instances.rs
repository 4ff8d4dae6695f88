//! DescribeInstances: the instances of the caller.

use calotype_core::instance::{Activity, ChargeType, Disk, DiskKind, PowerState, Transition};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::id_or_list;
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_instances::{InstanceFilter, TaggedInstance, describe_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeInstances",
    action: "ens:DescribeInstances",
    parameters: &[
        Parameter::optional("EipAddresses", Kind::JsonList),
        Parameter::optional("EnsRegionId", Kind::Text),
        Parameter::optional("EnsRegionIds", Kind::Text),
        Parameter::optional("EnsServiceId", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("InstanceId", Kind::Text),
        Parameter::optional("InstanceIds", Kind::Text),
        Parameter::optional("InstanceName", Kind::Text),
        Parameter::optional("InstanceResourceType", Kind::Text),
        Parameter::optional("InstanceType", Kind::Text),
        Parameter::optional("IntranetIp", Kind::Text),
        Parameter::optional("NetworkId", Kind::Text),
        Parameter::optional("OrderByParams", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Text),
        Parameter::optional("SearchKey", Kind::Text),
        Parameter::optional("SecurityGroupId", Kind::Text),
        Parameter::optional("ServiceStatus", Kind::JsonList),
        Parameter::optional("Status", Kind::Text),
        Parameter::optional("Tags", Kind::JsonList),
        Parameter::optional("VSwitchId", Kind::Text),
        Parameter::optional("VpdId", Kind::Text),
        Parameter::optional("VpdVSwitchId", Kind::Text),
    ],
    summary: "Lists the instances of the caller.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most instances on a page.
const PAGE_SIZE_MAX: i64 = 100;

const MIB_PER_GIB: i64 = 1024;

/// Filters for things that no instance has here, so nothing matches them.
const NEVER_MATCHING: [&str; 5] = ["EipAddresses", "EnsServiceId", "ServiceStatus", "VpdId", "VpdVSwitchId"];

/// Filters for parameters of the launch, with the names that these had there.
const ECHOED: [(&str, &str); 4] = [
    ("IntranetIp", "PrivateIpAddress"),
    ("NetworkId", "NetWorkId"),
    ("SecurityGroupId", "SecurityId"),
    ("VSwitchId", "VSwitchId"),
];

/// Tags that can be filtered by at once.
const TAGS_MAX: usize = 3;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let mut ids = id_or_list(params, "InstanceIds")?;
    ids.extend(params.text("InstanceId").map(str::to_owned));
    let mut regions = id_or_list(params, "EnsRegionIds")?;
    regions.extend(params.text("EnsRegionId").map(str::to_owned));
    let tags = params.objects("Tags")?;
    let order = params.structure("OrderByParams")?;
    let mut filter = InstanceFilter {
        ids: ids.iter().map(String::as_str).collect(),
        image: params.text("ImageId"),
        name_part: params.text("InstanceName"),
        regions: regions.iter().map(String::as_str).collect(),
        instance_type: params.text("InstanceType"),
        search: params.text("SearchKey"),
        tags: tag_filter(&tags)?,
        echo: ECHOED.iter().filter_map(|(name, given)| Some((*given, params.text(name)?))).collect(),
        name_order: order.as_ref().and_then(|order| order.text("InstanceNameSort")),
        now: call.now.as_millis(),
        ..InstanceFilter::default()
    };
    let possible = narrow(&mut filter, params);
    let limit = if possible { paging.size } else { 0 };
    let page =
        describe_instances(call.app, &call.caller, ConsumerKind::Instance, &filter, paging.offset(), limit)
            .await?;
    let instances: Vec<_> = page.items.iter().map(|item| instance(item, call.now)).collect();
    Ok(json!({
        "Code": 0,
        "Instances": { "Instance": instances },
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": if possible { page.total } else { 0 },
    }))
}

fn tag_filter(tags: &[Params]) -> Result<Vec<(&str, Option<&str>)>, EnsError> {
    if tags.len() > TAGS_MAX {
        return Err(EnsError::invalid("Tags"));
    }
    let tag =
        |tag| Params::text(tag, "Key").map(|key| (key, tag.text("Value"))).ok_or(EnsError::invalid("Tags"));
    tags.iter().map(tag).collect()
}

/// Adds the filters with a few known values; `false` if no instance can match.
fn narrow(filter: &mut InstanceFilter<'_>, params: &Params) -> bool {
    match params.text("Status") {
        None => {}
        Some("Running") => filter.power = Some(PowerState::Running),
        Some("Stopped") => filter.power = Some(PowerState::Stopped),
        Some(_) => return false,
    }
    match params.text("InstanceResourceType") {
        None => {}
        Some("EnsInstance") => filter.charge_type = Some(ChargeType::PrePaid),
        Some("EnsPostPaidInstance") => filter.charge_type = Some(ChargeType::PostPaid),
        Some(_) => return false,
    }
    NEVER_MATCHING.iter().all(|name| params.text(name).is_none())
}

fn status(activity: Activity) -> &'static str {
    match activity {
        Activity::Settled(PowerState::Running) => "Running",
        Activity::Settled(PowerState::Stopped) => "Stopped",
        Activity::Moving(Transition::Pending) => "Pending",
        Activity::Moving(Transition::Starting) => "Starting",
        Activity::Moving(Transition::Stopping) => "Stopping",
        Activity::Reinitialising => "ReIniting",
    }
}

fn instance(item: &TaggedInstance, now: Timestamp) -> Value {
    let instance = &item.instance;
    let echo =
        |name| instance.labels.echo.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
    let some = |text: &str| if text.is_empty() { vec![] } else { vec![text.to_owned()] };
    let (system, data): (Vec<_>, Vec<_>) =
        instance.disks.iter().partition(|disk| disk.kind == DiskKind::System);
    let disks_mib: i64 = instance.disks.iter().map(|disk| disk.size_gib * MIB_PER_GIB).sum();
    let (resource_type, expires) = match instance.charge_type {
        // Nothing is sold here, so a subscription does not run out.
        ChargeType::PrePaid => ("EnsInstance", "2099-12-31T16:00:00Z"),
        ChargeType::PostPaid => ("EnsPostPaidInstance", ""),
    };
    json!({
        "AutoReleaseTime": echo("AutoReleaseTime"),
        // The catalogue of specifications is not part of an image service.
        "Cpu": "0",
        "Memory": 0,
        "CreationTime": instance.created.to_string(),
        "DataDisk": { "DataDisk": data.iter().map(|disk| data_disk(disk)).collect::<Vec<_>>() },
        "DeletionProtection": instance.deletion_protection,
        "Disk": disks_mib,
        "EnsRegionId": instance.labels.region,
        "ExpiredTime": expires,
        "HostName": echo("HostName"),
        "ImageId": instance.image.as_str(),
        "InnerIpAddress": { "IpAddress": some(echo("PrivateIpAddress")) },
        "InstanceId": instance.id.as_str(),
        "InstanceName": instance.labels.name,
        "InstanceResourceType": resource_type,
        "InstanceTypeFamily": instance.labels.instance_type.rsplit_once('.').map_or("", |(family, _)| family),
        "InternetMaxBandwidthIn": 0,
        "InternetMaxBandwidthOut": echo("InternetMaxBandwidthOut").parse::<i64>().unwrap_or(0),
        "KeyPairName": echo("KeyPairName"),
        "NetworkAttributes": {
            "NetworkId": echo("NetWorkId"),
            "PrivateIpAddress": { "IpAddress": some(echo("PrivateIpAddress")) },
            "VSwitchId": echo("VSwitchId"),
        },
        "NetworkInterfaces": { "NetworkInterfaces": [] },
        "OSName": instance.image.as_str(),
        "PrivateIpAddresses": { "PrivateIpAddress": [] },
        "PublicIpAddress": { "IpAddress": [] },
        "PublicIpAddresses": { "PublicIpAddress": [] },
        "SecurityGroupIds": { "SecurityGroupId": some(echo("SecurityId")) },
        "ServiceStatus": "",
        "SpecName": instance.labels.instance_type,
        "SpotStrategy": echo("SpotStrategy"),
        "Status": status(instance.activity(now)),
        "SystemDisk": system.first().map_or(json!({}), |disk| system_disk(disk)),
        "Tags": { "Tags": tags(item) },
    })
}

fn tags(item: &TaggedInstance) -> Vec<Value> {
    item.tags.iter().map(|tag| json!({ "TagKey": tag.key, "TagValue": tag.value })).collect()
}

fn system_disk(disk: &Disk) -> Value {
    json!({
        "Category": disk.category,
        "DiskId": disk.id.as_str(),
        "DiskName": disk.id.as_str(),
        "Size": disk.size_gib * MIB_PER_GIB,
        "device_type": "virtio",
        "disk_type": "system",
        "name": disk.id.as_str(),
        "storage": disk.size_gib * MIB_PER_GIB,
        "uuid": disk.id.as_str(),
    })
}

fn data_disk(disk: &Disk) -> Value {
    json!({
        "Category": disk.category,
        "DiskId": disk.id.as_str(),
        "DiskName": disk.id.as_str(),
        "DiskSize": disk.size_gib,
        "EncryptKeyId": "",
        "Encrypted": false,
        "Size": disk.size_gib * MIB_PER_GIB,
        "device_type": "virtio",
        "disk_type": "data",
        "name": disk.id.as_str(),
        "storage": disk.size_gib * MIB_PER_GIB,
        "uuid": disk.id.as_str(),
    })
}

//! Delivery groups and workstations as their operations show them. What none has here is empty.

use calotype_core::instance::{Activity, ChargeType, Disk, DiskKind, Instance, PowerState, Transition};
use calotype_core::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::service::describe_instances::TaggedInstance;

/// When subscriptions run out: nothing is sold here, so they do not.
pub(super) const EXPIRES: Timestamp = Timestamp::from_millis(4_102_416_000_000);

/// `2022-04-26T15:06:16.000+00:00`.
pub(super) fn time(time: Timestamp) -> String {
    let millis = time.as_millis().rem_euclid(1000);
    format!("{}.{millis:03}+00:00", time.to_string().trim_end_matches('Z'))
}

/// A parameter of the launch as it came, or nothing.
pub(super) fn echo<'a>(instance: &'a Instance, name: &str) -> &'a str {
    instance.labels.echo.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

fn charge_type(instance: &Instance) -> &'static str {
    match instance.charge_type {
        ChargeType::PrePaid => "PrePaid",
        ChargeType::PostPaid => "PostPaid",
    }
}

fn expires(instance: &Instance) -> String {
    match instance.charge_type {
        ChargeType::PrePaid => time(EXPIRES),
        ChargeType::PostPaid => String::new(),
    }
}

fn members(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}

/// The name of the image, if the caller sees the image.
pub(super) fn image_name(item: &TaggedInstance) -> &str {
    item.image.as_ref().map_or("", |view| view.image.name.as_str())
}

fn os_type(item: &TaggedInstance) -> &str {
    item.image.as_ref().map_or("", |view| view.image.labels.os_type.as_str())
}

/// The status of a group, and that of its resources.
fn group_status(activity: Activity) -> (&'static str, &'static str) {
    match activity {
        Activity::Moving(_) => ("DEPLOYING", "CREATING"),
        Activity::Settled(_) => ("PUBLISHED", "AVAILABLE"),
        Activity::Reinitialising => ("MAINTAINING", "UPGRADING"),
    }
}

/// What a group of this status is doing; nothing, if no group here is ever in it.
pub(super) fn group_activities(status: &str) -> &'static [Activity] {
    match status {
        "DEPLOYING" => &[Activity::Moving(Transition::Pending)],
        "PUBLISHED" => &[Activity::Settled(PowerState::Running)],
        "MAINTAINING" => &[Activity::Reinitialising],
        _ => &[],
    }
}

const WORKSTATION_STATUSES: [(&str, Activity); 6] = [
    ("PENDING", Activity::Moving(Transition::Pending)),
    ("RUNNING", Activity::Settled(PowerState::Running)),
    ("STARTING", Activity::Moving(Transition::Starting)),
    ("STOPPED", Activity::Settled(PowerState::Stopped)),
    ("STOPPING", Activity::Moving(Transition::Stopping)),
    ("UPDATING", Activity::Reinitialising),
];

/// What a workstation of this status is doing, if one here is ever in it.
pub(super) fn workstation_activity(status: &str) -> Option<Activity> {
    WORKSTATION_STATUSES.iter().find(|(word, _)| *word == status).map(|(_, activity)| *activity)
}

fn workstation_status(activity: Activity) -> &'static str {
    WORKSTATION_STATUSES.iter().find(|(_, other)| *other == activity).map_or("", |(word, _)| word)
}

/// The id of something that a group has one of: the group's own with another prefix.
pub(super) fn id_beside(group: &str, prefix: &str) -> String {
    format!("{prefix}{}", group.trim_start_matches("aig-"))
}

/// The members that the two operations on groups have in common.
pub(super) fn group(item: &TaggedInstance, now: Timestamp) -> Map<String, Value> {
    let instance = &item.instance;
    let id = instance.id.as_str();
    let (status, resource_status) = group_status(instance.activity(now));
    let pool: Map<String, Value> =
        serde_json::from_str(echo(instance, "NodePool")).unwrap_or_else(|_| Map::new());
    let nodes = &pool["NodeAmount"];
    members(json!({
        "AccessType": "INTERNET",
        "Amount": nodes,
        "AppCenterImageId": instance.image.as_str(),
        "AppInstanceGroupId": id,
        "AppInstanceGroupName": instance.labels.name,
        "AppInstanceType": "__dynamic__",
        "AppPolicyId": echo(instance, "AppPolicyId"),
        "Apps": [],
        "AuthMode": echo(instance, "AuthMode"),
        "ChargeResourceMode": echo(instance, "ChargeResourceMode"),
        "ChargeType": charge_type(instance),
        "ExpiredTime": expires(instance),
        "GmtCreate": time(instance.created),
        "MaxAmount": nodes,
        "MinAmount": nodes,
        "NodePool": [node_pool(id, &pool)],
        "OfficeSiteId": echo(instance, "OfficeSiteId"),
        "OsType": os_type(item),
        "OtaInfo": { "NewOtaVersion": "", "OtaVersion": "", "TaskId": "" },
        "ProductType": "CloudApp",
        "RegionId": instance.labels.region,
        "ReserveAmountRatio": "",
        "ReserveMaxAmount": 0,
        "ReserveMinAmount": 0,
        "ResourceStatus": resource_status,
        "ScalingDownAfterIdleMinutes": pool["ScalingDownAfterIdleMinutes"],
        "ScalingStep": pool["ScalingStep"],
        "ScalingUsageThreshold": pool["ScalingUsageThreshold"],
        "SessionTimeout": echo(instance, "SessionTimeout"),
        "SkipUserAuthCheck": echo(instance, "SecurityPolicy.SkipUserAuthCheck") == "true",
        "SpecId": id_beside(id, "spec-"),
        "Status": status,
        "SupportUserGroupMixedAuth": false,
        "Tags": tags(item),
        "UserGroupAuthMode": "",
    }))
}

/// The node pool of a group: as it was asked for, with what became of it.
fn node_pool(group: &str, asked: &Map<String, Value>) -> Value {
    let mut pool = asked.clone();
    pool.extend(members(json!({
        "Amount": asked["NodeAmount"],
        "NodePoolId": id_beside(group, "rg-"),
        "NodeTypeName": "",
        "NodeUsed": 0,
        "ScalingNodeAmount": 0,
        "ScalingNodeUsed": 0,
    })));
    Value::Object(pool)
}

/// The tags of a group.
pub(super) fn tags(item: &TaggedInstance) -> Value {
    let tag = |(key, value): (&str, &str)| json!({ "Key": key, "Scope": "Custom", "Value": value });
    item.tags.iter().map(|given| tag((&given.key, &given.value))).collect()
}

/// The members that the two operations on workstations have in common.
pub(super) fn workstation(item: &TaggedInstance, now: Timestamp) -> Map<String, Value> {
    let instance = &item.instance;
    let system = instance.disks.iter().find(|disk| disk.kind == DiskKind::System);
    members(json!({
        "Bandwidth": echo(instance, "Bandwidth").parse::<i64>().unwrap_or(0),
        "BizRegionId": instance.labels.region,
        "ChargeType": charge_type(instance),
        "CreateTime": time(instance.created),
        "EniPrivateIpAddressQuantity": 0,
        "ExpiredTime": expires(instance),
        "ImageId": instance.image.as_str(),
        "ImageName": image_name(item),
        "NetworkInterfaceIp": "",
        "OfficeSiteId": echo(instance, "OfficeSiteId"),
        "OfficeSiteName": "",
        "OfficeSiteType": "",
        "OsType": os_type(item),
        "PrivateIpSets": [],
        "Status": workstation_status(instance.activity(now)),
        "SupportASP": true,
        "SystemDiskCategory": system.map_or("", |disk| &disk.category),
        "SystemDiskSize": system.map_or(0, |disk| disk.size_gib),
        "WuyingServerId": instance.id.as_str(),
        "WuyingServerName": instance.labels.name,
    }))
}

/// A workstation as the listing shows it.
pub(super) fn listed_workstation(item: &TaggedInstance, now: Timestamp) -> Value {
    let instance = &item.instance;
    let (system, data): (Vec<_>, Vec<_>) =
        instance.disks.iter().partition(|disk| disk.kind == DiskKind::System);
    let data: Vec<_> = (1..).zip(data).map(|(number, disk)| data_disk(instance, number, disk)).collect();
    let mut workstation = workstation(item, now);
    workstation.extend(members(json!({
        "AddVirtualNodePoolStatus": "",
        "AliUid": instance.owner.as_str().parse::<i64>().unwrap_or(0),
        "DataDisk": data,
        "ErdmaStatus": if echo(instance, "ErdmaEnabled") == "true" { "enabled" } else { "disabled" },
        "FotaVersion": "",
        "InstanceInfoList": [],
        "MaxPrice": echo(instance, "MaxPrice").parse::<f64>().unwrap_or(0.0),
        "PolicyGroupIdList": [],
        "ResourceSessionStatus": "",
        "SecurityGroupIds": [],
        // The catalogue of specifications is not part of an image service.
        "ServerInstanceTypeInfo": {
            "Cpu": "",
            "Gpu": "",
            "GpuMemory": 0,
            "GpuSpec": "",
            "Memory": 0,
            "ServerInstanceType": instance.labels.instance_type,
        },
        "Sessions": [],
        "SubPayType": echo(instance, "SubPayType"),
        "SystemDiskId": system.first().map_or("", |disk| disk.id.as_str()),
        "SystemDiskPerformanceLevel": echo(instance, "SystemDiskPerformanceLevel"),
        "TimerGroupId": "",
        "Users": [],
        "VirtualKubeletIp": "",
        "VirtualNodePoolId": echo(instance, "VirtualNodePoolId"),
        "VkUpgradeNeeded": false,
        "VkVersion": "",
        "ZoneId": "",
    })));
    Value::Object(workstation)
}

/// The name that the performance level of a data disk is kept under; numbers begin at 1.
pub(super) fn performance_level(number: usize) -> String {
    format!("DataDisk.{number}.DataDiskPerformanceLevel")
}

fn data_disk(instance: &Instance, number: usize, disk: &Disk) -> Value {
    json!({
        "DataDiskCategory": disk.category,
        "DataDiskId": disk.id.as_str(),
        "DataDiskNo": number.to_string(),
        "DataDiskPerformanceLevel": echo(instance, &performance_level(number)),
        "DataDiskSize": disk.size_gib,
    })
}

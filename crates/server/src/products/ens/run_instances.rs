//! RunInstances: launches instances from an image.

use calotype_core::ids::InstanceId;
use calotype_core::instance::ChargeType;
use calotype_core::name;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{image_id, required};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::run_instances::{RunInstances, run_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "RunInstances",
    action: "ens:RunInstances",
    parameters: &[
        Parameter::optional("Amount", Kind::Integer),
        Parameter::optional("AutoInstallCloudAssistant", Kind::Boolean),
        Parameter::optional("AutoReleaseTime", Kind::Text),
        Parameter::optional("AutoRenew", Kind::Boolean),
        Parameter::optional("AutoUseCoupon", Kind::Text),
        Parameter::optional("BillingCycle", Kind::Text),
        Parameter::optional("Carrier", Kind::Text),
        Parameter::optional("CloudAssistantRegion", Kind::Text),
        Parameter::optional("DataDisk", Kind::JsonList),
        Parameter::optional("DeletionProtection", Kind::Boolean),
        Parameter::optional("DeploymentSetId", Kind::Text),
        Parameter::optional("EnsRegionId", Kind::Text),
        Parameter::optional("HostName", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("InstanceChargeStrategy", Kind::Text),
        Parameter::optional("InstanceChargeType", Kind::Text),
        Parameter::optional("InstanceName", Kind::Text),
        Parameter::optional("InstanceType", Kind::Text),
        Parameter::optional("InternetChargeType", Kind::Text),
        Parameter::optional("InternetMaxBandwidthOut", Kind::Integer),
        Parameter::optional("IpType", Kind::Text),
        Parameter::optional("Ipv6AddressCount", Kind::Integer),
        Parameter::optional("KeyPairName", Kind::Text),
        Parameter::optional("LaunchTemplateId", Kind::Text),
        Parameter::optional("LaunchTemplateName", Kind::Text),
        Parameter::optional("LaunchTemplateVersion", Kind::Integer),
        Parameter::optional("NetDistrictCode", Kind::Text),
        Parameter::optional("NetWorkId", Kind::Text),
        Parameter::optional("Password", Kind::Text),
        Parameter::optional("PasswordInherit", Kind::Boolean),
        Parameter::optional("Period", Kind::Integer),
        Parameter::optional("PeriodUnit", Kind::Text),
        Parameter::optional("PrivateIpAddress", Kind::Text),
        Parameter::optional("PublicIpIdentification", Kind::Boolean),
        Parameter::optional("ScheduleAreaLevel", Kind::Text),
        Parameter::optional("SchedulingPriceStrategy", Kind::Text),
        Parameter::optional("SchedulingStrategy", Kind::Text),
        Parameter::optional("SecurityId", Kind::Text),
        Parameter::optional("SpotDuration", Kind::Integer),
        Parameter::optional("SpotStrategy", Kind::Text),
        Parameter::optional("SystemDisk", Kind::JsonObject),
        Parameter::optional("Tag", Kind::FlatList),
        Parameter::optional("UniqueSuffix", Kind::Boolean),
        Parameter::optional("UserData", Kind::Text),
        Parameter::optional("VSwitchId", Kind::Text),
        Parameter::optional("VpdId", Kind::Text),
        Parameter::optional("VpdVSwitchIds", Kind::JsonList),
    ],
    summary: "Launches instances from an image; each uses it from then on.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The most instances in one call.
const AMOUNT_MAX: i64 = 100;

/// The most data disks and the most tags of an instance.
const DATA_DISKS_MAX: usize = 16;
const TAGS_MAX: usize = 20;

/// The longest tag, user data and other text, in bytes.
const TAG_BYTES_MAX: usize = 128;
const USER_DATA_BYTES_MAX: usize = 22 * 1024;
const TEXT_BYTES_MAX: usize = 256;

/// The largest disk, in GiB.
const DISK_GIB_MAX: i64 = 32_768;

/// The specification, if none is asked for.
const INSTANCE_TYPE_DEFAULT: &str = "ens.sn1.small";

/// Parameters that change nothing here and are given back as they came, so that a plan settles.
const ECHOED: [&str; 9] = [
    "AutoReleaseTime",
    "HostName",
    "InternetMaxBandwidthOut",
    "KeyPairName",
    "NetWorkId",
    "PrivateIpAddress",
    "SecurityId",
    "SpotStrategy",
    "VSwitchId",
];

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let image = image_id(params)?;
    let (system_disk_category, system_disk_gib) = match params.structure("SystemDisk")? {
        Some(disk) => (category(&disk), size_gib(&disk, "SystemDisk.Size")?),
        None => (CATEGORY_DEFAULT.to_owned(), None),
    };
    let command = RunInstances {
        kind: ConsumerKind::Instance,
        image,
        names: names(params)?,
        region: ens_region(call)?,
        instance_type: bounded(params, "InstanceType")?.unwrap_or(INSTANCE_TYPE_DEFAULT).to_owned(),
        charge_type: match params.text("InstanceChargeType") {
            None | Some("PostPaid") => ChargeType::PostPaid,
            Some("PrePaid") => ChargeType::PrePaid,
            Some(_) => return Err(EnsError::invalid("InstanceChargeType")),
        },
        deletion_protection: params.boolean("DeletionProtection")?.unwrap_or(false),
        system_disk_category,
        system_disk_gib,
        data_disks: data_disks(params)?,
        tags: tags(params)?,
        echo: echo(params)?,
    };
    if params.text("UserData").is_some_and(|data| data.len() > USER_DATA_BYTES_MAX) {
        return Err(EnsError::invalid("UserData"));
    }
    let instances = run_instances(call.app, &call.caller, &command, call.now).await?;
    let ids: Vec<_> = instances.iter().map(InstanceId::as_str).collect();
    // Nothing is sold here, so there is no order.
    Ok(json!({ "InstanceIds": ids, "OrderId": "" }))
}

fn names(params: &Params) -> Result<Vec<Option<String>>, EnsError> {
    let amount = params.integer("Amount")?.unwrap_or(1);
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(EnsError::invalid("Amount"));
    }
    let suffix = params.boolean("UniqueSuffix")?.unwrap_or(false);
    let name = params.text("InstanceName");
    let suffixed = |name: &str| if suffix { format!("{name}000") } else { name.to_owned() };
    if name.is_some_and(|name| !name::is_valid(&suffixed(name))) {
        return Err(EnsError::invalid("InstanceName"));
    }
    let named = |number| name.map(|name| if suffix { format!("{name}{number:03}") } else { name.to_owned() });
    Ok((1..=amount).map(named).collect())
}

fn ens_region(call: &Call<'_>) -> Result<String, EnsError> {
    let nodes = &call.app.ens_regions;
    let node = match call.params.text("EnsRegionId") {
        Some(id) => nodes.iter().find(|node| node.id == id),
        None if call.params.text("ScheduleAreaLevel") == Some("Region") => {
            return Err(EnsError::MissingParameter);
        }
        None => nodes.first(),
    };
    node.map(|node| node.id.clone()).ok_or(EnsError::invalid("EnsRegionId"))
}

const CATEGORY_DEFAULT: &str = "cloud_efficiency";

fn category(disk: &Params) -> String {
    let known = ["cloud_efficiency", "cloud_ssd", "local_hdd", "local_ssd"];
    let asked = disk.text("Category").filter(|category| known.contains(category));
    asked.unwrap_or(CATEGORY_DEFAULT).to_owned()
}

fn size_gib(disk: &Params, name: &'static str) -> Result<Option<i64>, EnsError> {
    let size = disk.integer("Size").map_err(|_| EnsError::invalid(name))?;
    match size {
        Some(size) if !(1..=DISK_GIB_MAX).contains(&size) => Err(EnsError::invalid(name)),
        size => Ok(size),
    }
}

fn data_disks(params: &Params) -> Result<Vec<(String, i64)>, EnsError> {
    let disks = params.objects("DataDisk")?;
    if disks.len() > DATA_DISKS_MAX {
        return Err(EnsError::invalid("DataDisk"));
    }
    let disk = |disk: &Params| {
        let size = size_gib(disk, "DataDisk.Size")?.ok_or(EnsError::invalid("DataDisk.Size"))?;
        Ok((category(disk), size))
    };
    disks.iter().map(disk).collect()
}

fn tags(params: &Params) -> Result<Vec<(String, String)>, EnsError> {
    let tags = params.objects("Tag")?;
    if tags.len() > TAGS_MAX {
        return Err(EnsError::invalid("Tag"));
    }
    let tag = |tag: &Params| {
        let key = required(tag, "Key").map_err(|_| EnsError::invalid("Tag"))?;
        let value = tag.text("Value").unwrap_or_default();
        if key.len() > TAG_BYTES_MAX || value.len() > TAG_BYTES_MAX {
            return Err(EnsError::invalid("Tag"));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    tags.iter().map(tag).collect()
}

fn echo(params: &Params) -> Result<Vec<(String, String)>, EnsError> {
    let mut echo = Vec::new();
    params.integer("InternetMaxBandwidthOut")?;
    for name in ECHOED {
        if let Some(text) = bounded(params, name)? {
            echo.push((name.to_owned(), text.to_owned()));
        }
    }
    Ok(echo)
}

fn bounded<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, EnsError> {
    match params.text(name) {
        Some(text) if text.len() > TEXT_BYTES_MAX => Err(EnsError::invalid(name)),
        text => Ok(text),
    }
}

//! RunInstances: launches instances from an image.

use calotype_core::ids::InstanceId;
use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::launch_params::{
    CATEGORY_DEFAULT, bounded, category, check_user_data, data_disks, echo, names, node, size_gib,
};
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

/// The most tags of an instance.
const TAGS_MAX: usize = 20;

/// The longest tag, in bytes.
const TAG_BYTES_MAX: usize = 128;

/// The specification, if none is asked for.
const INSTANCE_TYPE_DEFAULT: &str = "ens.sn1.small";

/// Parameters that are given back as they came.
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
        names: names(params, params.integer("Amount")?, "Amount")?,
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
        echo: echo(params, &ECHOED)?,
    };
    params.integer("InternetMaxBandwidthOut")?;
    check_user_data(params)?;
    let instances = run_instances(call.app, &call.caller, &command, call.now).await?;
    let ids: Vec<_> = instances.iter().map(InstanceId::as_str).collect();
    // Nothing is sold here, so there is no order.
    Ok(json!({ "InstanceIds": ids, "OrderId": "" }))
}

fn ens_region(call: &Call<'_>) -> Result<String, EnsError> {
    match call.params.text("EnsRegionId") {
        Some(id) => node(call, id),
        None if call.params.text("ScheduleAreaLevel") == Some("Region") => Err(EnsError::MissingParameter),
        None => {
            let first = call.app.ens_regions.first();
            first.map(|node| node.id.clone()).ok_or(EnsError::invalid("EnsRegionId"))
        }
    }
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

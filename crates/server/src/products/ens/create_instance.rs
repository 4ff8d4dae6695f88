//! CreateInstance: launches instances by subscription, as clients did before RunInstances.

use calotype_core::ids::InstanceId;
use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::EnsError;
use super::launch_params::{
    CATEGORY_DEFAULT, bounded, check_user_data, data_disks, echo, names, node, size_gib,
};
use super::params::{image_id, required};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::run_instances::{RunInstances, run_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateInstance",
    action: "ens:CreateInstance",
    parameters: &[
        Parameter::optional("AutoRenew", Kind::Text),
        Parameter::optional("AutoRenewPeriod", Kind::Text),
        Parameter::optional("DataDisk", Kind::FlatList),
        Parameter::required("EnsRegionId", Kind::Text),
        Parameter::optional("HostName", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("InstanceName", Kind::Text),
        Parameter::required("InstanceType", Kind::Text),
        Parameter::optional("InternetChargeType", Kind::Text),
        Parameter::optional("IpType", Kind::Text),
        Parameter::optional("KeyPairName", Kind::Text),
        Parameter::optional("OwnerId", Kind::Integer),
        Parameter::optional("Password", Kind::Text),
        Parameter::optional("PasswordInherit", Kind::Boolean),
        Parameter::optional("PaymentType", Kind::Text),
        Parameter::required("Period", Kind::Text),
        Parameter::optional("PrivateIpAddress", Kind::Text),
        Parameter::optional("PublicIpIdentification", Kind::Boolean),
        Parameter::required("Quantity", Kind::Text),
        Parameter::optional("SystemDisk", Kind::FlatObject),
        Parameter::optional("UniqueSuffix", Kind::Boolean),
        Parameter::optional("UserData", Kind::Text),
        Parameter::optional("VSwitchId", Kind::Text),
    ],
    summary: "Launches instances from an image by subscription; each uses it from then on.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The smallest data disk, and what every size is a multiple of, in GiB.
const DATA_DISK_GIB_MIN: i64 = 20;
const DISK_GIB_STEP: i64 = 10;

/// The months that a subscription can be for, and that it can be renewed for.
const PERIODS: [i64; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12];
const RENEWAL_PERIOD_MAX: i64 = 12;

/// Parameters that are given back as they came.
const ECHOED: [&str; 4] = ["HostName", "KeyPairName", "PrivateIpAddress", "VSwitchId"];

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let node = node(call, required(params, "EnsRegionId")?)?;
    let image = image_id(params)?;
    required(params, "InstanceType")?;
    required(params, "Quantity")?;
    check_subscription(params)?;
    check_user_data(params)?;
    params.integer("OwnerId")?;
    let command = RunInstances {
        kind: ConsumerKind::Instance,
        image,
        names: names(params, params.integer("Quantity")?, "Quantity")?,
        region: node,
        instance_type: bounded(params, "InstanceType")?.unwrap_or_default().to_owned(),
        charge_type: ChargeType::PrePaid,
        deletion_protection: false,
        system_disk_category: CATEGORY_DEFAULT.to_owned(),
        system_disk_gib: system_disk_gib(params)?,
        data_disks: data_disks(params)?,
        tags: Vec::new(),
        echo: echo(params, &ECHOED)?,
    };
    let is_whole = |size: i64| size >= DATA_DISK_GIB_MIN && size % DISK_GIB_STEP == 0;
    if !command.data_disks.iter().all(|(_, size)| is_whole(*size)) {
        return Err(EnsError::invalid("DataDisk.Size"));
    }
    let instances = run_instances(call.app, &call.caller, &command, call.now).await?;
    let ids: Vec<_> = instances.iter().map(InstanceId::as_str).collect();
    Ok(json!({ "Code": 0, "InstanceIds": { "InstanceId": ids } }))
}

/// Nothing is sold here, but what is asked for must make sense.
fn check_subscription(params: &Params) -> Result<(), EnsError> {
    required(params, "Period")?;
    if !params.integer("Period")?.is_some_and(|months| PERIODS.contains(&months)) {
        return Err(EnsError::invalid("Period"));
    }
    if params.text("PaymentType").is_some_and(|payment| payment != "Subscription") {
        return Err(EnsError::invalid("PaymentType"));
    }
    let renews = params.boolean("AutoRenew")?.unwrap_or(false);
    match params.integer("AutoRenewPeriod")? {
        None if renews => Err(EnsError::MissingParameter),
        Some(months) if !(1..=RENEWAL_PERIOD_MAX).contains(&months) => {
            Err(EnsError::invalid("AutoRenewPeriod"))
        }
        None | Some(_) => Ok(()),
    }
}

fn system_disk_gib(params: &Params) -> Result<Option<i64>, EnsError> {
    let Some(disk) = params.structure("SystemDisk")? else { return Ok(None) };
    match size_gib(&disk, "SystemDisk.Size")? {
        Some(size) if size % DISK_GIB_STEP != 0 => Err(EnsError::invalid("SystemDisk.Size")),
        size => Ok(size),
    }
}

//! CreateWuyingServer: creates workstations, each of which uses the image.

use calotype_core::ids::InstanceId;
use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{bounded, charge_type, echo, image_id, label, number, region, switches};
use super::render::performance_level;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::run_instances::{RunInstances, TOKEN, run_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateWuyingServer",
    action: "appstreaming:CreateWuyingServer",
    parameters: &[
        Parameter::optional("Amount", Kind::Integer),
        Parameter::optional("AutoPay", Kind::Boolean),
        Parameter::optional("AutoRenew", Kind::Boolean),
        Parameter::optional("Bandwidth", Kind::Integer),
        Parameter::optional("BizRegionId", Kind::Text),
        Parameter::optional("ChargeType", Kind::Text),
        Parameter::optional("DataDisk", Kind::FlatList),
        Parameter::optional("ErdmaEnabled", Kind::Boolean),
        Parameter::optional("GpuDriverVersion", Kind::Text),
        Parameter::optional("HostName", Kind::Text),
        Parameter::optional("IdempotenceToken", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("MaxPrice", Kind::Number),
        Parameter::optional("NetworkStrategyType", Kind::Text),
        Parameter::optional("OfficeSiteId", Kind::Text),
        Parameter::optional("Password", Kind::Text),
        Parameter::optional("Period", Kind::Integer),
        Parameter::optional("PeriodUnit", Kind::Text),
        Parameter::optional("PromotionId", Kind::Text),
        Parameter::optional("SavingPlanId", Kind::Text),
        Parameter::optional("ServerInstanceType", Kind::Text),
        Parameter::optional("ServerPortRange", Kind::Text),
        Parameter::optional("SubPayType", Kind::Text),
        Parameter::optional("SystemDiskCategory", Kind::Text),
        Parameter::optional("SystemDiskPerformanceLevel", Kind::Text),
        Parameter::optional("SystemDiskSize", Kind::Integer),
        Parameter::optional("VSwitchIds", Kind::FlatList),
        Parameter::optional("VirtualNodePoolId", Kind::Text),
        Parameter::optional("WuyingServerName", Kind::Text),
    ],
    summary: "Creates workstations from an image; each uses it from then on.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The most workstations in one call.
const AMOUNT_MAX: i64 = 100;

/// The most data disks of one workstation.
const DATA_DISKS_MAX: usize = 16;

/// The largest disk, in GiB.
const DISK_GIB_MAX: i64 = 32_768;

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 128;

/// The category of a disk, if none is asked for.
const CATEGORY_DEFAULT: &str = "cloud_auto";

/// Parameters that change nothing here and are given back as they came. The password is not among them:
/// it is never kept.
const ECHOED: [&str; 4] = ["OfficeSiteId", "SubPayType", "SystemDiskPerformanceLevel", "VirtualNodePoolId"];

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    let image = image_id(params, "ImageId")?;
    switches(params, &["AutoPay", "AutoRenew"])?;
    number(params, "Period", 1..=i64::from(i32::MAX))?;
    match params.text("PeriodUnit") {
        None | Some("Month" | "Year") => {}
        Some(_) => return Err(AppStreamError::invalid("PeriodUnit")),
    }
    let disks = params.objects("DataDisk")?;
    let command = RunInstances {
        kind: ConsumerKind::Workstation,
        image,
        names: names(params)?,
        region: region(call)?.unwrap_or_else(|| call.app.default_region.to_string()),
        instance_type: bounded(params, "ServerInstanceType")?.unwrap_or_default().to_owned(),
        charge_type: charge_type(params)?.unwrap_or(ChargeType::PrePaid),
        deletion_protection: false,
        system_disk_category: category(params, "SystemDiskCategory")?,
        system_disk_gib: number(params, "SystemDiskSize", 1..=DISK_GIB_MAX)?,
        data_disks: data_disks(&disks)?,
        tags: Vec::new(),
        echo: kept(params, &disks)?,
    };
    let workstations = run_instances(call.app, &call.caller, &command, call.now).await?;
    let ids: Vec<_> = workstations.iter().map(InstanceId::as_str).collect();
    // Nothing is sold here, so there is no order.
    Ok(json!({ "Data": { "OrderId": "", "WuyingServerIdList": ids } }))
}

/// The names of the workstations: of several, each has its number at the end.
fn names(params: &Params) -> Result<Vec<Option<String>>, AppStreamError> {
    let amount = number(params, "Amount", 1..=AMOUNT_MAX)?.unwrap_or(1);
    let name = label(params, "WuyingServerName")?;
    let named =
        |number| name.map(|name| if amount > 1 { format!("{name}{number}") } else { name.to_owned() });
    Ok((1..=amount).map(named).collect())
}

fn category(params: &Params, name: &'static str) -> Result<String, AppStreamError> {
    Ok(bounded(params, name)?.unwrap_or(CATEGORY_DEFAULT).to_owned())
}

fn data_disks(disks: &[Params]) -> Result<Vec<(String, i64)>, AppStreamError> {
    if disks.len() > DATA_DISKS_MAX {
        return Err(AppStreamError::invalid("DataDisk"));
    }
    let disk = |disk: &Params| {
        let size = number(disk, "DataDiskSize", 1..=DISK_GIB_MAX)?;
        let size = size.ok_or(AppStreamError::invalid("DataDiskSize"))?;
        Ok((category(disk, "DataDiskCategory")?, size))
    };
    disks.iter().map(disk).collect()
}

/// What the listings show of the launch, and the token that makes it happen once.
fn kept(params: &Params, disks: &[Params]) -> Result<Vec<(String, String)>, AppStreamError> {
    let mut kept = echo(params, &ECHOED)?;
    let mut keep = |name: &str, value: String| kept.push((name.to_owned(), value));
    if let Some(bandwidth) = number(params, "Bandwidth", 2..=100)? {
        keep("Bandwidth", bandwidth.to_string());
    }
    if let Some(enabled) = params.boolean("ErdmaEnabled")? {
        keep("ErdmaEnabled", enabled.to_string());
    }
    if let Some(price) = bounded(params, "MaxPrice")? {
        let price: Option<f64> = price.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
        keep("MaxPrice", price.ok_or(AppStreamError::invalid("MaxPrice"))?.to_string());
    }
    for (number, disk) in (1..).zip(disks) {
        if let Some(level) = bounded(disk, "DataDiskPerformanceLevel")? {
            keep(&performance_level(number), level.to_owned());
        }
    }
    match params.text("IdempotenceToken") {
        Some(token) if token.len() > TOKEN_BYTES_MAX => Err(AppStreamError::invalid("IdempotenceToken")),
        Some(token) => {
            keep(TOKEN, token.to_owned());
            Ok(kept)
        }
        None => Ok(kept),
    }
}

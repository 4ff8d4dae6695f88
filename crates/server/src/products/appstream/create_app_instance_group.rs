//! CreateAppInstanceGroup: creates a delivery group, which uses its image.

use calotype_core::ids::InstanceId;
use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;
use serde_json::{Value, json};

use super::error::AppStreamError;
use super::params::{
    bounded, charge_type, echo, image_id, label, must_be_cloud_app, number, region, required, switches,
};
use super::render::id_beside;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::run_instances::{RunInstances, run_instances};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateAppInstanceGroup",
    action: "appstreaming:CreateAppInstanceGroup",
    parameters: &[
        Parameter::required("AppCenterImageId", Kind::Text),
        Parameter::optional("AppInstanceGroupName", Kind::Text),
        Parameter::optional("AppPackageType", Kind::Text),
        Parameter::optional("AppPolicyId", Kind::Text),
        Parameter::optional("AuthMode", Kind::Text),
        Parameter::optional("AutoPay", Kind::Boolean),
        Parameter::optional("AutoRenew", Kind::Boolean),
        Parameter::required("BizRegionId", Kind::Text),
        Parameter::required("ChargeResourceMode", Kind::Text),
        Parameter::required("ChargeType", Kind::Text),
        Parameter::optional("ClusterId", Kind::Text),
        Parameter::optional("Network", Kind::JsonObject),
        Parameter::optional("NodePool", Kind::JsonObject),
        Parameter::required("Period", Kind::Integer),
        Parameter::required("PeriodUnit", Kind::Text),
        Parameter::optional("PreOpenAppId", Kind::Text),
        Parameter::required("ProductType", Kind::Text),
        Parameter::optional("PromotionId", Kind::Text),
        Parameter::optional("RuntimePolicy", Kind::JsonObject),
        Parameter::optional("SecurityPolicy", Kind::JsonObject),
        Parameter::required("SessionTimeout", Kind::Integer),
        Parameter::optional("StoragePolicy", Kind::JsonObject),
        Parameter::optional("SubPayType", Kind::Text),
        Parameter::optional("UserDefinePolicy", Kind::JsonObject),
        Parameter::optional("UserGroupIds", Kind::FlatList),
        Parameter::optional("UserInfo", Kind::JsonObject),
        Parameter::optional("Users", Kind::FlatList),
        Parameter::optional("VideoPolicy", Kind::JsonObject),
    ],
    summary: "Creates a delivery group from an image, which it uses from then on.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The largest description of a node pool that is kept, in bytes.
const NODE_POOL_BYTES_MAX: usize = 8 * 1024;

/// The category of the disks of groups, which nobody sees.
const DISK_CATEGORY: &str = "cloud_auto";

/// Parameters that change nothing here and are given back as they came.
const ECHOED: [&str; 3] = ["AppPolicyId", "AuthMode", "ChargeResourceMode"];

/// Structured parameters that change nothing here, but must be structured.
const UNREAD: [&str; 4] = ["StoragePolicy", "UserDefinePolicy", "UserInfo", "VideoPolicy"];

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    must_be_cloud_app(params)?;
    let image = image_id(params, "AppCenterImageId")?;
    let charge_type = charge_type(params)?.ok_or(AppStreamError::invalid("ChargeType"))?;
    check_period(params, charge_type)?;
    switches(params, &["AutoPay", "AutoRenew"])?;
    for name in UNREAD {
        params.structure(name)?;
    }
    let pool = params.structure("NodePool")?.unwrap_or_default();
    let command = RunInstances {
        kind: ConsumerKind::DeliveryGroup,
        image,
        names: vec![label(params, "AppInstanceGroupName")?.map(str::to_owned)],
        region: region(call)?.ok_or(AppStreamError::invalid("BizRegionId"))?,
        instance_type: bounded(&pool, "NodeInstanceType")?.unwrap_or_default().to_owned(),
        charge_type,
        deletion_protection: false,
        system_disk_category: DISK_CATEGORY.to_owned(),
        system_disk_gib: None,
        data_disks: Vec::new(),
        tags: Vec::new(),
        echo: kept(params, &pool)?,
    };
    let groups = run_instances(call.app, &call.caller, &command, call.now).await?;
    let id = groups.first().map_or("", InstanceId::as_str);
    // Nothing is sold here, so there is no order.
    Ok(json!({ "AppInstanceGroupModel": {
        "AppInstanceGroupId": id,
        "NodePoolId": id_beside(id, "rg-"),
        "OrderId": "",
    } }))
}

fn check_period(params: &Params, charge_type: ChargeType) -> Result<(), AppStreamError> {
    let (unit, period) = (required(params, "PeriodUnit")?, params.integer("Period")?);
    let periods: &[i64] = match (charge_type, unit) {
        (ChargeType::PrePaid, "Week") | (ChargeType::PostPaid, "Month") => &[1],
        (ChargeType::PrePaid, "Month") => &[1, 2, 3, 6],
        (ChargeType::PrePaid, "Year") => &[1, 2, 3],
        (ChargeType::PrePaid | ChargeType::PostPaid, _) => return Err(AppStreamError::invalid("PeriodUnit")),
    };
    match period {
        Some(period) if periods.contains(&period) => Ok(()),
        None | Some(_) => Err(AppStreamError::invalid("Period")),
    }
}

/// What the listings show of the launch, and what making an image of the group asks for.
fn kept(params: &Params, pool: &Params) -> Result<Vec<(String, String)>, AppStreamError> {
    match required(params, "ChargeResourceMode")? {
        "Node" | "AppInstance" => {}
        _ => return Err(AppStreamError::invalid("ChargeResourceMode")),
    }
    let mut kept = echo(params, &ECHOED)?;
    let mut keep = |name: &str, value: String| kept.push((name.to_owned(), value));
    match params.integer("SessionTimeout")? {
        Some(minutes @ (-1 | 3..=300)) => keep("SessionTimeout", minutes.to_string()),
        None | Some(_) => return Err(AppStreamError::invalid("SessionTimeout")),
    }
    let network = params.structure("Network")?.unwrap_or_default();
    if let Some(site) = bounded(&network, "OfficeSiteId")? {
        keep("OfficeSiteId", site.to_owned());
    }
    let security = params.structure("SecurityPolicy")?.unwrap_or_default();
    if let Some(skip) = security.boolean("SkipUserAuthCheck")? {
        keep("SecurityPolicy.SkipUserAuthCheck", skip.to_string());
    }
    let runtime = params.structure("RuntimePolicy")?.unwrap_or_default();
    for name in ["DebugMode", "SessionType"] {
        if let Some(text) = bounded(&runtime, name)? {
            keep(&format!("RuntimePolicy.{name}"), text.to_owned());
        }
    }
    let pool = node_pool(pool)?.to_string();
    if pool.len() > NODE_POOL_BYTES_MAX {
        return Err(AppStreamError::invalid("NodePool"));
    }
    keep("NodePool", pool);
    Ok(kept)
}

/// The node pool that is asked for, in the members and types that the listings have.
fn node_pool(pool: &Params) -> Result<Value, AppStreamError> {
    let strategy = match pool.text("StrategyType") {
        None => "NODE_FIXED",
        Some(strategy @ ("NODE_FIXED" | "NODE_SCALING_BY_SCHEDULE" | "NODE_SCALING_BY_USAGE")) => strategy,
        Some(_) => return Err(AppStreamError::invalid("StrategyType")),
    };
    let count = |name| number(pool, name, 0..=i64::from(i32::MAX)).map(Option::unwrap_or_default);
    let text = |name| Ok::<_, AppStreamError>(bounded(pool, name)?.unwrap_or_default());
    let schedules = pool.objects("RecurrenceSchedules")?;
    Ok(json!({
        "MaxIdleAppInstanceAmount": count("MaxIdleAppInstanceAmount")?,
        "MaxScalingAmount": count("MaxScalingAmount")?,
        "NodeAmount": number(pool, "NodeAmount", 1..=100)?.unwrap_or(1),
        "NodeCapacity": count("NodeCapacity")?,
        "NodeInstanceType": text("NodeInstanceType")?,
        "RecurrenceSchedules": schedules.iter().map(schedule).collect::<Result<Vec<_>, _>>()?,
        "ScalingDownAfterIdleMinutes": number(pool, "ScalingDownAfterIdleMinutes", 5..=120)?.unwrap_or(5),
        "ScalingStep": number(pool, "ScalingStep", 1..=10)?.unwrap_or(0),
        "ScalingUsageThreshold": number(pool, "ScalingUsageThreshold", 0..=100)?.unwrap_or(85).to_string(),
        "StrategyDisableDate": text("StrategyDisableDate")?,
        "StrategyEnableDate": text("StrategyEnableDate")?,
        "StrategyType": strategy,
        "WarmUp": pool.boolean("WarmUp")?.unwrap_or(false),
    }))
}

fn schedule(schedule: &Params) -> Result<Value, AppStreamError> {
    let values = schedule.json_list("RecurrenceValues")?;
    let values: Result<Vec<i64>, _> = values.iter().map(|value| value.parse()).collect();
    let periods = schedule.objects("TimerPeriods")?;
    let period = |period: &Params| {
        Ok(json!({
            "Amount": period.integer("Amount")?.unwrap_or(0),
            "EndTime": bounded(period, "EndTime")?.unwrap_or_default(),
            "StartTime": bounded(period, "StartTime")?.unwrap_or_default(),
        }))
    };
    Ok(json!({
        "RecurrenceType": bounded(schedule, "RecurrenceType")?.unwrap_or_default(),
        "RecurrenceValues": values.map_err(|_| AppStreamError::invalid("RecurrenceValues"))?,
        "TimerPeriods": periods.iter().map(period).collect::<Result<Vec<_>, AppStreamError>>()?,
    }))
}

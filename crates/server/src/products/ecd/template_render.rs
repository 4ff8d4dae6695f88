//! A template as `DescribeTemplates` shows it.

use calotype_core::image::{ImageView, Standing};
use calotype_core::template::Details;
use calotype_core::time::Timestamp;
use serde_json::{Value, json};

use crate::service::describe_templates::ListedTemplate;

/// One entry of the listing. What the owner did not say is empty. Of the region configurations those of
/// `region` are shown, or all.
pub(super) fn template(item: &ListedTemplate, region: Option<&str>, request_id: &str) -> Value {
    let template = &item.template;
    let details = &template.details;
    json!({
        "AutoPay": detail(details, "AutoPay", false),
        "AutoRenew": detail(details, "AutoRenew", false),
        "ChargeType": detail(details, "ChargeType", ""),
        "DataDiskList": detail(details, "DataDiskList", json!([])),
        "DefaultLanguage": detail(details, "DefaultLanguage", ""),
        "Description": detail(details, "Description", ""),
        "GmtCreate": time(template.created),
        "GmtModified": time(template.modified),
        "ImageId": template.image.as_ref().map_or("", |id| id.as_str()),
        "ImageType": item.image.as_ref().map_or("", image_type),
        "InstanceName": detail(details, "InstanceName", ""),
        "Period": detail(details, "Period", 0),
        "PeriodUnit": detail(details, "PeriodUnit", ""),
        "PolicyGroupId": detail(details, "PolicyGroupId", ""),
        "PostPaidAfterUsedUp": detail(details, "PostPaidAfterUsedUp", false),
        "ProductType": "CLOUD_DESKTOP",
        "RegionConfigList": region_configs(details, region),
        "RequestId": request_id,
        "ResourceGroupId": detail(details, "ResourceGroupId", ""),
        "ResourceTagList": detail(details, "ResourceTagList", json!([])),
        "SiteConfigList": detail(details, "SiteConfigList", json!([])),
        "SystemDiskPerformanceLevel": detail(details, "SystemDiskPerformanceLevel", ""),
        "SystemDiskSize": detail(details, "SystemDiskSize", 0),
        "TemplateId": template.id.as_str(),
        "TemplateName": template.name,
        "TemplateType": "USER_TEMPLATE",
        "TimerGroupId": detail(details, "TimerGroupId", ""),
        "UserDuration": detail(details, "UserDuration", ""),
    })
}

fn detail(details: &Details, name: &str, absent: impl Into<Value>) -> Value {
    details.get(name).cloned().unwrap_or_else(|| absent.into())
}

fn region_configs(details: &Details, region: Option<&str>) -> Value {
    let mut configs = detail(details, "RegionConfigList", json!([]));
    if let (Some(configs), Some(region)) = (configs.as_array_mut(), region) {
        configs.retain(|config| config["RegionId"] == region);
    }
    configs
}

/// The type of an image, as the caller sees it; empty for one whose share was taken back.
fn image_type(view: &ImageView) -> &'static str {
    match view.standing {
        Standing::Public => "System",
        Standing::SharedIn => "Shared",
        Standing::Community => "Community",
        Standing::Own if view.image.published.is_some() => "Community",
        Standing::Own => "User",
        Standing::Hidden => "",
    }
}

/// `2025-04-25T05:18:46.000+00:00`.
fn time(time: Timestamp) -> String {
    let seconds = time.to_string();
    let millis = time.as_millis().rem_euclid(1000);
    format!("{}.{millis:03}+00:00", seconds.trim_end_matches('Z'))
}

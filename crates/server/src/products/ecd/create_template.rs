//! CreateTemplate: makes a cloud-desktop template.

use serde_json::{Value, json};

use super::error::EcdError;
use super::params::one_of;
use super::{API, answer, envelope, template_params};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::create_template::{CreateTemplate, create_template};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateTemplate",
    action: "ecd:CreateTemplate",
    parameters: &[
        Parameter::optional("AutoPay", Kind::Boolean),
        Parameter::optional("AutoRenew", Kind::Boolean),
        Parameter::optional("BizType", Kind::Text),
        Parameter::optional("ChargeType", Kind::Text),
        Parameter::optional("DataDiskList", Kind::FlatList),
        Parameter::optional("DefaultLanguage", Kind::Text),
        Parameter::optional("Description", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("InstanceName", Kind::Text),
        Parameter::optional("Period", Kind::Integer),
        Parameter::optional("PeriodUnit", Kind::Text),
        Parameter::optional("PolicyGroupId", Kind::Text),
        Parameter::optional("PostPaidAfterUsedUp", Kind::Boolean),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("RegionConfigList", Kind::FlatList),
        Parameter::optional("ResourceGroupId", Kind::Text),
        Parameter::optional("ResourceTagList", Kind::FlatList),
        Parameter::optional("SiteConfigList", Kind::FlatList),
        Parameter::optional("SystemDiskPerformanceLevel", Kind::Text),
        Parameter::optional("SystemDiskSize", Kind::Integer),
        Parameter::required("TemplateName", Kind::Text),
        Parameter::optional("TimerGroupId", Kind::Text),
        Parameter::optional("UserDuration", Kind::Integer),
    ],
    summary: "Makes a cloud-desktop template, which references an image.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let name = template_params::name(params)?.ok_or(EcdError::MissingParameter)?;
    one_of(params, "ProductType", &["CloudDesktop"])?;
    let command = CreateTemplate {
        name: name.to_owned(),
        image: template_params::image(params)?,
        details: template_params::details(params)?,
    };
    let template = create_template(call.app, &call.caller, command, call.now).await?;
    Ok(envelope([("Data", json!(template.as_str()))]))
}

//! ModifyTemplate: changes a cloud-desktop template.

use calotype_core::ids::TemplateId;
use calotype_core::template::ModifyTemplate;
use serde_json::Value;

use super::error::EcdError;
use super::params::required;
use super::{API, answer, envelope, template_params};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::modify_template::modify_template;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ModifyTemplate",
    action: "ecd:ModifyTemplate",
    parameters: &[
        Parameter::optional("AutoPay", Kind::Boolean),
        Parameter::optional("AutoRenew", Kind::Boolean),
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
        Parameter::optional("RegionConfigList", Kind::FlatList),
        Parameter::optional("ResourceGroupId", Kind::Text),
        Parameter::optional("ResourceTagList", Kind::FlatList),
        Parameter::optional("SiteConfigList", Kind::FlatList),
        Parameter::optional("SystemDiskPerformanceLevel", Kind::Text),
        Parameter::optional("SystemDiskSize", Kind::Integer),
        Parameter::required("TemplateId", Kind::Text),
        Parameter::optional("TemplateName", Kind::Text),
        Parameter::optional("TimerGroupId", Kind::Text),
        Parameter::optional("UserDuration", Kind::Integer),
    ],
    summary: "Changes a cloud-desktop template; another image moves its reference.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let id = required(params, "TemplateId")?;
    let command = ModifyTemplate {
        template: TemplateId::parse(id).map_err(|_| EcdError::invalid("TemplateId"))?,
        image: template_params::image(params)?,
        name: template_params::name(params)?.map(str::to_owned),
        details: template_params::details(params)?,
    };
    modify_template(call.app, &call.caller, &command, call.now).await?;
    Ok(envelope([]))
}

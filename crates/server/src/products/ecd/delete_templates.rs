//! DeleteTemplates: deletes cloud-desktop templates, all or none.

use calotype_core::ids::TemplateId;
use serde_json::{Value, json};

use super::error::EcdError;
use super::params::required_ids;
use super::{API, answer, envelope};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::delete_templates::delete_templates;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DeleteTemplates",
    action: "ecd:DeleteTemplates",
    parameters: &[
        Parameter::optional("BizType", Kind::Text),
        Parameter::optional("TemplateIds", Kind::FlatList),
    ],
    summary: "Deletes cloud-desktop templates, all or none.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let ids = required_ids(call.params, "TemplateIds", TemplateId::parse)?;
    delete_templates(call.app, &call.caller, &ids.into_iter().collect()).await?;
    Ok(envelope([("AccessDeniedDetail", json!(""))]))
}

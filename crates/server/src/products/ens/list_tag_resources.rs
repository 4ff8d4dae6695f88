//! ListTagResources: the tags of instances.

use serde_json::{Value, json};

use super::error::EnsError;
use super::params::required;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::list_tags::{TAGS_IN_FILTER_MAX, TagFilter, list_tags};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListTagResources",
    action: "ens:ListTagResources",
    parameters: &[
        Parameter::optional("NextToken", Kind::Text),
        Parameter::optional("ResourceId", Kind::FlatList),
        Parameter::required("ResourceType", Kind::Text),
        Parameter::optional("Tag", Kind::FlatList),
    ],
    summary: "Lists the tags of resources.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The most tags in one answer.
const TAGS_MAX: i64 = 50;

/// The most resources that can be asked for at once.
const RESOURCES_MAX: usize = 50;

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let resource_type = required(params, "ResourceType")?;
    let resources = params.list("ResourceId");
    let tags = params.objects("Tag")?;
    if resources.is_empty() && tags.is_empty() {
        return Err(EnsError::MissingResourceIdsOrTags);
    }
    if resources.len() > RESOURCES_MAX {
        return Err(EnsError::invalid("ResourceId"));
    }
    let mut asked = Vec::with_capacity(tags.len());
    for tag in &tags {
        asked.push((tag.text("Key").ok_or(EnsError::invalid("Tag"))?, tag.text("Value")));
    }
    if asked.len() > TAGS_IN_FILTER_MAX {
        return Err(EnsError::invalid("Tag"));
    }
    let filter = TagFilter { kind: resource_type, resources, tags: asked, after: params.text("NextToken") };
    let found = list_tags(call.app, &call.caller, &filter, TAGS_MAX).await?;
    let tags: Vec<_> = found
        .tags
        .iter()
        .map(|tag| {
            json!({
                "ResourceId": tag.resource,
                "ResourceType": resource_type,
                "TagKey": tag.key,
                "TagValue": tag.value,
            })
        })
        .collect();
    Ok(json!({ "NextToken": found.next.unwrap_or_default(), "TagResources": tags }))
}

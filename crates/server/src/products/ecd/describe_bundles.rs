//! DescribeBundles: the bundles of the caller in a region.

use calotype_core::ids::{BundleId, ImageId};
use serde_json::{Value, json};

use super::error::EcdError;
use super::image_render::{image_detail, os_type};
use super::params::{ids, region, results};
use super::{API, answer, bundle_render};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_bundles::{BundleFilter, ListedBundle, describe_bundles};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeBundles",
    action: "ecd:DescribeBundles",
    parameters: &[
        Parameter::optional("BundleId", Kind::FlatList),
        Parameter::optional("BundleType", Kind::Text),
        Parameter::optional("CheckStock", Kind::Boolean),
        Parameter::optional("CpuCount", Kind::Integer),
        Parameter::optional("DesktopTypeFamily", Kind::Text),
        Parameter::optional("FotaChannel", Kind::Text),
        Parameter::optional("FromDesktopGroup", Kind::Boolean),
        Parameter::optional("GpuCount", Kind::Number),
        Parameter::optional("GpuDriverType", Kind::Text),
        Parameter::optional("ImageId", Kind::FlatList),
        Parameter::optional("MaxResults", Kind::Integer),
        Parameter::optional("MemorySize", Kind::Integer),
        Parameter::optional("NextToken", Kind::Text),
        Parameter::optional("OsType", Kind::Text),
        Parameter::optional("ProtocolType", Kind::Text),
        Parameter::required("RegionId", Kind::Text),
        Parameter::optional("Scope", Kind::Text),
        Parameter::optional("SelectedBundle", Kind::Boolean),
        Parameter::optional("SessionType", Kind::Text),
        Parameter::optional("SupportMultiSession", Kind::Boolean),
        Parameter::optional("VolumeEncryptionEnabled", Kind::Boolean),
    ],
    summary: "Lists the bundles of the caller in a region.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Filters for things that no bundle has here, so nothing matches them.
const NEVER_MATCHING: [&str; 5] = ["CpuCount", "FotaChannel", "GpuCount", "GpuDriverType", "MemorySize"];

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let region = region(call)?;
    let limit = results(params)?;
    let bundles = ids(params, "BundleId", BundleId::parse)?;
    let images = ids(params, "ImageId", ImageId::parse)?;
    let after = params.text("NextToken");
    if after.is_some_and(|token| BundleId::parse(token).is_err()) {
        return Err(EcdError::invalid("NextToken"));
    }
    let filter = BundleFilter {
        region: region.as_str(),
        ids: bundles.iter().map(BundleId::as_str).collect(),
        images: images.iter().map(ImageId::as_str).collect(),
        after,
    };
    let encrypted = params.boolean("VolumeEncryptionEnabled")?.unwrap_or(false);
    let possible = !encrypted
        && matches!(params.text("BundleType"), None | Some("CUSTOM"))
        && NEVER_MATCHING.iter().all(|name| params.text(name).is_none());
    let keep = |item: &ListedBundle| possible && matches(params, item);
    let part = describe_bundles(call.app, &call.caller, &filter, keep, limit).await?;
    let bundles: Vec<_> = part.items.iter().map(bundle_render::bundle).collect();
    Ok(json!({ "Bundles": bundles, "NextToken": part.next.unwrap_or_default() }))
}

/// Filters for what the image of a bundle says, or its desktops.
fn matches(params: &Params, item: &ListedBundle) -> bool {
    let image = item.image.as_ref().map(|view| &view.image);
    let of_image = |name| image.map_or("", |image| image_detail(image, name));
    let has = |name, value: &str| params.text(name).is_none_or(|asked| asked.eq_ignore_ascii_case(value));
    has("DesktopTypeFamily", bundle_render::family(item))
        && has("OsType", image.map_or("", os_type))
        && has("ProtocolType", of_image("ProtocolType"))
        && has("SessionType", of_image("SessionType"))
}

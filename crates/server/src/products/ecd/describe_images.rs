//! DescribeImages: the images in a region that the caller can use.

use calotype_core::ids::ImageId;
use calotype_core::image::Standing;
use calotype_core::replica::EntryState;
use serde_json::{Value, json};

use super::error::EcdError;
use super::image_render::{image_detail, os_type};
use super::params::{ids, region, results};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_images::ImageFilter;
use crate::service::describe_regional_images::{RegionalImage, describe_regional_images};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "DescribeImages",
    action: "ecd:DescribeImages",
    parameters: &[
        Parameter::optional("DesktopInstanceType", Kind::Text),
        Parameter::optional("FotaVersion", Kind::Text),
        Parameter::optional("GpuCategory", Kind::Boolean),
        Parameter::optional("GpuDriverVersion", Kind::Text),
        Parameter::optional("ImageId", Kind::FlatList),
        Parameter::optional("ImageName", Kind::Text),
        Parameter::optional("ImageStatus", Kind::Text),
        Parameter::optional("ImageType", Kind::Text),
        Parameter::optional("LanguageType", Kind::Text),
        Parameter::optional("MaxResults", Kind::Integer),
        Parameter::optional("NextToken", Kind::Text),
        Parameter::optional("OsType", Kind::Text),
        Parameter::optional("ProtocolType", Kind::Text),
        Parameter::required("RegionId", Kind::Text),
        Parameter::optional("SessionType", Kind::Text),
    ],
    summary: "Lists the images in a region that the caller can use, with their states there.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

const GIB: u64 = 1 << 30;

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let region = region(call)?;
    let limit = results(params)?;
    let ids = ids(params, "ImageId", ImageId::parse)?;
    let (system, custom) = match params.text("ImageType") {
        None => (true, true),
        Some("SYSTEM") => (true, false),
        Some("CUSTOM") => (false, true),
        Some(_) => (false, false),
    };
    let filter = ImageFilter {
        ids: ids.iter().map(ImageId::as_str).collect(),
        name_part: params.text("ImageName"),
        os_type: params.text("OsType"),
        details: ["FotaVersion", "ProtocolType", "SessionType"]
            .into_iter()
            .filter_map(|name| Some((name, params.text(name)?)))
            .collect(),
        public: system,
        own: custom,
        shared_in: custom,
        ..ImageFilter::default()
    };
    let offset = offset(params)?;
    // No image here is for graphics processors.
    let possible =
        !params.boolean("GpuCategory")?.unwrap_or(false) && params.text("GpuDriverVersion").is_none();
    let keep = |image: &RegionalImage| possible && matches(params, image);
    let part =
        describe_regional_images(call.app, &call.caller, &region, &filter, keep, offset, limit).await?;
    let images: Vec<_> = part.items.iter().map(image).collect();
    Ok(json!({ "Images": images, "NextToken": part.next.unwrap_or_default() }))
}

/// The place in the listing that a token stands for.
fn offset(params: &Params) -> Result<i64, EcdError> {
    let offset = params.integer("NextToken")?.unwrap_or(0);
    if offset < 0 { Err(EcdError::invalid("NextToken")) } else { Ok(offset) }
}

fn matches(params: &Params, image: &RegionalImage) -> bool {
    params.text("ImageStatus").is_none_or(|asked| asked == status(image.state))
        && params.text("LanguageType").is_none_or(|asked| languages(image).any(|known| known == asked))
}

fn languages(image: &RegionalImage) -> impl Iterator<Item = &str> {
    image_detail(&image.view.image, "Language").split(',').filter(|language| !language.is_empty())
}

/// The state of an image in its region, in the vendor's words.
fn status(state: EntryState) -> &'static str {
    match state {
        EntryState::Waiting | EntryState::Copying(_) => "Creating",
        EntryState::Available => "Available",
        EntryState::Failed => "CreateFailed",
    }
}

fn progress(state: EntryState) -> u8 {
    match state {
        EntryState::Waiting | EntryState::Failed => 0,
        EntryState::Copying(hundredths) => hundredths,
        EntryState::Available => 100,
    }
}

/// One entry of the listing. What no image has here is empty.
fn image(item: &RegionalImage) -> Value {
    let image = &item.view.image;
    json!({
        "AppVersion": item.version,
        "CreationTime": image.created.to_string(),
        "DataDiskSize": 0,
        "Description": image_detail(image, "Description"),
        "GpuCategory": false,
        "GpuDriverVersion": "",
        "ImageId": image.id.as_str(),
        "ImageType": if item.view.standing == Standing::Public { "SYSTEM" } else { "CUSTOM" },
        "Name": image.name,
        "OsType": os_type(image),
        "Platform": image.labels.platform,
        "Progress": format!("{}%", progress(item.state)),
        "ProtocolType": image_detail(image, "ProtocolType"),
        "SessionType": image_detail(image, "SessionType"),
        "SharedCount": item.share_count,
        "Size": image.virtual_size_bytes.unwrap_or(0).div_ceil(GIB),
        "Status": status(item.state),
        "SupportedLanguages": languages(item).collect::<Vec<_>>(),
        "UpdateTime": image.modified.to_string(),
        "VolumeEncryptionEnabled": false,
        "VolumeEncryptionKey": "",
    })
}

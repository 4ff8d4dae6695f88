//! Parameters that operations on delivery groups and workstations read in the same way.

use calotype_core::ids::{ImageId, InstanceId, RegionId};
use calotype_core::instance::ChargeType;
use calotype_core::usage::ConsumerKind;

use super::error::AppStreamError;
use crate::products::Call;
use crate::service::describe_instances::{InstanceFilter, TaggedInstance, describe_instances};
use crate::wire::params::Params;

/// The longest text that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 128;

/// The most things in one list.
const LIST_MAX: usize = 100;

/// A parameter that must be there.
pub(super) fn required<'a>(params: &'a Params, name: &'static str) -> Result<&'a str, AppStreamError> {
    params.text(name).ok_or(AppStreamError::invalid(name))
}

/// A text that is kept, and so is bounded.
pub(super) fn bounded<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, AppStreamError> {
    match params.text(name) {
        Some(text) if text.len() > TEXT_BYTES_MAX => Err(AppStreamError::invalid(name)),
        text => Ok(text),
    }
}

/// Texts to keep, each under the name it came with.
pub(super) fn echo(params: &Params, names: &[&'static str]) -> Result<Vec<(String, String)>, AppStreamError> {
    let mut echo = Vec::new();
    for name in names {
        if let Some(text) = bounded(params, name)? {
            echo.push(((*name).to_owned(), text.to_owned()));
        }
    }
    Ok(echo)
}

/// The name of a group or workstation, if one is given. The vendor documents no rule for it.
pub(super) fn label<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, AppStreamError> {
    let fits = |text: &str| text.chars().count() <= NAME_CHARS_MAX && !text.chars().any(char::is_control);
    match params.text(name) {
        Some(text) if !fits(text) => Err(AppStreamError::invalid(name)),
        text => Ok(text),
    }
}

/// Switches that change nothing here, but must be switches.
pub(super) fn switches(params: &Params, names: &[&'static str]) -> Result<(), AppStreamError> {
    for name in names {
        params.boolean(name)?;
    }
    Ok(())
}

/// A number within a range, if there is one. `name` is its name inside a structured parameter, too.
pub(super) fn number(
    params: &Params,
    name: &'static str,
    range: std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>, AppStreamError> {
    match params.integer(name)? {
        Some(number) if !range.contains(&number) => Err(AppStreamError::invalid(name)),
        number => Ok(number),
    }
}

/// Texts to filter by or to act on: a flattened list, or what else clients make of one.
pub(super) fn texts(params: &Params, name: &'static str) -> Result<Vec<String>, AppStreamError> {
    let texts = params.json_list(name)?;
    if texts.len() > LIST_MAX { Err(AppStreamError::invalid(name)) } else { Ok(texts) }
}

/// The image that is meant. There is no image with a malformed id.
pub(super) fn image_id(params: &Params, name: &'static str) -> Result<ImageId, AppStreamError> {
    ImageId::parse(required(params, name)?).map_err(|_| AppStreamError::ImageNotExist)
}

/// The one group or workstation that is meant.
pub(super) fn consumer_id(params: &Params, name: &'static str) -> Result<InstanceId, AppStreamError> {
    InstanceId::parse(required(params, name)?).map_err(|_| AppStreamError::invalid(name))
}

/// The workstations that are meant, one or more, each once.
pub(super) fn workstation_ids(params: &Params) -> Result<Vec<InstanceId>, AppStreamError> {
    let invalid = AppStreamError::invalid("WuyingServerIdList");
    let texts = texts(params, "WuyingServerIdList")?;
    let mut ids: Vec<InstanceId> = Vec::with_capacity(texts.len());
    for text in &texts {
        match InstanceId::parse(text) {
            Ok(id) if ids.contains(&id) => {}
            Ok(id) => ids.push(id),
            Err(_) => return Err(invalid),
        }
    }
    if ids.is_empty() { Err(invalid) } else { Ok(ids) }
}

/// The region that is named, which must be one of the configured ones.
pub(super) fn region(call: &Call<'_>) -> Result<Option<String>, AppStreamError> {
    let Some(text) = call.params.text("BizRegionId") else { return Ok(None) };
    let region = RegionId::parse(text).ok().filter(|region| call.app.places.region(region).is_some());
    match region {
        Some(region) => Ok(Some(region.to_string())),
        None => Err(AppStreamError::invalid("BizRegionId")),
    }
}

/// How a group or workstation is paid for, if that is said.
pub(super) fn charge_type(params: &Params) -> Result<Option<ChargeType>, AppStreamError> {
    match params.text("ChargeType") {
        None => Ok(None),
        Some("PrePaid") => Ok(Some(ChargeType::PrePaid)),
        Some("PostPaid") => Ok(Some(ChargeType::PostPaid)),
        Some(_) => Err(AppStreamError::invalid("ChargeType")),
    }
}

/// Checks that the product is the one of delivery groups.
pub(super) fn must_be_cloud_app(params: &Params) -> Result<(), AppStreamError> {
    match params.text("ProductType") {
        Some("CloudApp") => Ok(()),
        None | Some(_) => Err(AppStreamError::invalid("ProductType")),
    }
}

/// Checks that the product is the one of workstations, if it is named. The vendor spells it in two ways.
pub(super) fn may_be_workstation(params: &Params) -> Result<(), AppStreamError> {
    match params.text("ProductType") {
        None | Some("WuyingServer" | "wuying_server") => Ok(()),
        Some(_) => Err(AppStreamError::invalid("ProductType")),
    }
}

/// Lets an error about a parameter name the parameter that the operation has.
pub(super) fn about(name: &'static str, error: impl Into<AppStreamError>) -> AppStreamError {
    let error = error.into();
    if matches!(error, AppStreamError::InvalidParameter(_)) { AppStreamError::invalid(name) } else { error }
}

/// The one group or workstation that parameter `name` means, looked up.
pub(super) async fn consumer(
    call: &Call<'_>,
    kind: ConsumerKind,
    name: &'static str,
) -> Result<TaggedInstance, AppStreamError> {
    let id = consumer_id(call.params, name)?;
    let filter = InstanceFilter { ids: vec![id.as_str()], ..InstanceFilter::default() };
    let page = describe_instances(call.app, &call.caller, kind, &filter, 0, 1).await?;
    page.items.into_iter().next().ok_or(AppStreamError::invalid(name))
}

//! Parameters that many ECD operations read in the same way.

use calotype_core::ids::{ImageId, MalformedId, RegionId};

use super::error::EcdError;
use crate::products::Call;
use crate::wire::params::Params;

/// Ids in one list, at most.
const IDS_MAX: usize = 100;

/// Characters of a text that is only given back, at most.
const TEXT_CHARS_MAX: usize = 128;

/// Characters of a description.
const DESCRIPTION_CHARS: std::ops::RangeInclusive<usize> = 2..=256;

/// The languages that a desktop can start in.
pub(super) const LANGUAGES: [&str; 4] = ["zh-CN", "zh-HK", "en-US", "ja-JP"];

/// Things on a page, at most.
const PAGE_SIZE_MAX: i64 = 100;

/// A parameter that must be there.
pub(super) fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, EcdError> {
    params.text(name).ok_or(EcdError::MissingParameter)
}

/// The one image that is meant.
pub(super) fn image_id(params: &Params) -> Result<ImageId, EcdError> {
    ImageId::parse(required(params, "ImageId")?).map_err(|_| EcdError::invalid("ImageId"))
}

/// The region of the call, which must be one that there is. Images are the same in all of them.
pub(super) fn region(call: &Call<'_>) -> Result<RegionId, EcdError> {
    let region = RegionId::parse(required(call.params, "RegionId")?).ok();
    region.filter(|id| call.app.places.region(id).is_some()).ok_or(EcdError::invalid("RegionId"))
}

/// A flattened list of ids.
pub(super) fn ids<T>(
    params: &Params,
    name: &'static str,
    parse: fn(&str) -> Result<T, MalformedId>,
) -> Result<Vec<T>, EcdError> {
    let ids = params.list(name);
    if ids.len() > IDS_MAX {
        return Err(EcdError::invalid(name));
    }
    ids.into_iter().map(|id| parse(id).map_err(|_| EcdError::invalid(name))).collect()
}

/// A flattened list of ids that must not be empty.
pub(super) fn required_ids<T>(
    params: &Params,
    name: &'static str,
    parse: fn(&str) -> Result<T, MalformedId>,
) -> Result<Vec<T>, EcdError> {
    let ids = ids(params, name, parse)?;
    if ids.is_empty() { Err(EcdError::MissingParameter) } else { Ok(ids) }
}

/// A text that is only given back.
pub(super) fn echoed<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, EcdError> {
    match params.text(name) {
        Some(text) if text.chars().count() > TEXT_CHARS_MAX || text.contains(char::is_control) => {
            Err(EcdError::invalid(name))
        }
        text => Ok(text),
    }
}

/// The description in this parameter; it may have several lines.
pub(super) fn description<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, EcdError> {
    let is_link = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    match params.text(name) {
        Some(text) if !DESCRIPTION_CHARS.contains(&text.chars().count()) || is_link(text) => {
            Err(EcdError::invalid(name))
        }
        text => Ok(text),
    }
}

/// One of a few texts.
pub(super) fn one_of<'a>(
    params: &'a Params,
    name: &'static str,
    known: &[&str],
) -> Result<Option<&'a str>, EcdError> {
    match params.text(name) {
        Some(text) if !known.contains(&text) => Err(EcdError::invalid(name)),
        text => Ok(text),
    }
}

/// Things on a part of a listing that goes on by token.
pub(super) fn results(params: &Params) -> Result<usize, EcdError> {
    let results = params.integer("MaxResults")?.unwrap_or(10);
    let results = Some(results).filter(|results| (1..=PAGE_SIZE_MAX).contains(results));
    results.and_then(|results| usize::try_from(results).ok()).ok_or(EcdError::invalid("MaxResults"))
}

//! Parameters that many ENS operations read in the same way.

use calotype_core::ids::{ImageId, InstanceId, RegionId};
use calotype_core::name;

use super::error::EnsError;
use crate::wire::params::Params;

/// A parameter that must be there.
pub(super) fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, EnsError> {
    params.text(name).ok_or(EnsError::MissingParameter)
}

/// The one image that is meant. A list of them is refused, because only one may be meant (D8).
pub(super) fn image_id(params: &Params) -> Result<ImageId, EnsError> {
    match params.text("ImageId") {
        Some(text) => ImageId::parse(text).map_err(|_| EnsError::invalid("ImageId")),
        None if params.iter().any(|(name, _)| name.starts_with("ImageId.")) => {
            Err(EnsError::invalid("ImageId"))
        }
        None => Err(EnsError::MissingParameter),
    }
}

/// The same refusal in the words of the pages that say it in the singular.
pub(super) fn in_the_singular(error: EnsError) -> EnsError {
    if matches!(error, EnsError::MissingParameter) { EnsError::MissingOneParameter } else { error }
}

/// The one instance that is meant.
pub(super) fn instance_id(params: &Params) -> Result<InstanceId, EnsError> {
    InstanceId::parse(required(params, "InstanceId")?).map_err(|_| EnsError::invalid("InstanceId"))
}

/// The most things in one list.
const LIST_MAX: usize = 100;

/// The instances that are meant: one or more, joined by commas.
pub(super) fn instance_ids(params: &Params) -> Result<Vec<InstanceId>, EnsError> {
    let ids = params.comma_list("InstanceIds");
    if ids.is_empty() {
        return Err(EnsError::MissingParameter);
    }
    if ids.len() > LIST_MAX {
        return Err(EnsError::invalid("InstanceIds"));
    }
    ids.into_iter().map(|id| InstanceId::parse(id).map_err(|_| EnsError::invalid("InstanceIds"))).collect()
}

/// Ids to filter by: a JSON array in a text, or one id. Ids have no commas.
pub(super) fn id_or_list(params: &Params, name: &'static str) -> Result<Vec<String>, EnsError> {
    let ids = params.json_list(name)?;
    if ids.len() > LIST_MAX || ids.iter().any(|id| id.contains(',')) {
        return Err(EnsError::invalid(name));
    }
    Ok(ids)
}

/// The region that the bytes shall lie in, if one is named.
pub(super) fn target_region(params: &Params) -> Result<Option<RegionId>, EnsError> {
    let parse = |text| RegionId::parse(text).map_err(|_| EnsError::invalid("TargetOSSRegionId"));
    params.text("TargetOSSRegionId").map(parse).transpose()
}

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 256;

/// The name of a snapshot, if one is given. Those that begin with `auto` are the vendor's own.
pub(super) fn snapshot_name(params: &Params) -> Result<Option<&str>, EnsError> {
    match params.text("SnapshotName") {
        Some(text) if !name::is_valid(text) || text.starts_with("auto") => {
            Err(EnsError::invalid("SnapshotName"))
        }
        text => Ok(text),
    }
}

/// The description of a snapshot, if one is given.
pub(super) fn snapshot_description(params: &Params) -> Result<Option<&str>, EnsError> {
    let is_link = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    match params.text("Description") {
        Some(text) if is_link(text) || text.chars().count() > DESCRIPTION_CHARS_MAX => {
            Err(EnsError::invalid("Description"))
        }
        text => Ok(text),
    }
}

/// A name that must be there and be well-formed.
pub(super) fn required_name<'a>(params: &'a Params, parameter: &'static str) -> Result<&'a str, EnsError> {
    let text = required(params, parameter)?;
    if name::is_valid(text) { Ok(text) } else { Err(EnsError::invalid(parameter)) }
}

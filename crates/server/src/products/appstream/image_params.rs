//! Parameters that operations on App Streaming images read in the same way.

use calotype_core::name;

use super::error::AppStreamError;
use crate::wire::params::Params;

/// Tags of one thing, at most, and the bytes of a key or value.
const TAGS_MAX: usize = 20;
const TAG_BYTES_MAX: usize = 128;

/// The name of an image, if one is given; what the vendor takes is not documented, so the rule of the
/// other products holds.
pub(super) fn image_name(params: &Params, parameter: &'static str) -> Result<Option<String>, AppStreamError> {
    match params.text(parameter) {
        Some(text) if !name::is_valid(text) => Err(AppStreamError::invalid(parameter)),
        text => Ok(text.map(str::to_owned)),
    }
}

/// Tags to put on a thing.
pub(super) fn tags(
    params: &Params,
    parameter: &'static str,
) -> Result<Vec<(String, String)>, AppStreamError> {
    let tags = params.objects(parameter)?;
    if tags.len() > TAGS_MAX {
        return Err(AppStreamError::invalid(parameter));
    }
    let tag = |tag: &Params| {
        let (key, value) = (tag.text("Key").unwrap_or_default(), tag.text("Value").unwrap_or_default());
        if key.is_empty() || key.len() > TAG_BYTES_MAX || value.len() > TAG_BYTES_MAX {
            return Err(AppStreamError::invalid(parameter));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    tags.iter().map(tag).collect()
}

/// Checks what an image is said to be for, if that is said.
pub(super) fn product_type(params: &Params) -> Result<(), AppStreamError> {
    match params.text("ProductType") {
        None | Some("CloudDesktop" | "CloudApp" | "WuyingServer") => Ok(()),
        Some(_) => Err(AppStreamError::invalid("ProductType")),
    }
}

//! Our own API, version 2026-11-21: what the vendor has no call for.

mod deletion_render;
pub mod error;
pub mod explain_delete_image;
pub mod get_deletion;
pub mod list_deletions;
#[cfg(feature = "bench")]
pub mod no_op;
pub mod publish_community_image;
pub mod restore_image;
pub mod withdraw_community_image;

use calotype_core::ids::ImageId;
use serde_json::Value;

use super::{Api, Call};
use crate::wire::fault::Fault;
use crate::wire::params::Params;
use error::CalotypeError;

/// The API.
pub const API: Api = Api { name: "calotype", product_code: "Calotype", version: "2026-11-21" };

/// Puts an outcome into words.
fn answer(call: &Call<'_>, outcome: Result<Value, CalotypeError>) -> Result<Value, Fault> {
    outcome.map_err(|error| error.into_fault(call))
}

/// The image that is meant.
fn image_id(params: &Params) -> Result<ImageId, CalotypeError> {
    let text = params.text("ImageId").ok_or(CalotypeError::MissingParameter)?;
    ImageId::parse(text).map_err(|_| CalotypeError::invalid("ImageId"))
}

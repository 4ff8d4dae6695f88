//! Security Token Service, version 2015-04-01.

pub mod assume_role;
pub mod error;
pub mod get_caller_identity;

use serde_json::Value;

use super::{Api, Call};
use crate::wire::fault::Fault;
use error::StsError;

/// The API.
pub const API: Api = Api { name: "sts", product_code: "Sts", version: "2015-04-01" };

/// Puts an outcome into the words of the product.
fn answer(call: &Call<'_>, outcome: Result<Value, StsError>) -> Result<Value, Fault> {
    outcome.map_err(|error| error.into_fault(call))
}

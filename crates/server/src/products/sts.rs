//! Security Token Service, version 2015-04-01.

pub mod get_caller_identity;

use super::Api;

/// The API.
pub const API: Api = Api { name: "sts", product_code: "Sts", version: "2015-04-01" };

//! Elastic Desktop Service, version 2020-09-30: templates, bundles and sharing of App Streaming images.

mod bundle_render;
pub mod copy_image;
pub mod create_bundle;
pub mod create_template;
pub mod delete_bundles;
pub mod delete_images;
pub mod delete_templates;
pub mod describe_bundles;
pub mod describe_image_permission;
pub mod describe_images;
pub mod describe_templates;
pub mod error;
mod image_render;
pub mod modify_image_attribute;
pub mod modify_image_permission;
pub mod modify_template;
mod params;
mod template_params;
mod template_render;

use serde_json::{Map, Value, json};

use super::{Api, Call};
use crate::wire::fault::Fault;
use error::EcdError;

/// The API.
pub const API: Api = Api { name: "ecd", product_code: "ecd", version: "2020-09-30" };

/// Puts an outcome into the words of the product.
fn answer(call: &Call<'_>, outcome: Result<Value, EcdError>) -> Result<Value, Fault> {
    outcome.map_err(|error| error.into_fault(call))
}

/// The envelope that the operations on templates answer in, with members of their own.
fn envelope<const N: usize>(members: [(&str, Value); N]) -> Value {
    let common = [
        ("Code", json!("success")),
        ("HttpStatusCode", json!(200)),
        ("Message", json!("success")),
        ("Success", json!(true)),
    ];
    let members = common.into_iter().chain(members).map(|(name, value)| (name.to_owned(), value));
    Value::Object(members.collect::<Map<_, _>>())
}

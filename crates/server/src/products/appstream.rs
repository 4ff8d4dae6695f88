//! App Streaming, version 2021-09-01.

pub mod create_app_instance_group;
pub mod create_image_by_instance;
pub mod create_image_from_app_instance_group;
pub mod create_wuying_server;
pub mod delete_app_instance_group;
pub mod delete_app_instances;
pub mod delete_image;
pub mod delete_wuying_server;
pub mod describe_wuying_server;
pub mod error;
pub mod get_app_instance_group;
mod image_params;
mod image_render;
pub mod list_app_instance_group;
pub mod list_app_instances;
pub mod list_image;
pub mod list_regions;
pub mod list_wuying_server;
mod params;
mod render;
pub mod start_task_for_distribute_image;
pub mod start_wuying_server;
pub mod stop_wuying_server;
pub mod update_app_instance_group_image;
pub mod update_wuying_server_image;

use calotype_core::delete_image::DeleteRules;
use serde_json::Value;

use super::{Api, Call};
use crate::wire::encode::hex;
use crate::wire::fault::Fault;
use error::AppStreamError;

/// The API. Its RAM actions begin with `appstreaming`.
pub const API: Api = Api { name: "appstreaming", product_code: "appstream-center", version: "2021-09-01" };

/// What App Streaming rules of a delete: shares block (D42), templates go with the image (D24).
pub const RULES: DeleteRules = DeleteRules { outgoing_shares_block: true, templates_go: true };

/// Puts an outcome into the words of the product.
fn answer(call: &Call<'_>, outcome: Result<Value, AppStreamError>) -> Result<Value, Fault> {
    outcome.map_err(|error| error.into_fault(call))
}

/// Makes the id of a task. Tasks are told by the images they work on, so nothing is kept under it.
fn task_id(call: &Call<'_>) -> String {
    format!("tid-{}", hex(&call.app.chance.id()))
}

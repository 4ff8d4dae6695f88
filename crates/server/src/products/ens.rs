//! Edge Node Service, version 2017-11-10.

pub mod create_image;
pub mod create_instance;
pub mod create_snapshot;
pub mod delete_image;
pub mod delete_snapshot;
pub mod describe_disks;
pub mod describe_ens_regions;
pub mod describe_export_image_info;
pub mod describe_export_image_status;
pub mod describe_image_infos;
pub mod describe_image_share_permission;
pub mod describe_images;
pub mod describe_instances;
pub mod describe_self_images;
pub mod describe_snapshots;
pub mod error;
pub mod export_image;
pub mod import_image;
mod launch_params;
pub mod list_tag_resources;
pub mod modify_image_attribute;
pub mod modify_image_share_permission;
pub mod modify_instance_attribute;
pub mod modify_snapshot_attribute;
mod params;
pub mod reboot_instance;
pub mod reboot_instances;
pub mod reinit_instance;
pub mod reinit_instances;
pub mod release_instance;
pub mod release_post_paid_instance;
pub mod release_pre_paid_instance;
mod render;
pub mod run_instances;
pub mod start_instance;
pub mod start_instances;
pub mod stop_instance;
pub mod stop_instances;

use calotype_core::delete_image::DeleteRules;
use serde_json::Value;

use super::{Api, Call};
use crate::wire::fault::Fault;
use error::EnsError;

/// The API.
pub const API: Api = Api { name: "ens", product_code: "Ens", version: "2017-11-10" };

/// What ENS rules of a delete: shares go with the image (D20).
pub const RULES: DeleteRules = DeleteRules { outgoing_shares_block: false, templates_go: false };

/// Puts an outcome into the words of the product.
fn answer(call: &Call<'_>, outcome: Result<Value, EnsError>) -> Result<Value, Fault> {
    outcome.map_err(|error| error.into_fault(call))
}

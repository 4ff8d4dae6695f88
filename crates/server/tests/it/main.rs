//! The whole server, in this process: really signed requests over HTTP, on a clock that stands still.
//!
//! One file for each operation, named like it; names of tests carry the requirement. Beside them:
//! `operations` walks the table of operations, `race` lets calls meet each other, `protocol` sends
//! recorded bytes, `restart` opens the same folder again at awkward moments, `workers` runs with them.

#![expect(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod assume_role;
mod audit;
mod check;
mod connections;
mod copy_image;
mod create_image;
mod create_instance;
mod create_snapshot;
mod delete_app_instances;
mod delete_image;
mod delete_image_app_streaming;
mod delete_snapshot;
mod describe_disks;
mod describe_ens_regions;
mod describe_export_image_info;
mod describe_export_image_status;
mod describe_image_infos;
mod describe_image_share_permission;
mod describe_images;
mod describe_instances;
mod describe_self_images;
mod describe_snapshots;
mod export_image;
mod get_caller_identity;
mod get_deletion;
mod histories;
mod identities;
mod import_image;
mod lab;
mod limits;
mod list_deletions;
mod list_tag_resources;
mod met;
mod metrics;
mod modify_image_attribute;
mod modify_image_attribute_ecd;
mod modify_image_share_permission;
mod modify_instance_attribute;
mod modify_snapshot_attribute;
mod operations;
mod order;
#[path = "../../../store/tests/it/postgres.rs"]
mod postgres;
mod protocol;
#[expect(dead_code, reason = "others use the rest")]
#[path = "../../../store/tests/postgres/proxy.rs"]
mod proxy;
mod race;
mod reboot_instance;
mod reboot_instances;
mod reinit_instance;
mod reinit_instances;
mod release_instance;
mod release_post_paid_instance;
mod release_pre_paid_instance;
mod restart;
mod restore_image;
mod run_instances;
mod slow_region;
mod start_instance;
mod start_instances;
mod stop_instance;
mod stop_instances;
mod support;
mod throttling;
mod tls;
mod trips;
mod workers;

//! The rules of Calotype.
//!
//! This crate is pure: no clock, no chance, no network, no storage. It turns facts into decisions, and
//! the other crates carry them out.

pub mod assume_role;
pub mod delete_image;
pub mod distribute_image;
pub mod export_image;
pub mod ids;
pub mod image;
pub mod instance;
pub mod name;
pub mod qcow2;
pub mod ram;
pub mod reinit_instance;
pub mod replica;
pub mod restore_image;
pub mod share_image;
pub mod snapshot;
pub mod template;
pub mod time;
pub mod usage;

//! Everything durable in Calotype: rows in a database, bytes in stores of objects.
//!
//! This is the only crate that names SQL, a driver or a store of objects. It decides nothing.

pub mod bundles;
pub mod db;
pub mod deletions;
pub mod images;
pub mod ingest;
pub mod instances;
mod members;
mod migrations;
pub mod nonces;
pub mod objects;
pub mod replicas;
pub mod shares;
pub mod snapshots;
pub mod tags;
pub mod templates;
pub mod usages;
pub mod versions;

//! Everything durable in Calotype: rows in a database, bytes in stores of objects.
//!
//! This is the only crate that names SQL, a driver or a store of objects. It decides nothing.

pub mod accounts;
pub mod backup;
pub mod bundles;
pub mod db;
pub mod deletions;
pub mod delivery;
pub mod disks;
pub mod exports;
pub mod holds;
pub mod images;
pub mod ingest;
pub mod instances;
pub mod invariants;
mod members;
mod migrations;
pub mod nonces;
pub mod objects;
pub mod replicas;
pub mod saved;
pub mod seam;
pub mod sessions;
pub mod shares;
pub mod snapshots;
pub mod stores;
pub mod tags;
pub mod templates;
pub mod usages;
pub mod versions;

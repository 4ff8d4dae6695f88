//! Tests of the store on real `SQLite` files, or a real PostgreSQL database, and real folders: one body per behaviour.

#![expect(clippy::unwrap_used, reason = "what a test calls may panic like the test itself")]

mod advice;
mod backup;
mod bundles;
mod claims;
mod community;
mod crash;
mod deletes;
mod delivery;
mod entries;
mod erasures;
mod exports;
mod faults;
mod fence;
mod full_disk;
mod groups;
mod hostile;
mod identity;
mod image_labels;
mod image_lists;
mod images;
mod ingest;
mod instance_lists;
mod instances;
mod invariants;
mod locations;
mod log;
mod migrations;
mod nonces;
mod objects;
mod postgres;
mod refills;
mod replicas;
mod s3;
mod s3_faults;
mod sessions;
mod shares;
mod snapshots;
mod support;
mod tags;
mod templates;
mod things;
mod transactions;
mod usages;
mod versions;

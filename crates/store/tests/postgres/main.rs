//! What is special about PostgreSQL, on a real one: `cargo xtask test` starts it.

#![expect(clippy::unwrap_used, reason = "what a test calls may panic like the test itself")]

mod away;
#[expect(dead_code, reason = "others use the rest")]
#[path = "../it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "others use the rest")]
mod proxy;
mod server;
mod transactions;
mod transfer;

use calotype_store::db::postgres::Address;
use calotype_store::db::{Db, Options, Place, Result};

/// A schema of its own for a test.
async fn schema() -> String {
    postgres::schema(&postgres::address()).await
}

fn place(url: &str, connections: usize) -> Place {
    Place::Postgres(Box::new(Address::parse(url, None, Some(connections)).unwrap()))
}

async fn open(url: &str) -> Result<Db> {
    Db::open(&Options::new(place(url, 4))).await
}

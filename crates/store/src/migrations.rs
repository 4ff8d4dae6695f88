//! Brings the tables up to date, one numbered file after the other.
//!
//! Servers of two versions may use one database for a while, as they are replaced one by one. So a migration says
//! which program is the oldest that can still use the tables after it.

use std::time::Duration;

use crate::db::{Db, Result, StoreError, Tx};

/// A change of the tables. Only ever appended to [`MIGRATIONS`].
struct Migration {
    number: i64,
    statements: &'static str,
    /// What only a database of one server needs besides.
    of_one: &'static [&'static str],
    /// What only a database of several servers needs besides.
    of_several: &'static [&'static str],
    /// The number of the last migration that a program must know to use the tables after this one.
    needs: i64,
}

const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    statements: include_str!("migrations/0001_first.sql"),
    of_one: &["CREATE INDEX nonces_by_expiry ON nonces (expires_ms)"],
    of_several: &["CREATE UNIQUE INDEX nonces_once ON nonces (expires_ms, access_key_id, nonce)"],
    needs: 1,
}];

/// How often a server tries to be the one that brings the tables up to date, beside others that start with it.
const TRIES_MAX: u32 = 50;

const PAUSE: Duration = Duration::from_millis(100);

/// The number of the last migration.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// The statements of every migration up to this one.
pub(crate) fn scripts(number: i64) -> impl Iterator<Item = &'static str> {
    let known = MIGRATIONS.iter().filter(move |migration| migration.number <= number);
    known.map(|migration| migration.statements)
}

/// Makes sure that every migration was run, and no newer one.
pub(crate) async fn require_current(db: &Db) -> Result<()> {
    let row = db.read().await?.query_opt("SELECT MAX(number) FROM schema_migrations", &[]).await?;
    match row.map_or(Ok(None), |row| row.integer_opt(0))? {
        Some(reached) if reached == newest() => Ok(()),
        reached => {
            let text = format!(
                "its tables are of version {}, and this program's of version {}: use the program that serves",
                reached.unwrap_or(0),
                newest()
            );
            Err(StoreError::Unavailable(text.into()))
        }
    }
}

/// Runs the migrations that the database has not seen, each in a transaction.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    let mut tries = 1;
    loop {
        match step(db).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Another server makes the same tables.
            Err(StoreError::Conflict) if tries < TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Runs the next migration; gives whether nothing is left to do.
async fn step(db: &Db) -> Result<bool> {
    let mut tx = db.begin().await?;
    tx.define(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY, needs BIGINT NOT NULL)",
    )
    .await?;
    let reached = reached(&mut tx).await?;
    let Some(next) = MIGRATIONS.iter().find(|migration| migration.number > reached) else {
        return Ok(true);
    };
    let besides = if db.is_shared() { next.of_several } else { next.of_one };
    let statements = next.statements.split(';').filter(|statement| !statement.trim().is_empty());
    for statement in statements.chain(besides.iter().copied()) {
        tx.define(statement).await?;
    }
    tx.execute_one(
        "INSERT INTO schema_migrations (number, needs) VALUES ($1, $2)",
        &[next.number.into(), next.needs.into()],
    )
    .await?;
    tx.commit().await?;
    Ok(false)
}

/// The last migration that was run, if this program can use the tables after it.
async fn reached(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(number), 0), COALESCE(MAX(needs), 0) FROM schema_migrations";
    let Some(row) = tx.query_opt(sql, &[]).await? else { return Ok(0) };
    let (reached, needs) = (row.integer(0)?, row.integer(1)?);
    if needs > newest() {
        let text = format!("its tables are of version {reached}, made by a newer program");
        return Err(StoreError::Unavailable(text.into()));
    }
    Ok(reached)
}

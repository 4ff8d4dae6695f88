//! Brings the tables up to date, one numbered file after the other.

use crate::db::{Db, Result, StoreError};

/// Every migration: its number and its statements. Only ever appended to.
const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("migrations/0001_first.sql"))];

/// The number of the last migration.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(number, _)| *number)
}

/// The statements of every migration up to this one.
pub(crate) fn scripts(number: i64) -> impl Iterator<Item = &'static str> {
    MIGRATIONS.iter().filter(move |(other, _)| *other <= number).map(|(_, statements)| *statements)
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

/// Runs the migrations that the database has not seen, in one transaction.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.execute("CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY)", &[]).await?;
    let row = tx.query_opt("SELECT COALESCE(MAX(number), 0) FROM schema_migrations", &[]).await?;
    let reached = row.map_or(Ok(0), |row| row.integer(0))?;
    if reached > newest() {
        let text = format!("its tables are of version {reached}, made by a newer program");
        return Err(StoreError::Unavailable(text.into()));
    }
    for (number, statements) in MIGRATIONS.iter().filter(|(number, _)| *number > reached) {
        for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
            tx.execute(statement, &[]).await?;
        }
        tx.execute("INSERT INTO schema_migrations (number) VALUES ($1)", &[(*number).into()]).await?;
    }
    tx.commit().await
}

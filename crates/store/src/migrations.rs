//! Brings the tables up to date, one numbered file after the other.

use crate::db::{Db, Result, StoreError};

/// Every migration: its number and its statements. Only ever appended to.
const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("migrations/0001_first.sql"))];

/// Runs the migrations that the database has not seen, in one transaction.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.execute("CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY)", &[]).await?;
    let row = tx.query_opt("SELECT COALESCE(MAX(number), 0) FROM schema_migrations", &[]).await?;
    let reached = row.map_or(Ok(0), |row| row.integer(0))?;
    if MIGRATIONS.last().is_some_and(|(newest, _)| reached > *newest) {
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

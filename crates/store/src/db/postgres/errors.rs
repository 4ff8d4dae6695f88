//! The errors of the driver, and what they mean for a transaction.

use std::error::Error;

use tokio_postgres::error::SqlState;

use crate::db::StoreError;

/// A result of the driver.
pub(super) type Driver<T> = std::result::Result<T, tokio_postgres::Error>;

/// The error of a statement.
pub(super) fn failed(error: tokio_postgres::Error) -> StoreError {
    let met_another = [
        // What is to be repeated, in the words of every database of the kind.
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        // The row or table was made by another transaction meanwhile.
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
    ];
    match error.code() {
        Some(code) if met_another.contains(code) => StoreError::Conflict,
        _ => unavailable(error),
    }
}

/// Whether the count of [`super::exchange::Order::one`] was not one.
pub(super) fn is_not_one(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::DIVISION_BY_ZERO)
}

/// Whether the connection is of no use any more: closed, or to a database that is going away or only reads.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    let leaving = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    error.code().map_or_else(|| error.is_closed() || is_io(error), |code| leaving.contains(code))
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(<dyn Error>::is::<std::io::Error>)
}

/// The store cannot serve.
pub(super) fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

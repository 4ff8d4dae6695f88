//! The errors of the library, with what the operator can do about them.

use std::error::Error;

use rusqlite::ErrorCode;

use crate::db::StoreError;

/// An error of the library.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", advice(error))]
struct Explained {
    error: rusqlite::Error,
}

fn advice(error: &rusqlite::Error) -> &'static str {
    let Some(code) = error.sqlite_error_code() else { return "" };
    // There are many more, and those say enough.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library adds codes")]
    match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            "; `calotype check` tells what of the metadata is damaged, `calotype restore` brings a backup back"
        }
        ErrorCode::DiskFull => "; make room on the disk of the metadata: nothing acknowledged is lost",
        ErrorCode::ReadOnly => "; the file of the metadata and its folder must be writable",
        ErrorCode::SystemIoFailure => {
            "; look after the disk of the metadata, then run `calotype check`: nothing acknowledged is lost yet"
        }
        _ => "",
    }
}

/// The error of a statement.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::Conflict,
        _ => unavailable(error),
    }
}

/// The store cannot serve.
pub(super) fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(match error.into().downcast::<rusqlite::Error>() {
        Ok(error) => Box::new(Explained { error: *error }),
        Err(other) => other,
    })
}

/// The text of an error, for those who share it.
pub(super) fn explain(error: rusqlite::Error) -> String {
    Explained { error }.to_string()
}

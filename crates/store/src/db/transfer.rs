//! Takes the metadata of an installation from its file to PostgreSQL.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use ring::digest::{SHA256, digest};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::postgres::nul::STAND_IN;
use super::postgres::{Address, Postgres};
use super::sqlite::files;
use super::{CommitMode, Db, Options, Place, StoreError};

/// Bytes that are sent at once.
const PART_BYTES: usize = 1 << 20;

/// Why the metadata is not taken over. Nothing is in the new place then but empty tables.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the two databases cannot be used.
    #[error("{0} cannot be used")]
    Store(&'static str, #[source] StoreError),
    /// The file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The database did not take the rows, or did not give them back.
    #[error("the database did not do its part")]
    Database(#[from] tokio_postgres::Error),
    /// There is an installation already.
    #[error("the table {0} of the database is not empty")]
    NotEmpty(String),
    /// What came back is not what was sent.
    #[error("the table {table} is not the same: {sent} rows were sent, {found} are there")]
    Different {
        /// The table.
        table: String,
        /// The rows that were sent.
        sent: u64,
        /// The rows that are there.
        found: u64,
    },
}

/// A table that was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
}

/// Copies every table of the file into an empty database, in one transaction, and compares what is there with what
/// was sent before that is committed. No server may use either.
///
/// # Errors
/// [`TransferError`]; it may be tried again.
pub async fn transfer(from: &Path, to: &Address) -> Result<Vec<Taken>, TransferError> {
    let is_old = |error| TransferError::Store("the file", error);
    let attached = Options { commit: CommitMode::Alone, ..Options::new(from.to_owned()) };
    drop(Db::attach(&attached).await.map_err(is_old)?);
    let is_new = |error| TransferError::Store("the database", error);
    let options = Options::new(Place::Postgres(Box::new(to.clone())));
    drop(Db::open(&options).await.map_err(is_new)?);

    let file = |source| TransferError::File { path: from.to_owned(), source };
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(file)?;
    let tables = files::tables().map_err(file)?;
    let target = Postgres::attach(to).await.map_err(is_new)?.connection().await.map_err(is_new)?;
    target.batch_execute("BEGIN").await?;
    source.execute_batch("BEGIN").map_err(file)?;
    let mut taken = Vec::with_capacity(tables.len());
    for (table, columns) in tables {
        refuse_rows(&target, &table).await?;
        let sent = send(&source, &target, &table, &columns, from).await?;
        let found = read_back(&target, &table, &columns).await?;
        if sent != found {
            return Err(TransferError::Different { table, sent: sent.rows, found: found.rows });
        }
        taken.push(Taken { table, rows: sent.rows });
    }
    target.batch_execute("COMMIT").await?;
    Ok(taken)
}

/// What a table holds: the number of its rows, and the sum of their hashes, whatever their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, line: &[u8]) {
        let hash = digest(&SHA256, line);
        let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(u64::from_be_bytes(first));
    }
}

async fn refuse_rows(target: &Client, table: &str) -> Result<(), TransferError> {
    let found = target.query_opt(&format!("SELECT 1 FROM {table} LIMIT 1"), &[]).await?;
    found.map_or(Ok(()), |_| Err(TransferError::NotEmpty(table.to_owned())))
}

async fn send(
    source: &Connection,
    target: &Client,
    table: &str,
    columns: &str,
    from: &Path,
) -> Result<Sum, TransferError> {
    let file = |source| TransferError::File { path: from.to_owned(), source };
    let copying = target.copy_in(&format!("COPY {table} ({columns}) FROM STDIN")).await?;
    let mut copying = std::pin::pin!(copying);
    let mut statement = source.prepare(&format!("SELECT {columns} FROM {table}")).map_err(file)?;
    let cells = statement.column_count();
    let mut rows = statement.query([]).map_err(file)?;
    let (mut sum, mut part) = (Sum::default(), Vec::new());
    while let Some(row) = rows.next().map_err(file)? {
        let begin = part.len();
        for at in 0..cells {
            if at > 0 {
                part.push(b'\t');
            }
            match row.get_ref(at).map_err(file)? {
                ValueRef::Null => part.extend(b"\\N"),
                ValueRef::Integer(number) => part.extend(number.to_string().bytes()),
                ValueRef::Text(text) => escape(text, &mut part),
                ValueRef::Real(_) | ValueRef::Blob(_) => return Err(file(rusqlite::Error::InvalidQuery)),
            }
        }
        sum.add(part.get(begin..).unwrap_or_default());
        part.push(b'\n');
        if part.len() > PART_BYTES {
            copying.send(Bytes::from(std::mem::take(&mut part))).await?;
        }
    }
    copying.send(Bytes::from(part)).await?;
    copying.finish().await?;
    Ok(sum)
}

async fn read_back(target: &Client, table: &str, columns: &str) -> Result<Sum, TransferError> {
    let statement = target.prepare(&format!("SELECT {columns} FROM {table}")).await?;
    let nothing: [&str; 0] = [];
    let mut rows = std::pin::pin!(target.query_raw(&statement, nothing).await?);
    let (mut sum, mut line) = (Sum::default(), Vec::new());
    while let Some(row) = rows.next().await {
        let row = row?;
        line.clear();
        for (at, column) in row.columns().iter().enumerate() {
            if at > 0 {
                line.push(b'\t');
            }
            if *column.type_() == Type::INT8 {
                match row.try_get::<_, Option<i64>>(at)? {
                    Some(number) => line.extend(number.to_string().bytes()),
                    None => line.extend(b"\\N"),
                }
            } else {
                match row.try_get::<_, Option<&str>>(at)? {
                    Some(text) => escape(text.as_bytes(), &mut line),
                    None => line.extend(b"\\N"),
                }
            }
        }
        sum.add(&line);
    }
    Ok(sum)
}

/// Writes a text as COPY reads it.
fn escape(text: &[u8], line: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\t' => line.extend(b"\\t"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\0' => line.extend(STAND_IN.encode_utf8(&mut [0; 4]).as_bytes()),
            other => line.push(*other),
        }
    }
}

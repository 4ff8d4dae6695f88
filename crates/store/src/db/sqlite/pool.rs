//! Connections for reading: a fixed number, each lent for one transaction.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Result, execute, unavailable};

/// The connections that are not lent.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

/// A connection on loan, in a transaction that sees one snapshot.
#[derive(Debug)]
pub(super) struct PooledConnection {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn open(size: usize, connect: impl Fn() -> Result<Connection>) -> Result<Self> {
        let idle = (0..size).map(|_| connect()).collect::<Result<Vec<_>>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(size)) })
    }

    /// Waits for a connection and opens a transaction on it.
    pub(super) async fn take(&self) -> Result<PooledConnection> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(unavailable)?;
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = connection.ok_or_else(|| unavailable("no connection is left"))?;
        let lent =
            PooledConnection { connection: Some(connection), idle: Arc::clone(&self.idle), _permit: permit };
        execute(&lent, "BEGIN").map_err(unavailable)?;
        Ok(lent)
    }
}

impl Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("present until dropped")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if !connection.is_autocommit() {
                drop(execute(&connection, "ROLLBACK"));
            }
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

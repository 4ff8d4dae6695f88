//! `SQLite`: one writer whose transactions share commits, readers beside it.
//!
//! `begin` takes the writer's turn (in order of arrival) and opens a savepoint in the group that is
//! being gathered; `commit` releases the savepoint, passes the turn on and waits. The committer stands
//! in the same line: whoever came before it joins the group, and one COMMIT, one fsync, makes the whole
//! group durable. Statements run in place, because a hop to another thread costs more than they do.

mod committer;
mod pool;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::{Cell, Options, Result, Row, StoreError, Value};
use pool::{Pool, PooledConnection};

/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 128;

/// Connections for reading.
const READERS: usize = 4;

/// An open `SQLite` database.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: Arc<Mutex<Writer>>,
    wake_committer: Sender<()>,
    readers: Pool,
    fence: bool,
}

/// The one connection that writes, and the group it is gathering.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    group_open: bool,
    waiting: Vec<oneshot::Sender<Result<()>>>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// A transaction of [`Sqlite`].
#[derive(Debug)]
pub struct SqliteTx(Kind);

#[derive(Debug)]
enum Kind {
    Read(PooledConnection),
    Write(Turn),
    /// Without the fence: reads the state at its beginning all the way, and takes the turn at its first
    /// write. For negative controls only.
    Unfenced {
        database: Sqlite,
        reader: PooledConnection,
        turn: Option<Turn>,
    },
}

/// The writer's turn, held from `begin` to `commit` or to the end without it.
#[derive(Debug)]
struct Turn {
    writer: Option<OwnedMutexGuard<Writer>>,
    wake_committer: Sender<()>,
}

impl Sqlite {
    /// Opens the file, making it if it does not exist.
    pub(super) fn open(options: &Options) -> Result<Self> {
        let connection =
            connect(&options.path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        connection
            .execute_batch(
                // The checkpointer moves pages off the request path, so the automatic one is off.
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;",
            )
            .map_err(unavailable)?;
        let writer = Arc::new(Mutex::new(Writer { connection, group_open: false, waiting: Vec::new() }));
        let wake_committer = committer::start(&writer, &options.path)?;
        let readers = Pool::open(READERS, || connect(&options.path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        Ok(Self { writer, wake_committer, readers, fence: true })
    }

    /// From now on without the fence, if so it shall be.
    pub(super) fn with_fence(self, fence: bool) -> Self {
        Self { fence, ..self }
    }

    pub(super) async fn begin(&self) -> Result<SqliteTx> {
        if !self.fence {
            let reader = self.readers.take().await?;
            // The first look decides which state is seen.
            reader.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(())).map_err(unavailable)?;
            return Ok(SqliteTx(Kind::Unfenced { database: self.clone(), reader, turn: None }));
        }
        Ok(SqliteTx(Kind::Write(self.turn().await?)))
    }

    async fn turn(&self) -> Result<Turn> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        writer.enter()?;
        Ok(Turn { writer: Some(writer), wake_committer: self.wake_committer.clone() })
    }

    pub(super) async fn read(&self) -> Result<SqliteTx> {
        Ok(SqliteTx(Kind::Read(self.readers.take().await?)))
    }
}

impl Writer {
    fn enter(&mut self) -> Result<()> {
        if !self.group_open {
            self.connection
                .prepare_cached("BEGIN IMMEDIATE")
                .and_then(|mut s| s.execute([]))
                .map_err(unavailable)?;
            self.group_open = true;
        }
        self.connection
            .prepare_cached("SAVEPOINT one")
            .and_then(|mut s| s.execute([]))
            .map_err(unavailable)?;
        Ok(())
    }

    /// Some failures (a full disk above all) roll the whole group back by themselves. Then everybody
    /// who waits for it hears of it, and the next one begins anew.
    fn notice_lost_group(&mut self) {
        if self.group_open && self.connection.is_autocommit() {
            self.group_open = false;
            for waiting in self.waiting.drain(..) {
                // A caller that stopped waiting does not want to know.
                drop(waiting.send(Err(unavailable("the group of transactions was rolled back"))));
            }
        }
    }
}

impl SqliteTx {
    pub(super) fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.run(Access::Read, sql, values, |statement| {
            let columns = statement.column_count();
            let mut rows = Vec::new();
            let mut raw = statement.raw_query();
            while let Some(row) = raw.next()? {
                let cells =
                    (0..columns).map(|column| cell(row.get_ref(column)?)).collect::<rusqlite::Result<_>>()?;
                rows.push(Row::new(cells));
            }
            Ok(rows)
        })
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        if let Kind::Unfenced { database, turn: turn @ None, .. } = &mut self.0 {
            *turn = Some(database.turn().await?);
        }
        self.run(Access::Write, sql, values, |statement| Ok(statement.raw_execute()? as u64))
    }

    fn run<T>(
        &mut self,
        access: Access,
        sql: &'static str,
        values: &[Value<'_>],
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let connection: &Connection = match (&self.0, access) {
            (Kind::Write(turn) | Kind::Unfenced { turn: Some(turn), .. }, Access::Write)
            | (Kind::Write(turn), Access::Read) => {
                let writer = turn.writer.as_ref().filter(|writer| writer.group_open);
                &writer.ok_or_else(|| unavailable("the group of transactions was rolled back"))?.connection
            }
            (Kind::Read(reader) | Kind::Unfenced { reader, .. }, _) => reader,
        };
        let result = connection.prepare_cached(sql).and_then(|mut statement| {
            bind(&mut statement, values)?;
            work(&mut statement)
        });
        result.map_err(|error| {
            if let Some(Turn { writer: Some(writer), .. }) = self.turn() {
                writer.notice_lost_group();
            }
            failed(error)
        })
    }

    fn turn(&mut self) -> Option<&mut Turn> {
        match &mut self.0 {
            Kind::Write(turn) => Some(turn),
            Kind::Unfenced { turn, .. } => turn.as_mut(),
            Kind::Read(_) => None,
        }
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let Some(turn) = self.turn() else {
            return Ok(());
        };
        let (durable, wait) = oneshot::channel();
        if let Some(mut writer) = turn.writer.take() {
            if !writer.group_open {
                return Err(unavailable("the group of transactions was rolled back"));
            }
            let released = writer
                .connection
                .prepare_cached("RELEASE one")
                .and_then(|mut statement| statement.execute([]));
            if let Err(error) = released {
                turn.writer = Some(writer);
                return Err(failed(error));
            }
            writer.waiting.push(durable);
        }
        turn.wake()?;
        wait.await.map_err(|_| unavailable("the committer has ended"))?
    }
}

impl Turn {
    fn wake(&self) -> Result<()> {
        self.wake_committer.send(()).map_err(|_| unavailable("the committer has ended"))
    }
}

/// A turn that ends without a commit takes its statements back and leaves the group to the others.
impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        if writer.group_open {
            if let Err(error) = writer.connection.execute_batch("ROLLBACK TO one; RELEASE one") {
                tracing::error!(%error, "a transaction could not be rolled back; its group is given up");
                drop(writer.connection.execute_batch("ROLLBACK"));
            }
            writer.notice_lost_group();
        }
        drop(writer);
        // Somebody must close the group even if nobody commits after this.
        drop(self.wake());
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Binds `$n` to the `n`th value, whatever the order in which the statement names them.
fn bind(statement: &mut Statement<'_>, values: &[Value<'_>]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let number =
            statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        match value {
            Some(Value::Text(text)) => statement.raw_bind_parameter(index, text)?,
            Some(Value::Integer(number)) => statement.raw_bind_parameter(index, number)?,
            None => return Err(rusqlite::Error::InvalidParameterCount(values.len(), index)),
        }
    }
    Ok(())
}

fn cell(value: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<Cell> {
    match value {
        rusqlite::types::ValueRef::Null => Ok(Cell::Null),
        rusqlite::types::ValueRef::Integer(number) => Ok(Cell::Integer(number)),
        rusqlite::types::ValueRef::Text(_) => Ok(Cell::Text(value.as_str()?.to_owned())),
        rusqlite::types::ValueRef::Real(_) | rusqlite::types::ValueRef::Blob(_) => {
            Err(rusqlite::Error::InvalidQuery)
        }
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::Conflict,
        _ => unavailable(error),
    }
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

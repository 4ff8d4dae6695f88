//! `SQLite`: one writer whose transactions share commits, readers beside it.
//!
//! `begin` takes the writer's turn (in order of arrival); what first writes joins the group that is being gathered,
//! behind a savepoint unless all is decided; `commit` releases it, passes the turn on and waits. The committer stands
//! in the same line: whoever came before it joins the group, and one COMMIT, one fsync, makes the whole
//! group durable. Statements run in place, because a hop to another thread costs more than they do.

mod committer;
mod errors;
pub mod files;
mod pool;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};
use tokio::sync::{Mutex, oneshot};
use tokio::task::yield_now;

use super::{CommitMode, Load, Result, Row, StoreError, Value};
use errors::{failed, unavailable};
use pool::{Pool, PooledConnection};
use writer::{Closing, First, Groups, InLine, Owned, Turn, Writer};

/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 128;

/// Connections for reading.
const READERS: usize = 4;

/// How long another process that writes (a command beside the server) is waited for. Some clients give up
/// after three seconds.
const OTHERS_TIMEOUT: Duration = Duration::from_millis(1_500);

/// An open `SQLite` database.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: Arc<Mutex<Writer>>,
    /// None where everybody commits alone: then there is no other thread that could take a turn.
    wake_committer: Option<Sender<()>>,
    readers: Pool,
    fence: bool,
    waiting: Arc<AtomicU64>,
    /// How often another process was waited for in vain.
    in_vain: Arc<AtomicU64>,
    groups: Arc<Groups>,
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

impl Sqlite {
    /// Opens the file, making it if it does not exist.
    pub(super) fn open(path: &Path, commit: CommitMode) -> Result<Self> {
        files::refuse_restoring(path).map_err(unavailable)?;
        files::refuse_emptied(path).map_err(unavailable)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        connection
            .execute_batch(
                // The checkpointer moves pages off the request path, so the automatic one is off.
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; \
                 PRAGMA cache_size = -4096;",
            )
            .map_err(unavailable)?;
        let data_version = writer::data_version(&connection).map_err(unavailable)?;
        let writer = Arc::new(Mutex::new(Writer {
            connection,
            group_open: false,
            waiting: Vec::new(),
            last_group: 0,
            mode: commit,
            data_version,
            left_early: false,
        }));
        let groups = Arc::<Groups>::default();
        let wake_committer = match commit {
            CommitMode::Grouped => Some(committer::start(&writer, &groups, path)?),
            CommitMode::Alone => None,
        };
        let readers = Pool::open(READERS, || connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        let (waiting, in_vain) = (Arc::default(), Arc::default());
        Ok(Self { writer, wake_committer, readers, fence: true, waiting, in_vain, groups })
    }

    /// Opens a file that must be there, beside the process that uses it.
    pub(super) fn attach(path: &Path, commit: CommitMode) -> Result<Self> {
        if !path.exists() {
            return Err(unavailable(format!("there is no {}", path.display())));
        }
        Self::open(path, commit)
    }

    /// What is wrong with the file, a line each.
    pub(super) async fn damages(&self) -> Result<Vec<String>> {
        let reader = self.readers.take().await?;
        let mut statement = reader.prepare("PRAGMA integrity_check").map_err(unavailable)?;
        let lines = statement.query_map([], |row| row.get(0)).map_err(unavailable)?;
        let mut lines = lines.collect::<rusqlite::Result<Vec<String>>>().map_err(unavailable)?;
        lines.retain(|line| line != "ok");
        Ok(lines)
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

    pub(super) fn load(&self) -> Load {
        Load {
            commits: self.groups.commits.load(Ordering::Relaxed),
            transactions: self.groups.transactions.load(Ordering::Relaxed),
            group_max: self.groups.largest.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    async fn turn(&self) -> Result<Turn> {
        let in_line = InLine::new(&self.waiting);
        let in_vain = self.in_vain.load(Ordering::Relaxed);
        let writer = Arc::clone(&self.writer).lock_owned().await;
        drop(in_line);
        // Whoever stood in line meanwhile does not wait for the same all over again.
        if self.in_vain.load(Ordering::Relaxed) != in_vain {
            return Err(unavailable("another process holds the database"));
        }
        Ok(Turn::new(writer, self.wake_committer.clone(), Arc::clone(&self.in_vain)))
    }

    /// Waits until what was released before this is durable.
    pub(super) async fn settle(&self) -> Result<()> {
        let (durable, wait) = oneshot::channel();
        let mut writer = self.writer.lock().await;
        if self.wake_committer.is_none() || writer.waiting.is_empty() {
            return Ok(());
        }
        writer.waiting.push(durable);
        let is_shared = writer.is_shared();
        drop(writer);
        close_group(self.wake_committer.clone(), is_shared).await;
        wait.await.map_err(|_| unavailable("the committer has ended"))?
    }

    pub(super) async fn read(&self) -> Result<SqliteTx> {
        Ok(SqliteTx(Kind::Read(self.readers.take().await?)))
    }
}

impl SqliteTx {
    pub(super) fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let connection: &Connection = match &mut self.0 {
            Kind::Write(turn) => &turn.reads()?.connection,
            Kind::Read(reader) | Kind::Unfenced { reader, .. } => reader,
        };
        let rows = run(connection, sql, values, |statement| {
            let columns = statement.column_count();
            let mut rows = Vec::new();
            let mut raw = statement.raw_query();
            while let Some(row) = raw.next()? {
                let mut cells = Row::with_capacity(columns);
                for column in 0..columns {
                    push(&mut cells, row.get_ref(column)?)?;
                }
                rows.push(cells);
            }
            Ok(rows)
        });
        rows.map_err(|error| self.failed(error))
    }

    /// Runs a statement that defines a table or an index. A table whose key has several columns is kept in the order
    /// of its key, so that a row is found, and written, in one place.
    pub(super) async fn define(&mut self, sql: &'static str) -> Result<()> {
        if !(sql.trim_start().starts_with("CREATE TABLE") && sql.contains("PRIMARY KEY (")) {
            return self.execute(sql, &[]).await.map(drop);
        }
        let sql = format!("{sql} WITHOUT ROWID");
        let turn = self.turn().ok_or_else(|| unavailable("tables are made by transactions that write"))?;
        let defined = turn.writes()?.connection.execute_batch(&sql);
        defined.map_err(|error| self.failed(error))
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        if let Kind::Unfenced { database, turn: turn @ None, .. } = &mut self.0 {
            *turn = Some(database.turn().await?);
        }
        self.run_first()?;
        self.change(sql, values)
    }

    /// Keeps a statement until the transaction writes, or commits. It runs before anything else that writes.
    pub(super) async fn keep_first(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        otherwise: StoreError,
    ) -> Result<()> {
        match &mut self.0 {
            Kind::Write(turn) => {
                let values = values.iter().map(|value| Owned::from(*value)).collect();
                turn.first = Some(First { sql, values, otherwise });
                Ok(())
            }
            // What only reads never writes.
            Kind::Read(_) => Ok(()),
            // A control has no turn yet.
            Kind::Unfenced { .. } => match self.execute(sql, values).await? {
                1 => Ok(()),
                _ => Err(otherwise),
            },
        }
    }

    fn run_first(&mut self) -> Result<()> {
        let Some(first) = self.turn().and_then(|turn| turn.first.take()) else { return Ok(()) };
        let values: Vec<Value<'_>> = first.values.iter().map(Owned::lend).collect();
        if self.change(first.sql, &values)? == 1 { Ok(()) } else { Err(first.otherwise) }
    }

    /// Says that nothing is taken back any more unless something is wrong, so that no savepoint is needed.
    pub(super) fn decided(&mut self) -> Result<()> {
        match &mut self.0 {
            Kind::Write(turn) => turn.decided(),
            // A control writes what it has not read under the turn.
            Kind::Read(_) | Kind::Unfenced { .. } => Ok(()),
        }
    }

    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let connection: &Connection = match &mut self.0 {
            Kind::Write(turn) | Kind::Unfenced { turn: Some(turn), .. } => &turn.writes()?.connection,
            Kind::Read(reader) | Kind::Unfenced { reader, .. } => reader,
        };
        let changed = run(connection, sql, values, |statement| Ok(statement.raw_execute()? as u64));
        changed.map_err(|error| self.failed(error))
    }

    /// The error of a statement. It may have taken the group with it.
    fn failed(&mut self, error: rusqlite::Error) -> StoreError {
        if let Some(Turn { writer: Some(writer), .. }) = self.turn() {
            writer.notice_lost_group();
        }
        failed(error)
    }

    fn turn(&mut self) -> Option<&mut Turn> {
        match &mut self.0 {
            Kind::Write(turn) => Some(turn),
            Kind::Unfenced { turn, .. } => turn.as_mut(),
            Kind::Read(_) => None,
        }
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.run_first()?;
        let Some(turn) = self.turn() else {
            return Ok(());
        };
        if !turn.leave()? {
            return Ok(());
        }
        let (durable, wait) = oneshot::channel();
        let Some(mut writer) = turn.writer.take() else { return Ok(()) };
        writer.waiting.push(durable);
        let is_shared = writer.is_shared();
        if writer.mode == CommitMode::Alone {
            writer.commit_group().answer();
        }
        drop(writer);
        close_group(turn.wake_committer.take(), is_shared).await;
        wait.await.map_err(|_| unavailable("the committer has ended"))?
    }

    /// Ends the transaction and leaves its group open, for the next one to make durable.
    pub(super) fn commit_early(mut self) -> Result<()> {
        self.run_first()?;
        let Some(turn) = self.turn() else { return Ok(()) };
        let left = turn.leave()?;
        if let Some(writer) = turn.writer.take().as_deref_mut() {
            writer.left_early |= left;
        }
        Ok(())
    }
}

/// Has the group closed. Where there are others, everybody whose request is here already gets the time to join it; if
/// the caller goes away meanwhile, it is closed at once.
async fn close_group(committer: Option<Sender<()>>, is_shared: bool) {
    let closing = committer.map(Closing);
    if closing.is_some() && is_shared {
        yield_now().await;
    }
}

/// Runs a statement without values or rows, which the connection keeps prepared.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Runs a statement on a connection.
fn run<T>(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    work(&mut statement)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_timeout(OTHERS_TIMEOUT).map_err(unavailable)?;
    // Else a statement is planned anew for each value that an index could depend on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(unavailable)?;
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

fn push(row: &mut Row, value: ValueRef<'_>) -> rusqlite::Result<()> {
    match value {
        ValueRef::Null => row.push_null(),
        ValueRef::Integer(number) => row.push_integer(number),
        ValueRef::Text(_) => row.push_text(value.as_str()?),
        ValueRef::Real(_) | ValueRef::Blob(_) => return Err(rusqlite::Error::InvalidQuery),
    }
    Ok(())
}

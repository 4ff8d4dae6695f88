//! What travels to the database and back together.

use std::borrow::Cow;
use std::fmt;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures::future::{BoxFuture, FutureExt, try_join_all};
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};

use super::super::{Result, Row, StoreError, Value};
use super::connections;
use super::errors::{self, failed, unavailable};
use super::nul;

/// A statement to be carried out.
pub(super) struct Order {
    sql: Cow<'static, str>,
    types: Vec<Type>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// Its rows.
    Rows,
    /// How many rows it changed.
    Count,
    /// Only that it changes one row; else this error.
    One(Option<StoreError>),
    /// Only that it succeeds. It has no values, and may be several statements.
    Success,
}

/// What an order gave.
pub(super) enum Answer {
    Rows(Vec<Row>),
    Count(u64),
}

impl Order {
    pub(super) fn rows(sql: impl Into<Cow<'static, str>>, values: &[Value<'_>]) -> Self {
        Self::new(sql.into(), values, Wanted::Rows)
    }

    pub(super) fn count(sql: impl Into<Cow<'static, str>>, values: &[Value<'_>]) -> Self {
        Self::new(sql.into(), values, Wanted::Count)
    }

    /// The database itself counts the rows and fails if there is not exactly one, so nobody needs to look before
    /// the commit.
    pub(super) fn one(sql: &'static str, values: &[Value<'_>], otherwise: StoreError) -> Self {
        let sql = format!(
            "WITH changed AS ({sql} RETURNING 1) SELECT 1 / CASE WHEN COUNT(*) = 1 THEN 1 ELSE 0 END FROM changed"
        );
        Self::new(sql.into(), values, Wanted::One(Some(otherwise)))
    }

    pub(super) fn plain(sql: impl Into<Cow<'static, str>>) -> Self {
        Self::new(sql.into(), &[], Wanted::Success)
    }

    fn new(sql: Cow<'static, str>, values: &[Value<'_>], wanted: Wanted) -> Self {
        let types = values.iter().map(|value| match value {
            Value::Text(_) => Type::TEXT,
            Value::Integer(_) => Type::INT8,
        });
        let owned = |value: &Value<'_>| -> Box<dyn ToSql + Sync + Send> {
            match value {
                Value::Text(text) => Box::new(text.map(nul::hidden)),
                Value::Integer(number) => Box::new(*number),
            }
        };
        Self { types: types.collect(), values: values.iter().map(owned).collect(), sql, wanted }
    }

    async fn prepare(&self, connection: &Object) -> errors::Driver<Option<Statement>> {
        match self.wanted {
            Wanted::Success => Ok(None),
            Wanted::Rows | Wanted::Count | Wanted::One(_) => {
                connection.prepare_typed_cached(&self.sql, &self.types).await.map(Some)
            }
        }
    }

    async fn run(&self, connection: &Object, statement: Option<Statement>) -> errors::Driver<RawAnswer> {
        let Some(statement) = statement else {
            return connection.batch_execute(&self.sql).await.map(|()| RawAnswer::Count(0));
        };
        let values: Vec<&(dyn ToSql + Sync)> = self.values.iter().map(|value| &**value as _).collect();
        match self.wanted {
            Wanted::Rows => connection.query(&statement, &values).await.map(RawAnswer::Rows),
            Wanted::Count | Wanted::One(_) | Wanted::Success => {
                connection.execute(&statement, &values).await.map(RawAnswer::Count)
            }
        }
    }

    fn answer(&mut self, answer: errors::Driver<RawAnswer>) -> Result<Answer> {
        match (answer, &mut self.wanted) {
            (Ok(RawAnswer::Count(count)), _) => Ok(Answer::Count(count)),
            (Ok(RawAnswer::Rows(rows)), _) => rows.iter().map(row).collect::<Result<_>>().map(Answer::Rows),
            (Err(error), Wanted::One(otherwise)) if errors::is_not_one(&error) => {
                Err(otherwise.take().unwrap_or(StoreError::Conflict))
            }
            (Err(error), _) => Err(failed(error)),
        }
    }
}

enum RawAnswer {
    Rows(Vec<tokio_postgres::Row>),
    Count(u64),
}

impl Answer {
    pub(super) fn rows(self) -> Result<Vec<Row>> {
        match self {
            Self::Rows(rows) => Ok(rows),
            Self::Count(_) => Err(unavailable("rows were asked for, and a number came")),
        }
    }

    pub(super) fn count(self) -> Result<u64> {
        match self {
            Self::Count(count) => Ok(count),
            Self::Rows(_) => Err(unavailable("a number was asked for, and rows came")),
        }
    }
}

fn row(from: &tokio_postgres::Row) -> Result<Row> {
    let mut row = Row::with_capacity(from.len());
    for (at, column) in from.columns().iter().enumerate() {
        push(&mut row, from, at, column.type_()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    }
    Ok(row)
}

fn push(
    row: &mut Row,
    from: &tokio_postgres::Row,
    at: usize,
    kind: &Type,
) -> std::result::Result<(), tokio_postgres::Error> {
    let number = match *kind {
        Type::INT8 => from.try_get::<_, Option<i64>>(at)?,
        Type::INT4 => from.try_get::<_, Option<i32>>(at)?.map(i64::from),
        Type::BOOL => from.try_get::<_, Option<bool>>(at)?.map(i64::from),
        _ => {
            match from.try_get::<_, Option<&str>>(at)? {
                Some(text) => row.push_text(&nul::shown(text)),
                None => row.push_null(),
            }
            return Ok(());
        }
    };
    match number {
        Some(number) => row.push_integer(number),
        None => row.push_null(),
    }
    Ok(())
}

/// A connection, with what waits to be sent over it.
pub(super) struct Link {
    pool: Pool,
    /// None when it was lost or given back.
    connection: Option<Object>,
    kept: Vec<Order>,
    /// Whether anything was sent.
    begun: bool,
    /// Whether a statement has failed: then the database does not commit, whatever it is told.
    failed: bool,
    patience: Duration,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) async fn open(pool: &Pool, beginning: &'static str, patience: Duration) -> Result<Self> {
        let connection = Some(Box::pin(connections::take(pool)).await?);
        let kept = vec![Order::plain(beginning)];
        Ok(Self { pool: pool.clone(), connection, kept, begun: false, failed: false, patience })
    }

    /// Keeps an order until others are exchanged.
    pub(super) fn keep(&mut self, order: Order) {
        self.kept.push(order);
    }

    /// Sends what was kept and these orders, and gives the answers to these. A failure of what was kept is the
    /// failure of all.
    pub(super) async fn exchange(&mut self, orders: Vec<Order>) -> Result<Vec<Result<Answer>>> {
        let kept = self.kept.len();
        let mut all = std::mem::take(&mut self.kept);
        all.extend(orders);
        // In a box, so that the futures of an embedded database stay small.
        let mut answers = Box::pin(self.answers(&mut all)).await?;
        let wanted = answers.split_off(kept);
        answers.into_iter().try_for_each(|answer| answer.map(drop))?;
        Ok(wanted)
    }

    /// Commits, with what was kept, and gives the connection back.
    pub(super) async fn commit(&mut self) -> Result<()> {
        let failed = self.failed;
        let ended = self.exchange(vec![Order::plain("COMMIT")]).await;
        self.connection = None;
        ended?.into_iter().try_for_each(|answer| answer.map(drop))?;
        if failed { Err(unavailable("a statement of the transaction had failed")) } else { Ok(()) }
    }

    /// Gives the connection back; what was done is undone, or kept if there was only a note. Nobody waits for that.
    pub(super) fn leave(&mut self, ending: &'static str) {
        if let Some(connection) = self.connection.take().filter(|_| self.begun) {
            // Sending takes the first poll; the next one to use the connection stands behind it.
            drop(connection.batch_execute(ending).now_or_never());
        }
    }

    async fn answers(&mut self, orders: &mut [Order]) -> Result<Vec<Result<Answer>>> {
        // Whoever stops waiting has sent something all the same.
        let first = !std::mem::replace(&mut self.begun, true);
        let mut sent = self.send(orders).await;
        // The database may have been restarted since the connection was used last. Nothing was done yet.
        if first && sent.as_ref().is_ok_and(Sent::is_lost) {
            self.lose();
            self.connection = Some(connections::take_fresh(&self.pool).await?);
            sent = self.send(orders).await;
        }
        if sent.as_ref().map_or(true, Sent::is_lost) {
            self.lose();
        }
        let answers = match sent? {
            Sent::Answered(answers) => answers,
            Sent::Unprepared(error) => {
                self.failed = true;
                return Err(failed(error));
            }
        };
        self.failed |= answers.iter().any(errors::Driver::is_err);
        Ok(answers.into_iter().zip(orders).map(|(answer, order)| order.answer(answer)).collect())
    }

    /// Takes the connection out of the pool: whatever it stands at, the database rolls it back.
    fn lose(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }

    async fn send(&self, orders: &[Order]) -> Result<Sent> {
        let connection = self.connection.as_ref().ok_or_else(|| unavailable("the connection was lost"))?;
        let exchanged = tokio::time::timeout(self.patience, async {
            let prepared = try_join_all(orders.iter().map(|order| order.prepare(connection))).await;
            let statements = match prepared {
                Ok(statements) => statements,
                Err(error) => return Sent::Unprepared(error),
            };
            let mut running = Vec::with_capacity(orders.len());
            for (order, statement) in orders.iter().zip(statements) {
                let mut answer: BoxFuture<'_, _> = order.run(connection, statement).boxed();
                // The first poll sends it, so they go out in this order.
                running.push(match futures::poll!(&mut answer) {
                    Poll::Ready(answer) => std::future::ready(answer).boxed(),
                    Poll::Pending => answer,
                });
            }
            let mut answers = Vec::with_capacity(running.len());
            for answer in running {
                answers.push(answer.await);
            }
            Sent::Answered(answers)
        });
        exchanged.await.map_err(|_| unavailable("the database does not answer"))
    }
}

/// What became of orders.
enum Sent {
    /// Each has an answer.
    Answered(Vec<errors::Driver<RawAnswer>>),
    /// One of them is not understood, or could not be sent: none was carried out.
    Unprepared(tokio_postgres::Error),
}

impl Sent {
    fn is_lost(&self) -> bool {
        match self {
            Self::Answered(answers) => {
                answers.iter().any(|answer| answer.as_ref().is_err_and(errors::is_lost))
            }
            Self::Unprepared(error) => errors::is_lost(error),
        }
    }
}

//! A transaction: the statements of every engine, behind the seam.

use super::{Ask, Result, Row, StoreError, Value, postgres, sqlite};
use crate::seam::{Effect, MaybeSeam, Step, meet};

/// How a transaction locks a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Beside others who share it.
    Shared,
    /// Beside nobody.
    Alone,
}

/// A transaction. Dropped without [`Tx::commit`], it has done nothing.
#[derive(Debug)]
pub struct Tx {
    pub(super) engine: EngineTx,
    pub(super) seam: MaybeSeam,
    pub(super) shared: bool,
}

#[derive(Debug)]
pub(super) enum EngineTx {
    Sqlite(sqlite::SqliteTx),
    Postgres(postgres::PostgresTx),
}

impl Tx {
    /// Runs a statement and gives its rows.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut answers = self.query_all(&[(sql, values)]).await?;
        answers.pop().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Asks one thing, or several at once: a tuple of queries, whose statements run in its order.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn ask<A: Ask>(&mut self, asked: A) -> Result<A::Answer> {
        let mut statements = Vec::new();
        asked.statements(&mut statements);
        let answers = if statements.is_empty() { Vec::new() } else { self.query_all(&statements).await? };
        asked.read(&mut answers.into_iter())
    }

    async fn query_all(
        &mut self,
        statements: &[(&'static str, &[Value<'_>])],
    ) -> Result<Vec<Result<Vec<Row>>>> {
        match &mut self.engine {
            EngineTx::Sqlite(tx) => {
                let mut answers = Vec::with_capacity(statements.len());
                for (sql, values) in statements {
                    answers.push(match instead(&self.seam, sql).await {
                        Ok(Some((sql, lost))) => told(lost, tx.query(sql, values)),
                        Ok(None) => Ok(Vec::new()),
                        Err(error) => Err(error),
                    });
                }
                Ok(answers)
            }
            EngineTx::Postgres(tx) => {
                let mut steps = Vec::with_capacity(statements.len());
                let mut taken = Vec::with_capacity(statements.len());
                for (sql, values) in statements {
                    let step = instead(&self.seam, sql).await;
                    taken.extend(step.as_ref().ok().copied().flatten().map(|(sql, _)| (sql, *values)));
                    steps.push(step);
                }
                let mut answers = tx.query(&taken).await?.into_iter();
                let answer = |step: Result<Option<(&str, bool)>>| match step? {
                    Some((_, lost)) => told(lost, answers.next().unwrap_or_else(|| Ok(Vec::new()))),
                    None => Ok(Vec::new()),
                };
                Ok(steps.into_iter().map(answer).collect())
            }
        }
    }

    /// Runs a statement and gives its only row, if it has one.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn query_opt(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement that looks for tasks, and gives its rows without those that another transaction has. Those
    /// of the table with this `alias` are locked until the transaction ends.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn claim(
        &mut self,
        sql: &'static str,
        alias: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Ok(Vec::new()) };
        let rows = match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.query(sql, values),
            EngineTx::Postgres(tx) => tx.claim(sql, alias, values).await,
        };
        told(lost, rows)
    }

    /// Runs a statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Ok(0) };
        let changed = match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.execute(sql, values).await,
            EngineTx::Postgres(tx) => tx.execute(sql, values).await,
        };
        told(lost, changed)
    }

    /// Runs a statement whose effect is known beforehand. It may travel only with the next one that is waited for,
    /// or with the commit; then its failure is the failure of that.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn send(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<()> {
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Ok(()) };
        let sent = match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.execute(sql, values).await.map(drop),
            EngineTx::Postgres(tx) => {
                tx.send(sql, values);
                Ok(())
            }
        };
        told(lost, sent)
    }

    /// As [`Self::send`], for a statement that must change exactly one row: the guard that repeats a decision.
    ///
    /// # Errors
    /// `otherwise` if it changed none or several; any other [`StoreError`].
    pub async fn send_one(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        otherwise: StoreError,
    ) -> Result<()> {
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Err(otherwise) };
        let sent = match &mut self.engine {
            EngineTx::Sqlite(tx) => match tx.execute(sql, values).await {
                Ok(1) => Ok(()),
                Ok(_) => Err(otherwise),
                Err(error) => Err(error),
            },
            EngineTx::Postgres(tx) => {
                tx.send_one(sql, values, otherwise);
                Ok(())
            }
        };
        told(lost, sent)
    }

    /// As [`Self::send_one`], for a guard that comes before anything else that the transaction writes, and that nothing
    /// which it reads depends on. An embedded database runs it only if something is written.
    ///
    /// # Errors
    /// As [`Self::send_one`], or the statement that writes first, or the commit, fails with `otherwise`.
    pub async fn send_first(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        otherwise: StoreError,
    ) -> Result<()> {
        let Some((sql, lost)) = instead(&self.seam, sql).await? else { return Err(otherwise) };
        let sent = match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.keep_first(sql, values, otherwise).await,
            EngineTx::Postgres(tx) => {
                tx.send_one(sql, values, otherwise);
                Ok(())
            }
        };
        told(lost, sent)
    }

    /// Says that all is decided: what is written from now on is only taken back if something is wrong. Then an embedded
    /// database takes back everything that was to become durable together, and all of it is tried again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another process has changed what was read; any other [`StoreError`].
    pub fn decided(&mut self) -> Result<()> {
        match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.decided(),
            EngineTx::Postgres(_) => Ok(()),
        }
    }

    /// Runs a statement that defines a table or an index.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub(crate) async fn define(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.engine {
            EngineTx::Sqlite(tx) => tx.define(sql).await,
            EngineTx::Postgres(tx) => tx.define(sql).await,
        }
    }

    /// Runs a statement that must change exactly one row: the guard that repeats a decision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it changed none or several; any other [`StoreError`].
    pub async fn execute_one(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<()> {
        match self.execute(sql, values).await? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict),
        }
    }

    /// Whether other servers may use the database at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Locks the row of `table` with this id until the transaction ends, if it is one that may write. What is read
    /// after this stays true until then.
    pub fn lock(&mut self, table: &'static str, id: &str, lock: Lock) {
        match &mut self.engine {
            // The writer's turn is a lock on everything.
            EngineTx::Sqlite(_) => {}
            EngineTx::Postgres(tx) => tx.lock(table, id, lock),
        }
    }

    /// Makes the transaction durable. When this returns, it outlives any crash.
    ///
    /// # Errors
    /// Any [`StoreError`]; then nothing was done, unless the answer of the database was lost.
    pub async fn commit(self) -> Result<()> {
        let effect = meet(&self.seam, Step::Commit).await;
        refused(effect)?;
        match self.engine {
            EngineTx::Sqlite(tx) if effect == Effect::Early => tx.commit_early()?,
            EngineTx::Sqlite(tx) => tx.commit().await?,
            EngineTx::Postgres(tx) => tx.commit().await?,
        }
        if effect == Effect::AnswerLost { Err(unavailable()) } else { Ok(()) }
    }
}

/// The statement to run and whether its answer is lost; nothing if it does nothing.
async fn instead(seam: &MaybeSeam, sql: &'static str) -> Result<Option<(&'static str, bool)>> {
    match meet(seam, Step::Statement(sql)).await {
        Effect::Go | Effect::Early => Ok(Some((sql, false))),
        Effect::Instead(other) => Ok(Some((other, false))),
        Effect::AnswerLost => Ok(Some((sql, true))),
        Effect::Nothing => Ok(None),
        effect @ (Effect::Unavailable | Effect::Corrupt) => refused(effect).map(|()| None),
    }
}

/// What is told of a step that was taken.
fn told<T>(lost: bool, result: Result<T>) -> Result<T> {
    match result {
        Ok(_) if lost => Err(unavailable()),
        result => result,
    }
}

/// The error of a step that is not taken.
pub(super) fn refused(effect: Effect) -> Result<()> {
    match effect {
        Effect::Unavailable => Err(unavailable()),
        Effect::Corrupt => Err(StoreError::Corrupt("injected".to_owned())),
        Effect::Go | Effect::Nothing | Effect::Instead(_) | Effect::AnswerLost | Effect::Early => Ok(()),
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("injected".into())
}

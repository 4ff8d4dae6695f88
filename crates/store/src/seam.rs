//! What may stand between the program and its stores: nothing, but in tests, simulations and the lab, which
//! stop, fail, lose or replace single steps here.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;

/// A step that is about to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A transaction begins.
    Begin,
    /// A statement runs.
    Statement(&'static str),
    /// A transaction is committed.
    Commit,
    /// Something is done to an object.
    Object {
        /// The region or bucket that it is in.
        place: &'a str,
        /// What is done.
        action: ObjectAction,
        /// The key of the object; empty where the whole store is meant.
        key: &'a str,
    },
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectAction {
    /// It is read, or a part of it.
    Read,
    /// Writing it begins.
    Write,
    /// Its last byte is written, and it is there from now on.
    Finish,
    /// It is erased.
    Erase,
    /// Erasures are made durable.
    Sync,
    /// The objects are listed.
    List,
}

/// What happens to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is taken.
    Go,
    /// It is not taken, and fails: the store is away.
    Unavailable,
    /// It is not taken, and fails: a row turns out to be corrupt.
    Corrupt,
    /// It is not taken, but succeeds: a statement finds nothing to do, a store lies.
    Nothing,
    /// Another statement with the same values and columns runs in its place.
    Instead(&'static str),
    /// It is taken, but fails: its answer was lost.
    AnswerLost,
    /// A commit is answered before it is durable. Only for a store that is opened with
    /// [`crate::db::CommitMode::Alone`], whose next commit makes up for it.
    Early,
}

/// Decides what happens to each step, and when.
pub trait Seam: fmt::Debug + Send + Sync {
    /// Is asked before each step, which waits for the answer.
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect>;
}

/// A seam, if there is one.
pub type MaybeSeam = Option<Arc<dyn Seam>>;

/// Asks the seam, if there is one.
pub(crate) async fn meet(seam: &MaybeSeam, step: Step<'_>) -> Effect {
    match seam {
        Some(seam) => seam.meet(step).await,
        None => Effect::Go,
    }
}

/// Failures of single statements, armed by a test. Clones share what is armed.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Armed>);

#[derive(Debug, Default)]
struct Armed {
    any: AtomicBool,
    faults: Mutex<Vec<Fault>>,
}

/// A failure of one statement.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Text that the statement has in it.
    pub statement: &'static str,
    /// What happens instead of it.
    pub effect: Effect,
}

impl Faults {
    /// Arms a failure; it happens each time, until [`Faults::clear`].
    pub fn arm(&self, fault: Fault) {
        self.armed().push(fault);
        self.0.any.store(true, Ordering::SeqCst);
    }

    /// Lets everything work again.
    pub fn clear(&self) {
        self.0.any.store(false, Ordering::SeqCst);
        self.armed().clear();
    }

    /// These failures as a seam.
    #[must_use]
    pub fn seam(&self) -> MaybeSeam {
        Some(Arc::new(self.clone()))
    }

    fn of(&self, sql: &str) -> Effect {
        if !self.0.any.load(Ordering::Relaxed) {
            return Effect::Go;
        }
        let armed = self.armed();
        armed.iter().find(|fault| sql.contains(fault.statement)).map_or(Effect::Go, |fault| fault.effect)
    }

    fn armed(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seam for Faults {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        let effect = match step {
            Step::Statement(sql) => self.of(sql),
            Step::Begin | Step::Commit | Step::Object { .. } => Effect::Go,
        };
        Box::pin(std::future::ready(effect))
    }
}

//! The seam of every server: each step of each actor waits here until the scheduler lets it through.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use calotype_store::seam::{Effect, ObjectAction, Seam, Step};
use futures::future::BoxFuture;

use crate::judge::{Judge, Prelude};

/// Who takes steps: one request, one unit of work, one start of a server.
#[derive(Clone, Debug)]
pub struct Acting {
    /// Its number.
    pub actor: u64,
    /// The server it runs on.
    pub server: usize,
    /// What it does.
    pub role: Role,
    /// The images that it is to delete.
    pub deletes: Arc<[String]>,
}

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves a request.
    Request,
    /// It does the work that requests leave.
    Worker,
    /// It starts a server.
    Start,
}

/// A step that outlives the call that announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Begin,
    Statement(&'static str),
    Commit,
    Object { place: String, action: ObjectAction, key: String },
}

impl From<Step<'_>> for Taken {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Begin => Self::Begin,
            Step::Statement(sql) => Self::Statement(sql),
            Step::Commit => Self::Commit,
            Step::Object { place, action, key } => {
                Self::Object { place: place.to_owned(), action, key: key.to_owned() }
            }
        }
    }
}

/// A step that waits.
#[derive(Debug)]
struct Waiting {
    acting: Acting,
    step: Taken,
    not_before_ms: i64,
    waker: Option<Waker>,
    verdict: Option<Effect>,
}

/// A step that waits, as the scheduler sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub gate: u64,
    pub actor: u64,
    pub not_before_ms: i64,
    pub step: Taken,
}

/// The gates of all servers of one run.
#[derive(Debug)]
pub struct Gates(Mutex<State>);

/// What stands behind the gates.
#[derive(Debug)]
pub struct State {
    /// Who is at work at this moment.
    pub acting: Option<Acting>,
    /// Whether every step passes at once.
    pub open: bool,
    /// Of a thousand statements, how many wait.
    pub statements_permille: u64,
    /// Decides what happens to steps.
    pub judge: Judge,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
}

impl Gates {
    pub fn new(judge: Judge) -> Arc<Self> {
        let (waiting, next) = (BTreeMap::new(), 1);
        let state = State { acting: None, open: true, statements_permille: 1_000, judge, waiting, next };
        Arc::new(Self(Mutex::new(state)))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // A panic is a finding by itself; what comes after it only tells of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seam of the servers.
    pub fn seam(self: &Arc<Self>) -> Arc<dyn Seam> {
        Arc::new(Behind(Arc::clone(self)))
    }

    /// The steps that wait.
    pub fn waiting(&self) -> Vec<Seen> {
        let state = self.state();
        let undecided = state.waiting.iter().filter(|(_, waiting)| waiting.verdict.is_none());
        undecided
            .map(|(gate, waiting)| Seen {
                gate: *gate,
                actor: waiting.acting.actor,
                not_before_ms: waiting.not_before_ms,
                step: waiting.step.clone(),
            })
            .collect()
    }

    /// Lets a step through, to whatever happens to it.
    pub fn release(&self, gate: u64) {
        let mut state = self.state();
        let State { judge, waiting, .. } = &mut *state;
        let Some(waiting) = waiting.get_mut(&gate) else { return };
        waiting.verdict = Some(judge.decide(&waiting.acting, &waiting.step));
        let waker = waiting.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets a step through that is taken although its process is gone.
    pub fn release_late(&self, gate: u64) {
        let mut state = self.state();
        let State { judge, waiting, .. } = &mut *state;
        let Some(waiting) = waiting.get_mut(&gate) else { return };
        judge.watch_late(&waiting.acting, &waiting.step);
        waiting.verdict = Some(Effect::Go);
        let waker = waiting.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn enter(&self, step: &Taken) -> Entered {
        let mut state = self.state();
        let acting = state.acting.clone().expect("steps are taken by actors");
        let passes = state.open
            || matches!(step, Taken::Statement(_)) && {
                let permille = state.statements_permille;
                !state.judge.dice.permille(permille)
            };
        if passes {
            return Entered::Passed(state.judge.decide(&acting, step));
        }
        let not_before_ms = state.judge.not_before_ms(step);
        let gate = state.next;
        state.next += 1;
        let waiting = Waiting { acting, step: step.clone(), not_before_ms, waker: None, verdict: None };
        state.waiting.insert(gate, waiting);
        Entered::Waits(gate)
    }
}

enum Entered {
    Passed(Effect),
    Waits(u64),
}

/// The seam that leads to the gates.
#[derive(Debug)]
struct Behind(Arc<Gates>);

impl Seam for Behind {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        let step = Taken::from(step);
        Box::pin(async move {
            let effect = match self.0.enter(&step) {
                Entered::Passed(effect) => effect,
                Entered::Waits(gate) => Gate { gates: &self.0, gate }.await,
            };
            let prelude = self.0.state().judge.prelude.take();
            if let Some(prelude) = prelude {
                Prelude::play(prelude).await;
            }
            effect
        })
    }
}

/// Waits at a gate; leaves it when it is dropped.
struct Gate<'a> {
    gates: &'a Gates,
    gate: u64,
}

impl Future for Gate<'_> {
    type Output = Effect;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Effect> {
        let mut state = self.gates.state();
        let waiting = state.waiting.get_mut(&self.gate).expect("a gate is there until it is passed");
        if let Some(effect) = waiting.verdict {
            return Poll::Ready(effect);
        }
        waiting.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        self.gates.state().waiting.remove(&self.gate);
    }
}

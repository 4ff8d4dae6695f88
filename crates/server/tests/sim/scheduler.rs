//! Polls one actor at a time, in an order that follows from the seed, and lets time pass when nobody else
//! has anything to do.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use calotype::app::{App, OpenError};
use calotype::wire::reply::Reply;
use futures::task::AtomicWaker;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::gates::{Acting, Gates, Role, Seen, Taken};

/// How an actor ends.
pub enum Done {
    /// A request is answered.
    Answered(Reply),
    /// Work is done, or could not be.
    Worked,
    /// A server is up, or could not come up.
    Started(Result<Arc<App>, OpenError>),
}

/// What an actor does.
pub type Act = Pin<Box<dyn Future<Output = Done>>>;

/// An actor that is at work.
pub struct Actor {
    pub acting: Acting,
    /// What it is there for, so that not too many do the same.
    pub post: String,
    /// The request that it serves and which sending of it this is.
    pub request: Option<(usize, usize)>,
    /// Whether it has changed anything that is durable.
    pub changed: bool,
    act: Act,
    flag: Arc<Flag>,
}

#[derive(Debug)]
struct Flag {
    woken: AtomicBool,
    root: Arc<AtomicWaker>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.root.wake();
    }
}

/// What can stand still while the rest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Still {
    /// A whole server.
    Server(usize),
    /// One actor.
    Actor(u64),
}

/// Whose step comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Anybody's.
    Any,
    /// Mostly the one's who had the last one.
    Sticky,
    /// The first one's of a ranking that seldom changes.
    Ranked,
}

/// The actors of a run.
pub struct Stage {
    pub gates: Arc<Gates>,
    pub actors: BTreeMap<u64, Actor>,
    pub order: Order,
    /// Who stands still, and until when.
    pub paused: BTreeMap<Still, i64>,
    root: Arc<AtomicWaker>,
    dice: Dice,
    next: u64,
    last: u64,
    ranks: BTreeMap<u64, u64>,
    began: Instant,
}

impl Stage {
    pub fn new(gates: Arc<Gates>, order: Order, dice: Dice) -> Self {
        let (actors, ranks, root) = (BTreeMap::new(), BTreeMap::new(), Arc::default());
        Self {
            gates,
            actors,
            order,
            paused: BTreeMap::new(),
            root,
            dice,
            next: 1,
            last: 0,
            ranks,
            began: Instant::now(),
        }
    }

    /// Brings an actor onto the stage; gives its number.
    pub fn enter(
        &mut self,
        server: usize,
        role: Role,
        post: String,
        deletes: &[String],
        request: Option<(usize, usize)>,
        act: impl Future<Output = Done> + 'static,
    ) -> u64 {
        let actor = self.next;
        self.next += 1;
        let acting = Acting { actor, server, role, deletes: deletes.into() };
        let flag = Arc::new(Flag { woken: AtomicBool::new(true), root: Arc::clone(&self.root) });
        // Tokio's budget would make one actor's progress depend on what others did before.
        let act = Box::pin(tokio::task::unconstrained(act));
        let mut state = self.gates.state();
        let now_ms = state.judge.now_ms;
        state.judge.trace.say(now_ms, || format!("a{actor} on server {server}: {post}"));
        drop(state);
        self.actors.insert(actor, Actor { acting, post, request, changed: false, act, flag });
        actor
    }

    /// Who can go on without anything being let through.
    fn woken(&self) -> Vec<u64> {
        let is_woken = |actor: &Actor| actor.flag.woken.load(Ordering::SeqCst) && self.is_moving(actor);
        let woken = self.actors.iter().filter(|(_, actor)| is_woken(actor));
        woken.map(|(number, _)| *number).collect()
    }

    /// Lets somebody who can go on do so, and gives who and how it ended, if it did. Nothing if nobody can.
    pub async fn settle(&mut self) -> Option<(Actor, Done)> {
        while self.gates.state().judge.violation.is_none() {
            let woken = self.woken();
            if let Some(number) = self.dice.pick(&woken) {
                if let Some(ended) = self.poll(*number) {
                    return Some(ended);
                }
                continue;
            }
            {
                let mut state = self.gates.state();
                if state.judge.errands == 0 {
                    return None;
                }
                state.judge.errands -= 1;
            }
            // Parts of an upload are written by tasks beside the actors.
            tokio::task::yield_now().await;
        }
        None
    }

    fn poll(&mut self, number: u64) -> Option<(Actor, Done)> {
        let actor = self.actors.get_mut(&number)?;
        actor.flag.woken.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&actor.flag));
        self.gates.state().acting = Some(actor.acting.clone());
        let polled = actor.act.as_mut().poll(&mut Context::from_waker(&waker));
        actor.changed |= look_at_commits(&self.gates);
        match polled {
            Poll::Pending => None,
            Poll::Ready(done) => self.actors.remove(&number).map(|actor| (actor, done)),
        }
    }

    /// Lets the next step through; `false` if none can be.
    pub fn release(&mut self) -> bool {
        let now_ms = self.gates.state().judge.now_ms;
        let mut ready = self.gates.waiting();
        ready.retain(|seen| {
            let actor = self.actors.get(&seen.actor);
            seen.not_before_ms <= now_ms && actor.is_some_and(|actor| self.is_moving(actor))
        });
        let Some(seen) = self.choose(&ready) else { return false };
        self.last = seen.actor;
        self.gates.release(seen.gate);
        true
    }

    fn choose<'a>(&mut self, ready: &'a [Seen]) -> Option<&'a Seen> {
        match self.order {
            Order::Sticky if self.dice.permille(850) => {
                let again = ready.iter().find(|seen| seen.actor == self.last);
                again.or_else(|| self.dice.pick(ready))
            }
            Order::Any | Order::Sticky => self.dice.pick(ready),
            Order::Ranked => {
                for seen in ready {
                    let dice = &mut self.dice;
                    self.ranks.entry(seen.actor).or_insert_with(|| dice.next());
                }
                if self.dice.permille(20) {
                    let rank = self.dice.next();
                    let seen = self.dice.pick(ready)?;
                    self.ranks.insert(seen.actor, rank);
                }
                ready.iter().max_by_key(|seen| (self.ranks.get(&seen.actor), seen.gate))
            }
        }
    }

    /// Lets the first step through, whoever's; `false` if none waits.
    pub fn release_any(&mut self) -> bool {
        let Some(seen) = self.gates.waiting().into_iter().next() else { return false };
        self.gates.release(seen.gate);
        true
    }

    /// Has a store do the step that a killed process has given to it, and nothing else.
    pub async fn land(&mut self, mut actor: Actor, gate: u64) {
        self.gates.release_late(gate);
        for _ in 0..4 {
            let waker = Waker::from(Arc::clone(&actor.flag));
            self.gates.state().acting = Some(actor.acting.clone());
            let polled = actor.act.as_mut().poll(&mut Context::from_waker(&waker));
            self.gates.state().acting = None;
            if polled.is_ready() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn is_moving(&self, actor: &Actor) -> bool {
        let Acting { actor, server, .. } = actor.acting;
        !self.paused.contains_key(&Still::Actor(actor)) && !self.paused.contains_key(&Still::Server(server))
    }

    /// Who may stand still without keeping everybody else waiting: workers and servers that are not within
    /// a transaction. Workers at objects come first.
    pub fn between_transactions(&self, servers: &[usize]) -> (Vec<Still>, Vec<Still>) {
        let waiting = self.gates.waiting();
        let is_within = |actor: &Actor| {
            let own = waiting.iter().filter(|seen| seen.actor == actor.acting.actor);
            own.into_iter().any(|seen| matches!(seen.step, Taken::Statement(_) | Taken::Commit))
        };
        let workers = self.actors.values().filter(|actor| actor.acting.role == Role::Worker);
        let workers = workers.filter(|actor| !is_within(actor));
        let of = |server: usize| self.actors.values().filter(move |actor| actor.acting.server == server);
        let servers = servers.iter().filter(|server| !of(**server).any(is_within));
        (
            workers.map(|actor| Still::Actor(actor.acting.actor)).collect(),
            servers.map(|server| Still::Server(*server)).collect(),
        )
    }

    /// Lets those go on whose time has come.
    pub fn resume(&mut self, now_ms: i64) {
        self.paused.retain(|_, until_ms| *until_ms > now_ms);
    }

    /// The earliest time at which a step that waits may be taken.
    pub fn next_ready_ms(&self) -> Option<i64> {
        let moves = |actor: u64| self.actors.get(&actor).is_some_and(|actor| self.is_moving(actor));
        let waiting = self.gates.waiting();
        let steps = waiting.iter().filter(|seen| moves(seen.actor)).map(|seen| seen.not_before_ms);
        steps.chain(self.paused.values().copied()).min()
    }

    /// Lets time pass at once; who waits for a time within it wakes at its end.
    pub async fn pass(&mut self, millis: u64) -> i64 {
        tokio::time::advance(Duration::from_millis(millis)).await;
        self.passed_ms()
    }

    /// Lets time pass until somebody can go on, at most so long.
    pub async fn idle(&mut self, millis_max: u64) -> i64 {
        let anybody = std::future::poll_fn(|context| {
            self.root.register(context.waker());
            if self.woken().is_empty() { Poll::Pending } else { Poll::Ready(()) }
        });
        drop(tokio::time::timeout(Duration::from_millis(millis_max), anybody).await);
        self.passed_ms()
    }

    /// The time since the beginning, in milliseconds.
    fn passed_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Checks what was committed; gives whether a request has changed anything by it.
fn look_at_commits(gates: &Gates) -> bool {
    let mut state = gates.state();
    state.acting = None;
    let judge = &mut state.judge;
    let before = judge.before.take();
    if !std::mem::take(&mut judge.committed) {
        return false;
    }
    let Some(ledger) = &judge.ledger else { return false };
    let changed = before.is_some_and(|before| before != ledger.dump());
    if let Some(violation) = ledger.broken() {
        judge.report(violation);
    }
    changed
}

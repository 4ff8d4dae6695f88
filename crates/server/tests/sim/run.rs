//! One run: a world, what happens to it, and whether everything is as it must be in the end.

use std::sync::Arc;

use calotype::app::App;
use calotype::operations::{Incoming, dispatch};
use calotype::wire::reply::Reply;
use calotype::workers::drain;
use calotype_core::time::Timestamp;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Uri};

use crate::dice::Dice;
use crate::disks::{BUCKET, OUTBOX};
use crate::gates::{Gates, Role};
use crate::judge::Judge;
use crate::ledger::{Rule, Violation};
use crate::mutants::{Mutant, Sabotage};
use crate::oracle::{Oracle, Signed};
use crate::plan::Plan;
use crate::requests::{Draft, FIRST, Intent, Scene};
use crate::rest;
use crate::scheduler::{Actor, Done, Stage};
use crate::trace::Trace;
use crate::turns::Late;
use crate::weather::Weather;
use crate::world::{World, start_ms};

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    /// Steps that were decided.
    pub steps: u64,
    /// Sendings that were done, refused, and neither.
    pub sendings: [usize; 3],
    /// Objects that the check had to erase in the end.
    pub strays: u64,
    pub violation: Option<Violation>,
    /// What happened, if it was asked for.
    pub lines: Vec<String>,
}

/// A run that goes on.
pub struct Run {
    pub case: Case,
    pub plan: Plan,
    pub world: World,
    pub stage: Stage,
    pub oracle: Oracle,
    pub dice: Dice,
    /// The image that most requests are about at this time.
    pub focus: String,
    /// Whether only owners ask, and only to delete.
    pub tidy: bool,
    pub late: Vec<Late>,
}

/// Turns after which a run is brought to rest, however many requests are left.
const TURNS_MAX: usize = 6_000;

/// Turns after the last request.
const TURNS_AFTER: usize = 250;

/// What is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Case {
    pub seed: u64,
    /// A deliberate fault.
    pub mutant: Option<&'static Mutant>,
    /// Whether it is to be told what happens.
    pub traced: bool,
    /// What is known to go wrong, and to happen in this case all the same.
    pub known: Option<Known>,
}

/// What is known to go wrong, and kept from happening as long as it does. Tests that are ignored show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nonces are forgotten as soon as their requests cannot be sent any more.
    NoncesForgotten,
    /// A repair makes bytes again that could not be read for a moment.
    UnreadableMadeAgain,
}

impl Case {
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}

/// Runs a case. A panic is a finding like any other.
pub fn run(case: Case) -> Report {
    let ended = std::panic::catch_unwind(|| run_to_the_end(case));
    ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map_or("", String::as_str);
        let text = panic.downcast_ref::<&str>().copied().unwrap_or(text);
        let violation = Some(Violation::new(Rule::Panic, text));
        Report { seed: case.seed, steps: 0, sendings: [0; 3], strays: 0, violation, lines: Vec::new() }
    })
}

fn run_to_the_end(case: Case) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(async {
        let mut run = Run::new(case);
        run.go().await;
        run.report()
    })
}

impl Run {
    fn new(case: Case) -> Self {
        let Case { seed, mutant, traced, .. } = case;
        let mut dice = Dice::new(seed);
        let plan = Plan::roll(&mut dice);
        let places = plan.regions.iter().cloned().chain([BUCKET, OUTBOX].map(str::to_owned));
        let weather = Weather::fine(places, dice.split());
        let judge = Judge::new(dice.split(), weather, Trace::new(traced, start_ms()), mutant);
        let gates = Gates::new(judge);
        let is_unfenced = mutant.is_some_and(|mutant| matches!(mutant.sabotage, Sabotage::NoFence));
        if let Some(mutant) = mutant.filter(|_| is_unfenced) {
            mutant.strike();
        }
        let world = World::new(&plan, Arc::clone(&gates), !is_unfenced, &mut dice);
        let stage = Stage::new(gates, plan.order, dice.split());
        Self {
            case,
            plan,
            world,
            stage,
            oracle: Oracle::default(),
            dice,
            focus: String::new(),
            tidy: false,
            late: Vec::new(),
        }
    }

    async fn go(&mut self) {
        self.say(|run| format!("{:?}", run.plan));
        self.begin().await;
        self.go_on().await;
        self.drop_all_late().await;
        rest::bring_to_rest(self).await;
    }

    /// Whether something was seen that must not be.
    pub fn failed(&self) -> bool {
        self.world.gates.state().judge.violation.is_some()
    }

    pub fn report_violation(&self, violation: Violation) {
        self.world.gates.state().judge.report(violation);
    }

    pub fn now_ms(&self) -> i64 {
        self.world.gates.state().judge.now_ms
    }

    pub fn say(&self, line: impl FnOnce(&Self) -> String) {
        let mut state = self.world.gates.state();
        let now_ms = state.judge.now_ms;
        state.judge.trace.say(now_ms, || line(self));
    }

    fn report(mut self) -> Report {
        self.stage.actors.clear();
        self.late.clear();
        let sendings = self.oracle.counts();
        let mut state = self.world.gates.state();
        let trace = std::mem::take(&mut state.judge.trace);
        let (steps, strays, violation) =
            (state.judge.steps, state.judge.strays, state.judge.violation.take());
        Report { seed: self.case.seed, steps, sendings, strays, violation, lines: trace.into_lines() }
    }

    /// Makes a world with a few images, without any trouble.
    async fn begin(&mut self) {
        self.world.switch_on().await;
        for place in 0..self.world.servers.len() {
            self.start(place);
            self.run_out().await;
        }
        // The clocks of the servers differ: what is due by one of them may not be by another.
        let skew_ms = self.plan.skews_ms.iter().max().copied().unwrap_or(0);
        self.let_pass(skew_ms.unsigned_abs()).await;
        self.drain().await;
        for maker in FIRST {
            let drafted = self.with_scene(maker);
            if let (Some(draft), false) = (drafted, self.failed()) {
                let request = self.sign(draft);
                self.send(request, 0);
                self.run_out().await;
                self.let_pass((self.plan.image_ms + self.plan.instance_ms + skew_ms).unsigned_abs()).await;
                self.drain().await;
            }
        }
        let mut state = self.world.gates.state();
        state.open = false;
        state.statements_permille = self.plan.statements_permille;
    }

    async fn go_on(&mut self) {
        let (mut requests, mut after) = (self.plan.requests, TURNS_AFTER);
        for _ in 0..TURNS_MAX {
            self.settle().await;
            if self.failed() || after == 0 {
                return;
            }
            self.land_late().await;
            self.turn(&mut requests).await;
            after -= usize::from(requests == 0);
        }
    }

    /// Lets everybody go on who can without anything being let through.
    async fn settle(&mut self) {
        while let Some((actor, done)) = self.stage.settle().await {
            self.ended(&actor, done);
        }
    }

    /// With open gates: until nobody is at work any more.
    pub async fn run_out(&mut self) {
        for _ in 0..400 {
            self.settle().await;
            if self.failed() || self.stage.actors.is_empty() {
                return;
            }
            let passed_ms = self.stage.idle(10_000).await;
            self.passed(passed_ms);
        }
        let posts: Vec<_> = self.stage.actors.values().map(|actor| actor.post.clone()).collect();
        self.report_violation(Violation::new(Rule::Stuck, format!("never ends: {posts:?}")));
    }

    /// With open gates: does all work that is due.
    pub async fn drain(&mut self) {
        let up = self.world.up();
        let Some(app) = self.dice.pick(&up).and_then(|place| self.world.servers[*place].app.clone()) else {
            return;
        };
        self.stage.enter(0, Role::Worker, "drain".to_owned(), &[], None, async move {
            drop(drain(&app).await);
            Done::Worked
        });
        self.run_out().await;
    }

    pub fn passed(&mut self, passed_ms: i64) {
        self.world.passed(passed_ms);
        let now_ms = self.now_ms();
        self.stage.resume(now_ms);
    }

    pub async fn let_pass(&mut self, millis: u64) {
        if millis > 0 {
            let passed_ms = self.stage.pass(millis).await;
            self.passed(passed_ms);
        }
    }

    fn ended(&mut self, actor: &Actor, done: Done) {
        self.say(|_| format!("a{} ends: {}", actor.acting.actor, describe(&done)));
        match done {
            Done::Answered(reply) => {
                let request = actor.request.expect("only requests are answered");
                if let Some(violation) = self.oracle.answered(request, &reply, actor.changed) {
                    self.report_violation(violation);
                }
            }
            Done::Worked => {}
            Done::Started(started) => {
                let server = &mut self.world.servers[actor.acting.server];
                server.starting = false;
                server.app = started.ok();
            }
        }
    }

    pub fn start(&mut self, place: usize) {
        let start = self.world.start(place);
        self.stage.enter(place, Role::Start, "start".to_owned(), &[], None, async move {
            Done::Started(start.await)
        });
    }

    pub fn with_scene(&mut self, make: impl FnOnce(&mut Dice, &Scene<'_>) -> Option<Draft>) -> Option<Draft> {
        let state = self.world.gates.state();
        let ledger = state.judge.ledger.as_ref()?;
        let scene = Scene {
            ledger,
            regions: &self.plan.regions,
            number: self.oracle.sent.len(),
            focus: &self.focus,
            tidy: self.tidy,
        };
        make(&mut self.dice, &scene)
    }

    pub fn sign(&mut self, draft: Draft) -> usize {
        let request = self.oracle.sent.len();
        let now = Timestamp::from_millis(self.now_ms());
        let body = draft.sign(now, &format!("nonce-{request}"));
        self.oracle.sent.push(Signed { draft, body, sendings: Vec::new() });
        request
    }

    pub fn send(&mut self, request: usize, place: usize) {
        let Some(app) = self.world.servers[place].app.clone() else { return };
        let sending = self.oracle.sending(request);
        let signed = &self.oracle.sent[request];
        let deletes = match &signed.draft.intent {
            Intent::Delete { images } => images.clone(),
            Intent::Read
            | Intent::List
            | Intent::Change
            | Intent::Share { .. }
            | Intent::Create { .. }
            | Intent::Remove { .. }
            | Intent::Restore { .. } => Vec::new(),
        };
        let post = format!("request {request}.{sending} {} {:?}", signed.draft.action, signed.draft.intent);
        let body = Arc::clone(&signed.body);
        self.stage.enter(place, Role::Request, post, &deletes, Some((request, sending)), async move {
            Done::Answered(call(&app, &body).await)
        });
    }

    /// Checks everything that clients were told.
    pub fn audit(&mut self) {
        let violation = {
            let state = self.world.gates.state();
            let ledger = state.judge.ledger.as_ref().expect("the machine is up");
            ledger.broken().or_else(|| self.oracle.audit(ledger))
        };
        if let Some(violation) = violation {
            self.report_violation(violation);
        }
    }
}

fn describe(done: &Done) -> String {
    match done {
        Done::Answered(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
        Done::Worked => "worked".to_owned(),
        Done::Started(Ok(_)) => "up".to_owned(),
        Done::Started(Err(error)) => error.to_string(),
    }
}

async fn call(app: &App, body: &[u8]) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let uri = Uri::from_static("/");
    dispatch(
        app,
        &Incoming { method: &Method::POST, uri: &uri, headers: &headers, body, peer: None, secure: false },
    )
    .await
}

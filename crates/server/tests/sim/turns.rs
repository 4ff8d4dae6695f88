//! What can happen next: somebody takes a step, a request comes, time passes, something breaks.

use calotype::app::App;
use calotype::check;
use calotype::check::finding::{Finding, Repair, Trouble};
use calotype::workers::{erasures, exports, fills, reinits};
use calotype_core::ids::RegionId;
use calotype_store::db::StoreError;
use calotype_store::nonces;
use calotype_store::seam::ObjectAction;

use crate::gates::{Role, Taken};
use crate::oracle::Signed;
use crate::requests::{self, Draft, Intent};
use crate::run::{Known, Run};
use crate::scheduler::{Actor, Done, Still};

/// A step of a killed process that its store has taken already, and does at this time.
pub struct Late {
    pub actor: Actor,
    pub gate: u64,
    pub at_ms: i64,
}

/// How much longer nonces are kept here than the program keeps them: longer than any request stands still
/// between the check of its time and its transaction. What happens otherwise, a test of [`crate::kept`] shows.
const NONCES_KEPT_MS: i64 = 4 * 3_600_000;

impl Run {
    pub async fn turn(&mut self, requests: &mut usize) {
        let weights = self.plan.weights;
        let down = self.world.down();
        let open = self.stage.actors.values().filter(|actor| actor.request.is_some()).count();
        let may_ask = *requests > 0 && open < self.plan.open_max && !self.world.up().is_empty();
        let turns = [
            weights.step,
            if may_ask { weights.request } else { 0 },
            weights.work,
            weights.time,
            weights.weather,
            weights.kill,
            weights.power,
            weights.pause,
            if down.is_empty() { 0 } else { 20 },
        ];
        match self.dice.weighted(&turns) {
            Some(0) => {
                if !self.stage.release() {
                    // Nobody can take a step: either somebody new comes, or time goes by.
                    if self.dice.permille(500) { self.work() } else { self.time().await }
                }
            }
            Some(1) => {
                *requests -= 1;
                self.ask();
            }
            Some(2) => self.work(),
            Some(3) => self.time().await,
            Some(4) => {
                let mut dice = self.dice.split();
                let news = self.world.gates.state().judge.weather.change(&mut dice, self.world.servers.len());
                self.say(|_| news);
            }
            Some(5) => {
                let up = self.world.up();
                if let Some(place) = self.dice.pick(&up).copied() {
                    self.kill(place);
                }
            }
            Some(6) => self.cut_power().await,
            Some(7) => self.pause().await,
            _ => {
                if let Some(place) = self.dice.pick(&down).copied() {
                    self.start(place);
                }
            }
        }
    }

    async fn time(&mut self) {
        let millis = match self.dice.below(100) {
            0..60 => {
                let until_ready = self.stage.next_ready_ms().map_or(1_000, |ready| ready - self.now_ms());
                let until_ready = u64::try_from(until_ready).unwrap_or(0).clamp(1, 5_000);
                let passed_ms = self.stage.idle(until_ready).await;
                self.passed(passed_ms);
                return;
            }
            60..85 => 1 + self.dice.below(2_000),
            85..92 => 5_000 + self.dice.below(30_000),
            _ => 61_000 + self.dice.below(90_000),
        };
        self.say(|_| format!("{millis} ms pass at once"));
        self.let_pass(millis).await;
    }

    /// A worker stands still, or a whole server, as a machine does that moves to another host: mostly for
    /// longer than it holds its tasks.
    async fn pause(&mut self) {
        let (workers, servers) = self.stage.between_transactions(&self.world.up());
        let of = if workers.is_empty() || self.dice.permille(300) { servers } else { workers };
        let Some(still) = self.dice.pick(&of).copied() else { return };
        let beyond_ms = self.dice.below(20_000);
        let until_ms = self.now_ms() + 62_000 + i64::try_from(beyond_ms).unwrap_or(0);
        self.say(|_| format!("{still:?} stands still"));
        self.stage.paused.insert(still, until_ms);
        if self.dice.permille(700) {
            self.let_pass(61_000).await;
        }
    }

    fn work(&mut self) {
        let up = self.world.up();
        let Some(place) = self.dice.pick(&up).copied() else { return };
        let due = {
            let state = self.world.gates.state();
            let ledger = state.judge.ledger.as_ref().expect("the machine is up");
            ledger.due(state.judge.now_ms + self.plan.skews_ms[place])
        };
        let rare = if self.dice.permille(500) { "forgetting" } else { "checking" };
        let (kind, region) = match self.dice.pick(&due) {
            Some(task) if !self.dice.permille(40) => task.clone(),
            _ => (rare.to_owned(), String::new()),
        };
        let post = format!("{kind} {region}");
        let most = if kind == rare { 1 } else { 2 };
        let same = |actor: &&Actor| actor.acting.server == place && actor.post == post;
        if self.stage.actors.values().filter(same).count() >= most {
            return;
        }
        let Some(app) = self.world.servers[place].app.clone() else { return };
        let known = self.case.known;
        self.stage.enter(place, Role::Worker, post, &[], None, async move {
            let region = RegionId::trusted(region);
            match kind.as_str() {
                "copying" => drop(fills::run_once(&app, &region).await),
                "erasing" => drop(erasures::run_once(&app, &region).await),
                "exporting" => drop(exports::run_once(&app).await),
                "switching" => drop(reinits::run_once(&app).await),
                "checking" => drop(check_and_repair(&app, known).await),
                _ => drop(forget_nonces(&app, known).await),
            }
            Done::Worked
        });
    }

    /// A new request, one that is sent again as it is, or one that is signed anew.
    fn ask(&mut self) {
        let up = self.world.up();
        let Some(place) = self.dice.pick(&up).copied() else { return };
        self.turn_focus();
        let request = match self.dice.below(100) {
            0..10 if !self.oracle.sent.is_empty() => self.dice.place(self.oracle.sent.len()),
            10..18 => match self.retry() {
                Some(draft) => self.sign(draft),
                None => return,
            },
            _ => {
                let by_kind = self.plan.requests_by_kind;
                match self.with_scene(|dice, scene| requests::draft(dice, scene, &by_kind)) {
                    Some(draft) => self.sign(draft),
                    None => return,
                }
            }
        };
        self.send(request, place);
    }

    /// An earlier request, if to ask for it twice asks for one thing.
    fn retry(&mut self) -> Option<Draft> {
        let is_safe = |signed: &&Signed| {
            !matches!(signed.draft.intent, Intent::Create { .. })
                || signed.draft.action == "CreateWuyingServer"
        };
        let safe: Vec<_> = self.oracle.sent.iter().filter(is_safe).collect();
        self.dice.pick(&safe).map(|signed| signed.draft.clone())
    }

    /// Now and then most requests turn to another image.
    fn turn_focus(&mut self) {
        let sql = "SELECT id FROM images WHERE owner <> 'system' AND deleted_ms IS NULL ORDER BY id";
        let state = self.world.gates.state();
        if let Some(ledger) = state.judge.ledger.as_ref().filter(|_| self.dice.permille(150)) {
            let images = ledger.column(sql, &[]);
            self.focus = self.dice.pick(&images).cloned().unwrap_or_default();
        }
    }

    /// Ends a process at once. What it has given to a store may still be done by it.
    fn kill(&mut self, place: usize) {
        self.say(|_| format!("server {place} is killed"));
        let waiting = self.world.gates.waiting();
        let gone: Vec<u64> = self
            .stage
            .actors
            .values()
            .filter(|actor| actor.acting.server == place)
            .map(|actor| actor.acting.actor)
            .collect();
        for number in &gone {
            let Some(actor) = self.stage.actors.remove(number) else { continue };
            if let Some(request) = actor.request {
                self.oracle.lost(request);
            }
            let given = waiting.iter().find(|seen| seen.actor == *number && is_given(&seen.step));
            if let Some(seen) = given.filter(|_| self.dice.permille(500)) {
                let at_ms = self.now_ms() + i64::try_from(self.dice.below(8_000)).unwrap_or(0);
                self.late.push(Late { actor, gate: seen.gate, at_ms });
            }
        }
        self.world.gates.state().judge.excuse(&gone);
        self.stage.paused.remove(&Still::Server(place));
        let server = &mut self.world.servers[place];
        server.app = None;
        server.starting = false;
    }

    pub async fn land_late(&mut self) {
        let now_ms = self.now_ms();
        let (due, later) = std::mem::take(&mut self.late).into_iter().partition(|late| late.at_ms <= now_ms);
        self.late = later;
        for late in due {
            self.stage.land(late.actor, late.gate).await;
        }
    }

    pub async fn drop_all_late(&mut self) {
        for late in std::mem::take(&mut self.late) {
            self.stage.land(late.actor, late.gate).await;
        }
    }

    /// Switches the machine off and on again: what is durable is all that is left.
    pub async fn cut_power(&mut self) {
        self.say(|_| "the power is cut".to_owned());
        let gone: Vec<u64> = self.stage.actors.keys().copied().collect();
        for (_, actor) in std::mem::take(&mut self.stage.actors) {
            if let Some(request) = actor.request {
                self.oracle.lost(request);
            }
        }
        self.late.clear();
        self.stage.paused.clear();
        self.world.gates.state().judge.excuse(&gone);
        self.world.switch_off();
        self.world.switch_on().await;
        self.audit();
    }
}

/// Whether a store may do the step although nobody waits for it any more.
fn is_given(step: &Taken) -> bool {
    matches!(step, Taken::Object { action: ObjectAction::Finish | ObjectAction::Erase, .. })
}

async fn forget_nonces(app: &App, known: Option<Known>) -> Result<(), StoreError> {
    let kept_ms = if known == Some(Known::NoncesForgotten) { 0 } else { NONCES_KEPT_MS };
    let mut tx = app.db.begin().await?;
    nonces::forget_expired(&mut tx, app.clock.now().plus_millis(-kept_ms)).await?;
    tx.commit().await
}

/// What an operator may do at any time, while everything is at work.
async fn check_and_repair(app: &App, known: Option<Known>) -> Result<(), StoreError> {
    let options = check::Options { deep: true, ..check::Options::default() };
    let progress = check::Progress::default();
    let mut report = check::look(&app.db, &app.places, app.clock.now(), &options, &progress).await?;
    if known != Some(Known::UnreadableMadeAgain) {
        report.entries.retain(|entry| {
            let unreadable = matches!(&entry.finding, Finding::Lost { trouble: Trouble::Unreadable, .. });
            !unreadable || entry.repair != Repair::Make
        });
    }
    check::repair(&app.db, &app.places, app.clock.now(), &mut report, &progress).await
}

//! Decides what happens to each step, and watches for what must never happen to an object.

use std::collections::{BTreeMap, BTreeSet};

use calotype_store::db::Db;
use calotype_store::objects::{ObjectKey, Objects, Places};
use calotype_store::seam::{Effect, ObjectAction};

use crate::dice::Dice;
use crate::gates::{Acting, Role, Taken};
use crate::ledger::{Ledger, Rule, Violation};
use crate::mutants::{Mutant, Sabotage};
use crate::trace::Trace;
use crate::weather::Weather;

/// The stores as they are, without any gate.
#[derive(Clone, Debug)]
pub struct Raw {
    pub db: Db,
    pub places: Places,
}

/// What a fault does of its own before a step.
#[derive(Debug)]
pub enum Prelude {
    /// Erases these objects.
    Erase(Vec<(Objects, ObjectKey)>),
    /// Deletes the templates of these images, in a transaction of its own.
    DeleteTemplates(Db, Vec<String>),
}

impl Prelude {
    pub async fn play(self) {
        match self {
            Self::Erase(objects) => {
                for (store, key) in objects {
                    drop(store.erase(&key).await);
                }
            }
            Self::DeleteTemplates(db, images) => {
                let mut tx = db.begin().await.expect("the raw database works");
                for image in &images {
                    let sql = "DELETE FROM templates WHERE image_id = $1";
                    tx.execute(sql, &[image.into()]).await.expect("the raw database works");
                }
                tx.commit().await.expect("the raw database works");
            }
        }
    }
}

/// An object that was written by somebody whose lease was over, or that was nobody's for another reason.
#[derive(Clone, Copy, Debug)]
struct Late {
    writer: u64,
    excused: bool,
}

/// Decides and watches.
#[derive(Debug)]
pub struct Judge {
    pub dice: Dice,
    pub weather: Weather,
    pub trace: Trace,
    /// What is durable; there is none while the machine is down.
    pub ledger: Option<Ledger>,
    /// The stores without gates; there are none while the machine is down.
    pub raw: Option<Raw>,
    /// The time, in milliseconds since the epoch.
    pub now_ms: i64,
    /// How far ahead the clock of a server may be.
    pub skew_ms_max: i64,
    /// Steps taken so far.
    pub steps: u64,
    /// Objects that writers who were late, or stores that were away, have left in the end.
    pub strays: u64,
    /// What was seen that must not be.
    pub violation: Option<Violation>,
    /// What is to be done before the step that was decided last.
    pub prelude: Option<Prelude>,
    /// Whether something was committed since the scheduler looked.
    pub committed: bool,
    /// The rows before a request's commit since the scheduler looked.
    pub before: Option<Vec<String>>,
    /// How often the runtime must run before tasks beside the actors are done.
    pub errands: u8,
    mutant: Option<&'static Mutant>,
    erased: BTreeSet<String>,
    writers: BTreeMap<String, u64>,
    late: BTreeMap<String, Late>,
}

impl Judge {
    pub fn new(dice: Dice, weather: Weather, trace: Trace, mutant: Option<&'static Mutant>) -> Self {
        Self {
            dice,
            weather,
            trace,
            ledger: None,
            raw: None,
            now_ms: 0,
            skew_ms_max: 0,
            steps: 0,
            strays: 0,
            violation: None,
            prelude: None,
            committed: false,
            before: None,
            errands: 0,
            mutant,
            erased: BTreeSet::new(),
            writers: BTreeMap::new(),
            late: BTreeMap::new(),
        }
    }

    /// Whether an object that belongs to nobody may lie there: its writer was late and could not erase it
    /// again, because it was killed or the store failed.
    pub fn is_excused(&self, key: &str) -> bool {
        self.late.get(key).is_some_and(|late| late.excused)
    }

    /// Whether an object was written by somebody who was late.
    pub fn is_late(&self, key: &str) -> bool {
        self.late.contains_key(key)
    }

    /// These actors are gone before their end.
    pub fn excuse(&mut self, gone: &[u64]) {
        self.late.values_mut().for_each(|late| late.excused |= gone.contains(&late.writer));
    }

    pub fn report(&mut self, violation: Violation) {
        self.trace.say(self.now_ms, || format!("VIOLATION {violation:?}"));
        self.violation.get_or_insert(violation);
    }

    /// When a step may be taken at the earliest.
    pub fn not_before_ms(&mut self, step: &Taken) -> i64 {
        let delay_ms = self.weather.delay_ms(step);
        self.now_ms + delay_ms
    }

    /// Decides what happens to a step, which then happens.
    pub fn decide(&mut self, acting: &Acting, step: &Taken) -> Effect {
        self.steps += 1;
        let mut effect = self.weather.effect(acting.server, step);
        if effect == Effect::Go {
            effect = self.sabotage(acting, step);
        }
        self.trace.say(self.now_ms, || format!("a{} {}: {effect:?}", acting.actor, describe(step)));
        self.watch(acting, step, effect);
        effect
    }

    /// Watches a step that is taken although its process is gone.
    pub fn watch_late(&mut self, acting: &Acting, step: &Taken) {
        self.trace.say(self.now_ms, || format!("a{} {}: after its end", acting.actor, describe(step)));
        self.watch(acting, step, Effect::Go);
        self.excuse(&[acting.actor]);
    }

    fn watch(&mut self, acting: &Acting, step: &Taken, effect: Effect) {
        let taken = matches!(effect, Effect::Go | Effect::AnswerLost | Effect::Early);
        match step {
            Taken::Commit if taken => {
                self.committed = true;
                // What was answered early becomes durable with the next one's commit, who did not do it.
                let is_early = |mutant: &Mutant| matches!(mutant.sabotage, Sabotage::CommitEarly(_));
                let is_own = !self.mutant.is_some_and(is_early);
                if is_own && acting.role == Role::Request && self.before.is_none() {
                    self.before = self.ledger.as_ref().map(Ledger::dump);
                }
            }
            Taken::Object { action: ObjectAction::Write, key, .. } if taken => {
                self.writers.insert(key.clone(), acting.actor);
            }
            Taken::Object { action: ObjectAction::Finish, key, .. } if taken => {
                self.watch_finish(acting, key);
            }
            Taken::Object { action: ObjectAction::Erase, key, .. } if taken => self.watch_erase(acting, key),
            Taken::Object { action: ObjectAction::Erase, key, .. } => {
                if let Some(late) = self.late.get_mut(key) {
                    late.excused = true;
                }
            }
            Taken::Begin | Taken::Statement(_) | Taken::Commit | Taken::Object { .. } => {}
        }
    }

    /// Bytes that are written within the lease belong to the replica; later ones are nobody's.
    fn watch_finish(&mut self, acting: &Acting, key: &str) {
        self.errands = 2;
        let Some(row) = self.ledger.as_ref().and_then(|ledger| ledger.replica_of(key)) else { return };
        let held = !row.lease_owner.is_empty() && row.lease_until_ms > self.now_ms + self.skew_ms_max;
        if row.state != "copying" || row.key != key || !held {
            self.late.insert(key.to_owned(), Late { writer: acting.actor, excused: false });
        }
    }

    fn watch_erase(&mut self, acting: &Acting, key: &str) {
        let Some(ledger) = &self.ledger else { return };
        let Some(row) = ledger.replica_of(key) else { return };
        if row.key != key {
            return;
        }
        let id = key.rsplit_once('.').map_or(key, |(id, _)| id);
        let read = "SELECT 1 FROM replicas WHERE source = $1 AND state = 'copying'";
        let grace = "SELECT 1 FROM deletions WHERE image_id = $1 AND restored_ms IS NULL \
                     AND completed_ms IS NULL AND erase_from_ms > CAST($2 AS INTEGER)";
        let latest_ms = (self.now_ms + self.skew_ms_max).to_string();
        let writer = self.writers.get(key).filter(|writer| **writer != acting.actor);
        let what = match row.state.as_str() {
            "available" => "the bytes of an available replica",
            "copying" if writer.is_some() => "what another one is writing",
            "erasing" if !row.sha256.is_empty() && ledger.has(read, &[id]) => "what is still copied from",
            "erasing" if ledger.has(grace, &[&row.holder, &latest_ms]) => "within the grace period",
            _ => return,
        };
        self.report(Violation::new(Rule::Erasure, format!("a{} erases {what}: {key}", acting.actor)));
    }

    fn sabotage(&mut self, acting: &Acting, step: &Taken) -> Effect {
        let Some(mutant) = self.mutant else { return Effect::Go };
        match (&mutant.sabotage, step) {
            (Sabotage::Rewrite(rewrites), Taken::Statement(sql)) => {
                let rewrite = rewrites.iter().find(|rewrite| sql.contains(rewrite.of));
                rewrite.map_or(Effect::Go, |rewrite| {
                    let ledger = self.ledger.as_ref().expect("the machine is up");
                    mutant.strike();
                    Effect::Instead(rewrite.apply(sql, ledger))
                })
            }
            (Sabotage::CommitEarly(permille), Taken::Commit)
                if acting.role == Role::Request && self.dice.permille(*permille) =>
            {
                mutant.strike();
                Effect::Early
            }
            (Sabotage::EraseBeforeCommit(text), Taken::Statement(sql)) if sql.contains(text) => {
                mutant.strike();
                self.prelude = Some(Prelude::Erase(self.bytes_of(&acting.deletes)));
                Effect::Go
            }
            (Sabotage::TemplatesFirst, Taken::Begin) if !acting.deletes.is_empty() => {
                mutant.strike();
                self.committed = true;
                self.before = self.ledger.as_ref().map(Ledger::dump);
                let raw = self.raw.as_ref().expect("the machine is up");
                self.prelude = Some(Prelude::DeleteTemplates(raw.db.clone(), acting.deletes.to_vec()));
                Effect::Go
            }
            (Sabotage::EraseOnce, Taken::Object { action: ObjectAction::Erase, key, .. }) => {
                if self.erased.insert(key.clone()) {
                    return Effect::Go;
                }
                mutant.strike();
                Effect::Unavailable
            }
            (Sabotage::LieAboutErasures(permille), Taken::Object { action: ObjectAction::Erase, .. })
                if self.dice.permille(*permille) =>
            {
                mutant.strike();
                Effect::Nothing
            }
            (_, Taken::Begin | Taken::Statement(_) | Taken::Commit | Taken::Object { .. }) => Effect::Go,
        }
    }

    /// The objects of these images.
    fn bytes_of(&self, images: &[String]) -> Vec<(Objects, ObjectKey)> {
        let (Some(ledger), Some(raw)) = (&self.ledger, &self.raw) else { return Vec::new() };
        let sql = "SELECT region, object_key FROM replicas WHERE holder_id = $1 AND object_key IS NOT NULL";
        let rows = images.iter().flat_map(|image| ledger.rows(sql, &[image]));
        rows.filter_map(|row| {
            let (_, store) = raw.places.regions.iter().find(|(id, _)| id.as_str() == row[0])?;
            Some((store.clone(), ObjectKey::trusted(&row[1])))
        })
        .collect()
    }
}

/// A step in a few words.
fn describe(step: &Taken) -> String {
    match step {
        Taken::Begin => "begin".to_owned(),
        Taken::Commit => "commit".to_owned(),
        Taken::Statement(sql) => sql.chars().take(90).collect(),
        Taken::Object { place, action, key } => format!("{action:?} {place} {key}"),
    }
}

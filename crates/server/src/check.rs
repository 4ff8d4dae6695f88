//! Compares records with records, and records with bytes both ways, in every region, while servers run.
//!
//! A look is only a look: what is found is looked at a second time, records after bytes and bytes after records,
//! before it counts, because both may have changed in between. What is repaired is decided anew under the lock on
//! the image. Memory grows with the number of objects by some twenty bytes for each, and with what is found up to
//! [`FINDINGS_MAX`].

mod bytes;
pub mod command;
pub mod finding;
mod plan;
mod repair;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use calotype_core::ids::RegionId;
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, StoreError};
use calotype_store::ingest;
use calotype_store::invariants::{self, Broken, Rule};
use calotype_store::objects::Places;

use bytes::Look;
use finding::{Finding, Repair};
pub use repair::repair;

/// How many findings of one kind are kept: what is beyond them is found when these are repaired.
pub const FINDINGS_MAX: usize = 100_000;

/// Leases that ended so long ago count as forgotten, in milliseconds: several times as long as they last.
const FORGOTTEN_AFTER_MS: i64 = 5 * 60_000;

/// How a check is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether all bytes are read and hashed.
    pub deep: bool,
    /// Whether objects without any record are to be erased. They may be the only copy of something.
    pub erase_unknown: bool,
    /// Regions that cannot be looked at from here and need not be, and why.
    pub unseen: BTreeMap<RegionId, &'static str>,
    /// The time between the two looks: what is just going is gone by then.
    pub pause: Duration,
    /// Whether there is a second look. Always true but in negative controls, which show that one is not enough.
    pub twice: bool,
}

impl Default for Options {
    fn default() -> Self {
        let pause = Duration::from_secs(1);
        Self { deep: false, erase_unknown: false, unseen: BTreeMap::new(), pause, twice: true }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was seen of each region.
    pub regions: BTreeMap<RegionId, Region>,
    /// The findings in their order.
    pub entries: Vec<Entry>,
    /// Whether there are more findings than were kept.
    pub more: bool,
}

/// What was seen of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Region {
    /// Its objects were compared: how many there are, and their bytes.
    Compared {
        /// Objects.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// It could not be looked at, and why.
    Away(String),
    /// It cannot be looked at from here and need not be, and why.
    Unseen(&'static str),
}

/// A finding, what can be done about it, and what became of that.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The finding.
    pub finding: Finding,
    /// What can be done.
    pub repair: Repair,
    /// What was done; `None` as long as nothing was tried.
    pub outcome: Option<Outcome>,
}

/// What became of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or begun where workers do the rest.
    Done,
    /// It was not needed any more.
    Gone,
    /// It could not be done; why.
    Failed(String),
}

impl Report {
    /// How many findings are still there.
    #[must_use]
    pub fn remaining(&self) -> usize {
        let remains = |entry: &&Entry| !matches!(entry.outcome, Some(Outcome::Done | Outcome::Gone));
        self.entries.iter().filter(remains).count()
    }

    /// Whether every region was looked at that had to be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.regions.values().any(|region| matches!(region, Region::Away(_)))
    }

    /// What the command exits with: 0 if nothing is left to be done, 1 if findings remain, 2 if not everything
    /// could be looked at.
    #[must_use]
    pub fn status(&self) -> u8 {
        match (self.is_complete(), self.remaining() > 0 || self.more) {
            (false, _) => 2,
            (true, true) => 1,
            (true, false) => 0,
        }
    }
}

/// What a check is doing, for whoever wants to show it.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
    /// The bytes that were read.
    pub read: ingest::Progress,
}

/// The phases of a check.
const PHASES: [&str; 6] =
    ["metadata", "rules between records", "listing of objects", "records", "second look", "repairs"];

impl Progress {
    fn begin(&self, phase: u8, total: usize) {
        self.phase.store(phase, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total as u64, Ordering::Relaxed);
    }

    fn step(&self, count: usize) {
        self.done.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// What is being done, and how far it is.
    #[must_use]
    pub fn text(&self) -> String {
        let phase = PHASES.get(usize::from(self.phase.load(Ordering::Relaxed))).unwrap_or(&"");
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let of = if total > 0 { format!(" of {total}") } else { String::new() };
        let read = self.read.bytes() >> 20;
        let read = if read > 0 { format!(", {read} MiB read") } else { String::new() };
        format!("{phase}: {done}{of}{read}")
    }
}

/// Looks, and changes nothing.
///
/// # Errors
/// [`StoreError`] if the metadata cannot be read.
pub async fn look(
    db: &Db,
    places: &Places,
    now: Timestamp,
    options: &Options,
    progress: &Progress,
) -> Result<Report, StoreError> {
    progress.begin(0, 0);
    let damages = db.damages().await?;
    if !damages.is_empty() {
        // Nothing that is read from a damaged file can be relied on, least of all for repairs.
        let why = "nothing here: restore a backup".to_owned();
        let entry = |text| Entry {
            finding: Finding::Damaged(text),
            repair: Repair::Nothing(why.clone()),
            outcome: None,
        };
        return Ok(Report { entries: damages.into_iter().map(entry).collect(), ..Report::default() });
    }
    let rules: BTreeSet<Rule> = Rule::ALL.into_iter().collect();
    let (broken, more_broken) = look_at_rules(db, &rules, now, progress).await?;
    let mut look = Look::new(db, places, options, progress);
    look.at_everything().await?;
    if options.twice {
        if !broken.is_empty() || look.has_suspects() {
            tokio::time::sleep(options.pause).await;
        }
        look.again().await?;
    }
    let rules: BTreeSet<Rule> = broken.iter().map(|broken| broken.rule).collect();
    let (again, _) = look_at_rules(db, &rules, now, progress).await?;
    let (mut findings, regions, more) = look.end().await;
    findings.extend(broken.intersection(&again).cloned().map(Finding::Broken));
    findings.sort_by_cached_key(Finding::place);
    let entries = plan::plan(db, places, &regions, findings, options).await?;
    Ok(Report { regions, entries, more: more || more_broken })
}

/// What breaks these rules, and whether there is more than is kept.
async fn look_at_rules(
    db: &Db,
    rules: &BTreeSet<Rule>,
    now: Timestamp,
    progress: &Progress,
) -> Result<(BTreeSet<Broken>, bool), StoreError> {
    progress.begin(1, rules.len());
    let (mut broken, mut more) = (BTreeSet::new(), false);
    let limit = i64::try_from(FINDINGS_MAX).unwrap_or(i64::MAX);
    for rule in rules {
        let found = invariants::find(db, *rule, now.plus_millis(-FORGOTTEN_AFTER_MS), limit).await?;
        more |= found.len() == FINDINGS_MAX;
        broken.extend(found);
        progress.step(1);
    }
    Ok((broken, more))
}

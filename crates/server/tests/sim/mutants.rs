//! Deliberate faults, each of which the simulation must find.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ledger::{Ledger, Rule};

/// A program that does one thing wrong.
#[derive(Debug)]
pub struct Mutant {
    /// What is wrong with it.
    pub sabotage: Sabotage,
    /// The rules that it breaks.
    pub breaks: &'static [Rule],
    /// Within how many seeds it must be found.
    pub seeds: u64,
    strikes: AtomicU64,
}

/// What is done wrong.
#[derive(Debug)]
pub enum Sabotage {
    /// Transactions are not fenced.
    NoFence,
    /// Statements do something else.
    Rewrite(&'static [Rewrite]),
    /// Of a thousand commits so many are answered before they are durable.
    CommitEarly(u64),
    /// The bytes are erased with the statement that has this text, before the commit.
    EraseBeforeCommit(&'static str),
    /// The templates are deleted first, in a transaction of their own.
    TemplatesFirst,
    /// To erase what is erased already fails.
    EraseOnce,
    /// Of a thousand erasures so many are told but not done.
    LieAboutErasures(u64),
}

/// How a statement is changed.
#[derive(Debug)]
pub struct Rewrite {
    /// Text that tells the statement.
    pub of: &'static str,
    /// The part of it that is changed.
    pub from: &'static str,
    /// What it is changed to.
    pub to: &'static str,
}

/// The statements that were made, by what they were made of and into.
static REWRITTEN: Mutex<BTreeMap<(&'static str, &'static str, &'static str), &'static str>> =
    Mutex::new(BTreeMap::new());

impl Rewrite {
    /// The changed statement. Fails the test if the text is not there any more, or the database does not
    /// take what comes out: such a fault would be found for the wrong reason.
    pub fn apply(&self, sql: &'static str, ledger: &Ledger) -> &'static str {
        let mut rewritten = REWRITTEN.lock().expect("nobody panics with it");
        rewritten.entry((sql, self.from, self.to)).or_insert_with(|| {
            assert!(sql.contains(self.from), "the fault does not fit any more: {sql}");
            let text = sql.replace(self.from, self.to);
            assert!(ledger.accepts(&text), "the fault is no statement: {text}");
            Box::leak(text.into_boxed_str())
        })
    }
}

impl Mutant {
    pub const fn new(sabotage: Sabotage, breaks: &'static [Rule], seeds: u64) -> Self {
        Self { sabotage, breaks, seeds, strikes: AtomicU64::new(0) }
    }

    /// Counts that it did something wrong.
    pub fn strike(&self) {
        self.strikes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it did something wrong.
    pub fn strikes(&self) -> u64 {
        self.strikes.load(Ordering::Relaxed)
    }
}

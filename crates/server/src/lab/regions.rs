//! The stores of regions, which can be taken away and given back.

use std::collections::BTreeMap;
use std::sync::Mutex;

use calotype_store::seam::{Effect, Seam, Step};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::lock;
use crate::clock::Chance;

/// How a store that was taken away behaves.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Away {
    /// It refuses every call.
    Refusing,
    /// It does not answer until it is given back.
    Hanging,
    /// It fails half of the calls.
    Half,
}

/// The stores that were taken away.
#[derive(Debug, Default)]
pub(super) struct Regions {
    away: Mutex<BTreeMap<String, State>>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    away: Away,
    chance: Chance,
}

impl Regions {
    /// Takes a store away, or gives it back.
    pub(super) fn set(&self, region: &str, away: Option<Away>) {
        let mut all = lock(&self.away);
        match away {
            Some(away) => all.insert(region.to_owned(), State { away, chance: Chance::seeded(0) }),
            None => all.remove(region),
        };
        drop(all);
        self.changed.notify_waiters();
    }

    /// How the store of a region behaves, if it was taken away.
    pub(super) fn get(&self, region: &str) -> Option<Away> {
        lock(&self.away).get(region).map(|state| state.away)
    }

    /// The regions that were taken away.
    pub(super) fn taken(&self) -> Vec<String> {
        lock(&self.away).keys().cloned().collect()
    }

    /// What becomes of the next call to a store; nothing if it has to wait.
    fn next(&self, place: &str) -> Option<Effect> {
        let mut all = lock(&self.away);
        let Some(state) = all.get_mut(place) else { return Some(Effect::Go) };
        match state.away {
            Away::Refusing => Some(Effect::Unavailable),
            // By chance, the same in each run: whoever always makes the same few calls does not fail for ever.
            Away::Half => {
                let [byte] = state.chance.bytes();
                Some(if byte < 128 { Effect::Unavailable } else { Effect::Go })
            }
            Away::Hanging => None,
        }
    }

    async fn effect(&self, place: &str) -> Effect {
        loop {
            // To be registered before one looks: a change in between must not be missed.
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            match self.next(place) {
                Some(effect) => return effect,
                None => changed.await,
            }
        }
    }
}

impl Seam for Regions {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        match step {
            Step::Object { place, .. } => Box::pin(self.effect(place)),
            Step::Begin | Step::Statement(_) | Step::Commit => Box::pin(std::future::ready(Effect::Go)),
        }
    }
}

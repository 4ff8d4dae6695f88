//! The lab: every documented outcome on demand, for teams that test their automation.
//!
//! It stands where the tests of this project stand: between a request and its operation, at the seam of the stores,
//! and behind the clock. Without a lab none of the three is there. It has a listener of its own, which only this
//! machine can reach, and must never serve anything else: whoever reaches it may take everything away.

mod clock;
mod door;
mod faults;
mod holds;
mod meeting;
mod records;
mod regions;
mod routes;
mod saved;
mod seed;
mod worlds;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::Ground;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::identity::Identity;
use crate::operations::MaybeBetween;
use faults::Faults;
use holds::Holds;
use records::Records;
use regions::Regions;
use worlds::Worlds;

pub use door::{BODY_BYTES_MAX, serve};
pub use faults::FAULTS_MAX;
pub use records::{ENTRIES_MAX, ENTRY_BYTES_MAX};
pub use worlds::WORLDS_MAX;

/// What a lab knows and has armed.
#[derive(Debug, Default)]
pub struct Lab {
    faults: Faults,
    regions: Arc<Regions>,
    worlds: Worlds,
    records: Records,
    holds: Holds,
}

impl Lab {
    /// A lab in which nothing is armed.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The ground for a server that this lab is of.
    #[must_use]
    pub fn ground(&self) -> Ground {
        let regions: Arc<Regions> = Arc::clone(&self.regions);
        Ground { clock: Clock::movable(), seam: Some(regions), ..Ground::default() }
    }

    /// This lab as what stands between the server's requests and operations.
    #[must_use]
    pub fn between(self: &Arc<Self>) -> MaybeBetween {
        let between: Arc<Self> = Arc::clone(self);
        Some(between)
    }

    /// These identities and the accounts that were made here.
    ///
    /// # Errors
    /// [`ConfigError`] if two accounts or keys are the same.
    pub fn with_worlds(&self, identity: Identity) -> Result<Identity, ConfigError> {
        self.worlds.entries().into_iter().try_fold(identity, |identity, entry| identity.with_account(entry))
    }
}

/// A panic elsewhere leaves nothing half changed that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

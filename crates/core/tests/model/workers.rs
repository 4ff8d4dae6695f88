//! The way of a task: claim, work, record.

use crate::rows::{ReplicaRow, ReplicaState, Stage, Tables};
use crate::state::{State, Task};
use crate::steps::Model;
use crate::world::{Engine, Guard};

impl Model {
    /// `claim_fills` and `claim_erasures`: whether the replica is due, and whether it may be taken.
    pub(crate) fn may_claim(&self, state: &State, replica: usize) -> bool {
        let tables = &state.working;
        let Some(row) = tables.replicas[replica] else { return false };
        let image = &tables.images[self.world.image_of(replica)];
        let is_copied_from =
            |other: &ReplicaRow| other.source == Some(replica) && other.state == ReplicaState::Copying;
        if row.leased {
            return false;
        }
        match row.state {
            ReplicaState::Copying => true,
            ReplicaState::Erasing => {
                let copied = tables.replicas.iter().flatten().any(is_copied_from);
                let held_back = copied && self.world.has(Guard::CopiesFirst);
                let allowed = image.deleted || !self.world.has(Guard::OnlyDeleted);
                allowed && !held_back && !image.grace
            }
            ReplicaState::Available | ReplicaState::Failed | ReplicaState::Erased => false,
        }
    }

    /// `replicas::take`, and for a fill the key to write under.
    pub(crate) fn claim(&self, state: &mut State, worker: usize, replica: usize) {
        let row = state.working.replica(replica);
        row.attempt += 1;
        (row.tried, row.lease_owner, row.leased) = (true, Some(worker), true);
        let (attempt, durable) = (row.attempt, self.world.engine == Engine::Shared);
        state.workers[worker] = if row.state == ReplicaState::Copying {
            if self.world.has(Guard::FreshKeys) || row.writes == 0 {
                row.writes += 1;
            }
            row.key = row.writes;
            Task::Fill { replica, attempt, key: row.key, durable }
        } else {
            Task::Erase { replica, attempt, keys: row.writes, durable }
        };
        self.settle(state);
    }

    /// Whether the bytes that the task is about can be reached, and its claim is where it must be.
    pub(crate) fn may_work(&self, state: &State, task: Task) -> bool {
        let is_there = |replica: usize| !state.away[self.world.places[replica].region];
        let claimed = |durable| durable || !self.world.has(Guard::DurableClaim);
        match task {
            Task::Fill { replica, durable, .. } => {
                let source = state.working.replicas[replica].and_then(|row| row.source);
                claimed(durable) && is_there(replica) && source.is_none_or(is_there)
            }
            Task::Erase { replica, durable, .. } => claimed(durable) && is_there(replica),
            Task::Discard { replica, .. } => is_there(replica),
            Task::Idle | Task::Filled { .. } | Task::Starved { .. } | Task::Erased { .. } => false,
        }
    }

    /// `fill`, `erase`, and the erasure of bytes that are nobody's.
    pub(crate) fn work(&self, state: &mut State, worker: usize) {
        state.workers[worker] = match state.workers[worker] {
            Task::Fill { replica, attempt, key, .. } => {
                // What earlier attempts may have left.
                state.objects.erase_all(replica, 1..key);
                if source_is_there(state, replica) {
                    state.objects.put(replica, key);
                    Task::Filled { replica, attempt, key }
                } else {
                    Task::Starved { replica, attempt }
                }
            }
            Task::Erase { replica, attempt, keys, .. } => {
                if self.world.has(Guard::EveryKey) {
                    state.objects.erase_all(replica, 1..=keys);
                } else {
                    state.objects.erase_all(replica, (1..=keys).last());
                }
                Task::Erased { replica, attempt }
            }
            Task::Discard { replica, key } => {
                state.objects.erase(replica, key);
                Task::Idle
            }
            task @ (Task::Idle | Task::Filled { .. } | Task::Starved { .. } | Task::Erased { .. }) => task,
        };
    }

    /// `record_filled`, `record_failed`, `record_erased`: only what is still the worker's.
    pub(crate) fn record(&self, state: &mut State, worker: usize) {
        state.workers[worker] = match state.workers[worker] {
            Task::Filled { replica, attempt, key } => {
                if self.is_held(&state.working, worker, replica, attempt, ReplicaState::Copying) {
                    let row = state.working.replica(replica);
                    (row.state, row.filled) = (ReplicaState::Available, true);
                    row.release_lease();
                    self.record_image(state, replica, Stage::Available);
                    Task::Idle
                } else {
                    Task::Discard { replica, key }
                }
            }
            Task::Starved { replica, attempt } => {
                self.record_failed(state, worker, replica, attempt);
                Task::Idle
            }
            Task::Erased { replica, attempt } => {
                if self.is_held(&state.working, worker, replica, attempt, ReplicaState::Erasing) {
                    let row = state.working.replica(replica);
                    row.state = ReplicaState::Erased;
                    row.release_lease();
                }
                Task::Idle
            }
            task @ (Task::Idle | Task::Fill { .. } | Task::Discard { .. } | Task::Erase { .. }) => task,
        };
        self.settle(state);
    }

    /// `record_retry`: the task is due at once.
    pub(crate) fn retry(&self, state: &mut State, worker: usize) {
        let (Task::Fill { replica, attempt, .. } | Task::Erase { replica, attempt, .. }) =
            state.workers[worker]
        else {
            return;
        };
        if state.working.replicas[replica]
            .is_some_and(|row| self.is_held(&state.working, worker, replica, attempt, row.state))
        {
            state.working.replica(replica).release_lease();
        }
        state.workers[worker] = Task::Idle;
        self.settle(state);
    }

    /// `record_end`: what the attempt left is erased, and the fill is given up.
    pub(crate) fn fail(&self, state: &mut State, worker: usize) {
        let Task::Fill { replica, attempt, key, .. } = state.workers[worker] else { return };
        state.objects.erase(replica, key);
        self.record_failed(state, worker, replica, attempt);
        state.workers[worker] = Task::Idle;
        self.settle(state);
    }

    fn record_failed(&self, state: &mut State, worker: usize, replica: usize, attempt: u8) {
        if self.is_held(&state.working, worker, replica, attempt, ReplicaState::Copying) {
            let row = state.working.replica(replica);
            row.state = ReplicaState::Failed;
            row.release_lease();
            self.record_image(state, replica, Stage::Failed);
        }
    }

    /// `images::record_made` and `images::record_failed`.
    fn record_image(&self, state: &mut State, replica: usize, stage: Stage) {
        let image = &mut state.working.images[self.world.image_of(replica)];
        if image.stage == Stage::Making && !image.deleted {
            image.stage = stage;
        }
    }

    /// `WHERE id = $1 AND attempt = $2 AND lease_owner = $3 AND state = ..`.
    pub(crate) fn is_held(
        &self,
        tables: &Tables,
        worker: usize,
        replica: usize,
        attempt: u8,
        state: ReplicaState,
    ) -> bool {
        let held = |row: &ReplicaRow| {
            row.state == state
                && (row.attempt == attempt && row.lease_owner == Some(worker)
                    || !self.world.has(Guard::Attempt))
        };
        tables.replicas[replica].as_ref().is_some_and(held)
    }

    /// Where there are no groups, a transaction is durable when it is seen.
    fn settle(&self, state: &mut State) {
        if self.world.engine == Engine::Shared {
            state.durable = state.working;
        }
    }
}

fn source_is_there(state: &State, replica: usize) -> bool {
    let source = state.working.replicas[replica].and_then(|row| row.source);
    source.is_none_or(|source| {
        state.working.replicas[source].is_some_and(|row| state.objects.has(source, row.key))
    })
}

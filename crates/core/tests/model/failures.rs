//! What goes wrong: processes die, leases end, regions go away, writes land late.

use crate::rows::{ReplicaState, Tables};
use crate::state::{Progress, State, Task};
use crate::steps::Model;
use crate::world::{Engine, Guard};

impl Model {
    /// Whether a crash of this process would be felt.
    pub(crate) fn may_crash(&self, state: &State, server: usize) -> bool {
        let under_way = |call: usize| {
            let over = state.calls[call] == Progress::Waiting || state.calls[call].is_over();
            self.world.server_of_call(call) == server && !over
        };
        let busy = |worker: usize| {
            self.world.server_of_worker(worker) == server && state.workers[worker] != Task::Idle
        };
        state.faults.crashes > 0
            && ((0..state.calls.len()).any(under_way)
                || (0..state.workers.len()).any(busy)
                || state.working != state.durable)
    }

    /// A process dies: open transactions, the group, answers under way and the steps of its workers are
    /// lost. Where it was the only one, it frees every lease when it begins anew.
    pub(crate) fn crash(&self, state: &mut State, server: usize) {
        state.faults.crashes -= 1;
        for call in 0..state.calls.len() {
            if self.world.server_of_call(call) != server {
                continue;
            }
            state.calls[call] = match state.calls[call] {
                Progress::Durable => Progress::Lost { durable: true },
                Progress::Loaded(_) | Progress::Half(_) | Progress::Released | Progress::Refusing(_) => {
                    Progress::Lost { durable: false }
                }
                over @ (Progress::Waiting | Progress::Answered(_) | Progress::Lost { .. }) => over,
            };
        }
        for worker in 0..state.workers.len() {
            if self.world.server_of_worker(worker) == server {
                let task = std::mem::take(&mut state.workers[worker]);
                self.leave_behind(state, task);
            }
        }
        if self.world.engine == Engine::Embedded {
            for row in state.durable.replicas.iter_mut().flatten() {
                row.release_lease();
            }
            state.working = state.durable;
        }
    }

    /// A store beyond the network may still do what a dead process asked for.
    fn leave_behind(&self, state: &mut State, task: Task) {
        if !self.world.late {
            return;
        }
        match task {
            Task::Fill { replica, key, durable: true, .. } => state.late_writes.put(replica, key),
            Task::Erase { replica, keys, durable: true, .. } => {
                (1..=keys).for_each(|key| state.late_erasures.put(replica, key));
            }
            Task::Discard { replica, key } => state.late_erasures.put(replica, key),
            Task::Idle
            | Task::Fill { .. }
            | Task::Filled { .. }
            | Task::Starved { .. }
            | Task::Erase { .. }
            | Task::Erased { .. } => {}
        }
    }

    /// Whether the lease on a replica can end: under a worker that stands still, if one may.
    pub(crate) fn may_end_lease(&self, state: &State, replica: usize) -> bool {
        let leased = state.working.replicas[replica].is_some_and(|row| row.leased);
        leased
            && self.world.has(Guard::LeaseEnds)
            && (holder(state, replica).is_none() || state.faults.pauses > 0)
    }

    pub(crate) fn end_lease(state: &mut State, replica: usize) {
        if holder(state, replica).is_some() {
            state.faults.pauses -= 1;
        }
        Self::in_both(state, |tables| {
            if let Some(row) = &mut tables.replicas[replica] {
                row.leased = false;
            }
        });
    }

    pub(crate) fn end_grace(state: &mut State, image: usize) {
        Self::in_both(state, |tables| tables.images[image].grace = false);
    }

    /// Time passes for what is durable and for what is not yet.
    fn in_both(state: &mut State, change: impl Fn(&mut Tables)) {
        change(&mut state.durable);
        change(&mut state.working);
    }

    pub(crate) fn land_write(state: &mut State, replica: usize, key: usize, lands: bool) {
        state.late_writes.erase(replica, key);
        if lands {
            state.objects.put(replica, key);
        }
    }

    pub(crate) fn land_erasures(state: &mut State, lands: bool) {
        let late = std::mem::take(&mut state.late_erasures);
        if lands {
            late.iter().for_each(|(replica, key)| state.objects.erase(replica, key));
        }
    }

    /// Whether there are bytes that no record wants: of a replica that is erased.
    pub(crate) fn may_repair(&self, state: &State) -> bool {
        let is_orphan = |(replica, _): (usize, usize)| {
            state.durable.replicas[replica].is_some_and(|row| row.state == ReplicaState::Erased)
        };
        self.world.has(Guard::Repair) && state.objects.iter().any(is_orphan)
    }

    pub(crate) fn repair(state: &mut State) {
        for (replica, key) in state.objects.iter() {
            if state.durable.replicas[replica].is_some_and(|row| row.state == ReplicaState::Erased) {
                state.objects.erase(replica, key);
            }
        }
    }
}

/// The worker that is at work on the replica under its present lease.
fn holder(state: &State, replica: usize) -> Option<usize> {
    let owner = state.working.replicas[replica].and_then(|row| row.lease_owner)?;
    (state.workers[owner].replica() == Some(replica)).then_some(owner)
}

//! The way of a call: load, apply, commit, answer.

use crate::rows::{ReplicaRow, ReplicaState, Stage, Tables};
use crate::state::{Answer, Plan, Progress, State, Task};
use crate::steps::Model;
use crate::world::{Engine, Guard, Op};

/// The rows are not as the decision found them: `StoreError::Conflict`. The call is tried again.
pub(crate) struct Conflict;

impl Model {
    /// Whether a call may begin: with the fence, nobody is in the way.
    pub(crate) fn may_load(&self, state: &State, call: usize) -> bool {
        let is_open = |other: &usize| matches!(state.calls[*other], Progress::Loaded(_));
        let mut open = (0..state.calls.len()).filter(is_open);
        if !self.world.has(Guard::Fence) {
            return true;
        }
        match self.world.engine {
            Engine::Embedded => open.next().is_none(),
            Engine::Shared => !open.any(|other| self.meet(call, other)),
        }
    }

    /// Whether two calls lock the same image, and one of them alone.
    fn meet(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.world.calls[one], &self.world.calls[other]);
        let alone = |op| matches!(op, Op::Delete | Op::Restore);
        one.image == other.image && (alone(one.op) || alone(other.op))
    }

    /// Whether the turn is free, for those who take it for one step: workers, and the committer.
    pub(crate) fn turn_is_free(&self, state: &State) -> bool {
        self.world.engine == Engine::Shared
            || !self.world.has(Guard::Fence)
            || !state.calls.iter().any(|call| matches!(call, Progress::Loaded(_)))
    }

    /// Begins, locks, loads and decides.
    pub(crate) fn load(&self, state: &mut State, call: usize) {
        state.calls[call] = match self.decide(&state.working, call) {
            Ok(plan) => Progress::Loaded(plan),
            Err(refusal) if state.working == state.durable => {
                Progress::Answered(Answer::Refused { refusal, early: false })
            }
            Err(refusal) if self.world.has(Guard::DurableRefusal) => Progress::Refusing(refusal),
            Err(refusal) => {
                let early = self.decide(&state.durable, call) != Err(refusal);
                Progress::Answered(Answer::Refused { refusal, early })
            }
        };
    }

    /// Applies the plan and releases the transaction, or leaves it for another try.
    pub(crate) fn apply(&self, state: &mut State, call: usize) {
        let mut tables = state.working;
        let applied = match state.calls[call] {
            Progress::Loaded(plan) => self.apply_plan(&mut tables, call, plan),
            Progress::Half(plan) => {
                self.apply_rest(&mut tables, call, plan);
                Ok(None)
            }
            Progress::Waiting
            | Progress::Released
            | Progress::Refusing(_)
            | Progress::Durable
            | Progress::Answered(_)
            | Progress::Lost { .. } => unreachable!("a call without a plan applies nothing"),
        };
        state.calls[call] = match applied {
            Err(Conflict) => Progress::Waiting,
            Ok(rest) => {
                state.working = tables;
                if self.world.engine == Engine::Shared {
                    state.durable = tables;
                }
                match (rest, self.world.engine) {
                    (Some(rest), _) => Progress::Half(rest),
                    (None, _) if !self.world.has(Guard::DurableAnswer) => {
                        Progress::Answered(Answer::Accepted)
                    }
                    (None, Engine::Embedded) => Progress::Released,
                    (None, Engine::Shared) => Progress::Durable,
                }
            }
        };
    }

    /// What is to follow in a second transaction, where a guard is left out.
    fn apply_plan(&self, tables: &mut Tables, call: usize, plan: Plan) -> Result<Option<Plan>, Conflict> {
        let asked = &self.world.calls[call];
        match plan {
            Plan::Delete { grace, shares, .. } => {
                let row = &mut tables.images[asked.image];
                if row.deleted && self.world.has(Guard::Statement) {
                    return Err(Conflict);
                }
                (row.deleted, row.grace) = (true, grace);
                if shares {
                    (row.shared, row.share_kept) = (false, true);
                }
                tables.deletions = tables.deletions.with(call);
                if !self.world.has(Guard::TaskWithDelete) {
                    return Ok(Some(plan));
                }
                self.erase_all(tables, asked.image);
            }
            Plan::Launch => {
                tables.instances = tables.instances.with(call);
                if !self.world.has(Guard::UsageWithInstance) {
                    return Ok(Some(plan));
                }
                tables.usages = tables.usages.with(call);
            }
            Plan::Release => {
                let Op::Release(instance) = asked.op else { unreachable!("only a release releases") };
                tables.instances = tables.instances.without(instance);
                tables.usages = tables.usages.without(instance);
            }
            Plan::Share { add, remove } => {
                let row = &mut tables.images[asked.image];
                row.shared = add || row.shared && !remove;
            }
            Plan::Distribute { nothing: true, .. } => {}
            Plan::Distribute { source, refill, .. } => distribute(tables, asked.op, source, refill)?,
            Plan::CreateImage { source } => {
                let Op::CreateImage { replica, .. } = asked.op else {
                    unreachable!("only one makes an image")
                };
                tables.images[self.world.image_of(replica)].stage = Stage::Making;
                tables.replicas[replica] = Some(ReplicaRow::new(Some(source)));
            }
            Plan::Restore { deletion } => self.restore(tables, asked.image, deletion)?,
        }
        Ok(None)
    }

    /// The second transaction, where there should be one only.
    fn apply_rest(&self, tables: &mut Tables, call: usize, plan: Plan) {
        match plan {
            Plan::Delete { .. } => self.erase_all(tables, self.world.calls[call].image),
            Plan::Launch => tables.usages = tables.usages.with(call),
            Plan::Release
            | Plan::Share { .. }
            | Plan::Distribute { .. }
            | Plan::CreateImage { .. }
            | Plan::Restore { .. } => unreachable!("the others have no guard of this kind"),
        }
    }

    /// `replicas::erase_all`.
    fn erase_all(&self, tables: &mut Tables, image: usize) {
        for replica in 0..self.world.places.len() {
            let Some(row) = &mut tables.replicas[replica] else { continue };
            let is_own = self.world.image_of(replica) == image || !self.world.has(Guard::OwnReplicas);
            if is_own && !matches!(row.state, ReplicaState::Erasing | ReplicaState::Erased) {
                (row.state, row.tried, row.lease_owner) = (ReplicaState::Erasing, false, None);
            }
        }
    }

    /// `deletions::apply_restore`.
    fn restore(&self, tables: &mut Tables, image: usize, deletion: usize) -> Result<(), Conflict> {
        if tables.restored.has(deletion) || !tables.images[image].deleted {
            return Err(Conflict);
        }
        tables.restored = tables.restored.with(deletion);
        let row = &mut tables.images[image];
        (row.deleted, row.grace, row.shared, row.share_kept) = (false, false, row.share_kept, false);
        for replica in self.world.replicas_of(image) {
            let Some(row) = &mut tables.replicas[replica] else { continue };
            let untouched = row.state == ReplicaState::Erasing && !row.tried;
            if !untouched && self.world.has(Guard::Untouched) {
                return Err(Conflict);
            }
            let whole = row.filled || !self.world.has(Guard::WholeBytes);
            row.state = if whole { ReplicaState::Available } else { ReplicaState::Failed };
        }
        Ok(())
    }

    /// Makes the group durable: all who wait for it go on.
    pub(crate) fn commit(state: &mut State) {
        state.durable = state.working;
        for call in &mut state.calls {
            if let Progress::Refusing(refusal) = *call {
                *call = Progress::Answered(Answer::Refused { refusal, early: false });
            } else if *call == Progress::Released {
                *call = Progress::Durable;
            }
        }
        state.workers = state.workers.map(Task::durable);
    }

    /// The commit fails: all who wait for it are told, and nothing was done.
    pub(crate) fn lose_group(state: &mut State) {
        state.working = state.durable;
        for call in &mut state.calls {
            if matches!(call, Progress::Released | Progress::Refusing(_)) {
                *call = Progress::Answered(Answer::Unavailable);
            }
        }
        for task in &mut state.workers {
            if task.waits() {
                *task = Task::Idle;
            }
        }
    }

    /// Whether there is a group to commit.
    pub(crate) fn group_is_open(state: &State) -> bool {
        state.working != state.durable
            || state.calls.iter().any(|call| matches!(call, Progress::Released | Progress::Refusing(_)))
            || state.workers.iter().any(|task| task.waits())
    }
}

fn distribute(tables: &mut Tables, op: Op, source: usize, refill: bool) -> Result<(), Conflict> {
    let Op::Distribute(replica) = op else { unreachable!("only a distribution distributes") };
    match &mut tables.replicas[replica] {
        Some(row) if refill && row.state == ReplicaState::Failed => {
            (row.state, row.source, row.tried) = (ReplicaState::Copying, Some(source), false);
        }
        slot @ None => *slot = Some(ReplicaRow::new(Some(source))),
        Some(_) => return Err(Conflict),
    }
    Ok(())
}

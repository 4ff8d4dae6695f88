//! The steps that each state allows, for the checker.

use stateright::Property;

use crate::facts::Names;
use crate::properties::{Asked, properties};
use crate::rows::{ImageRow, Objects, ReplicaRow, Stage, Tables};
use crate::state::{Action, Progress, REGIONS_MAX, State, Task, WORKERS};
use crate::world::{Engine, First, World};

/// A world, the names of what is in it, and what the checker is asked about it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) world: World,
    pub(crate) names: Names,
    pub(crate) asked: Asked,
}

impl Model {
    pub(crate) fn of(world: World) -> Self {
        Self { names: Names::of(&world), world, asked: Asked::Everything }
    }

    fn actions_of_calls(&self, state: &State, actions: &mut Vec<Action>) {
        for (call, progress) in state.calls.iter().enumerate() {
            match progress {
                Progress::Waiting if self.may_load(state, call) => actions.push(Action::Load(call)),
                Progress::Loaded(_) => actions.push(Action::Apply(call)),
                Progress::Half(_) if self.turn_is_free(state) => actions.push(Action::Apply(call)),
                Progress::Durable => actions.push(Action::Answer(call)),
                Progress::Waiting
                | Progress::Half(_)
                | Progress::Released
                | Progress::Refusing(_)
                | Progress::Answered(_)
                | Progress::Lost { .. } => {}
            }
        }
        if self.world.engine == Engine::Embedded && Self::group_is_open(state) && self.turn_is_free(state) {
            actions.push(Action::Commit);
            if state.faults.lost_groups > 0 {
                actions.push(Action::LoseGroup);
            }
        }
    }

    fn actions_of_workers(&self, state: &State, actions: &mut Vec<Action>) {
        let turn = self.turn_is_free(state);
        for (worker, task) in state.workers.iter().enumerate() {
            if *task == Task::Idle && turn {
                let claimed = (0..self.world.places.len()).filter(|replica| self.may_claim(state, *replica));
                actions.extend(claimed.map(|replica| Action::Claim { worker, replica }));
            }
            if self.may_work(state, *task) {
                actions.push(Action::Work(worker));
            }
            let recorded = matches!(task, Task::Filled { .. } | Task::Starved { .. } | Task::Erased { .. });
            if recorded && turn {
                actions.push(Action::Record(worker));
            }
            let begun = matches!(task, Task::Fill { durable: true, .. } | Task::Erase { durable: true, .. });
            if begun && turn && state.faults.retries > 0 {
                actions.push(Action::Retry(worker));
            }
            let filling = matches!(task, Task::Fill { durable: true, .. });
            if filling && turn && state.faults.failures > 0 {
                actions.push(Action::Fail(worker));
            }
        }
    }

    fn actions_of_failures(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(
            (0..self.world.servers()).filter(|server| self.may_crash(state, *server)).map(Action::Crash),
        );
        let replicas = 0..self.world.places.len();
        actions.extend(replicas.filter(|replica| self.may_end_lease(state, *replica)).map(Action::LeaseEnds));
        for (image, row) in state.working.images.iter().enumerate() {
            if row.grace {
                actions.push(Action::GraceEnds(image));
            }
        }
        for (region, away) in state.away.iter().enumerate() {
            if *away {
                actions.push(Action::RegionComes(region));
            } else if state.faults.aways > 0 && self.world.places.iter().any(|place| place.region == region) {
                actions.push(Action::RegionGoes(region));
            }
        }
        for (replica, key) in state.late_writes.iter() {
            actions.extend([true, false].map(|lands| Action::LateWrite { replica, key, lands }));
        }
        if state.late_erasures != Objects::default() {
            actions.extend([true, false].map(|lands| Action::LateErasures { lands }));
        }
        if self.may_repair(state) {
            actions.push(Action::Repair);
        }
    }
}

impl stateright::Model for Model {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut tables = Tables::default();
        let present = ImageRow { stage: Stage::Available, ..ImageRow::default() };
        for (replica, place) in self.world.places.iter().enumerate() {
            let row = match place.first {
                First::Absent => continue,
                First::Copying => ReplicaRow::new(None),
                First::Available => ReplicaRow::available(),
                First::Failed => ReplicaRow::failed(),
            };
            tables.replicas[replica] = Some(row);
            tables.images[place.image] = match place.first {
                First::Copying => ImageRow { stage: Stage::Making, ..present },
                First::Absent | First::Available | First::Failed => present,
            };
        }
        tables.images[0].shared = self.world.shared;
        let mut objects = Objects::default();
        for (replica, row) in tables.replicas.iter().enumerate() {
            if row.is_some_and(|row| row.filled) {
                objects.put(replica, 1);
            }
        }
        vec![State {
            durable: tables,
            working: tables,
            calls: vec![Progress::Waiting; self.world.calls.len()],
            workers: [Task::Idle; WORKERS],
            objects,
            late_writes: Objects::default(),
            late_erasures: Objects::default(),
            away: [false; REGIONS_MAX],
            faults: self.world.faults,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.actions_of_calls(state, actions);
        self.actions_of_workers(state, actions);
        self.actions_of_failures(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        let state = &mut next;
        match action {
            Action::Load(call) => self.load(state, call),
            Action::Apply(call) => self.apply(state, call),
            Action::Answer(call) => state.calls[call] = Progress::Answered(crate::state::Answer::Accepted),
            Action::Commit => Self::commit(state),
            Action::LoseGroup => {
                state.faults.lost_groups -= 1;
                Self::lose_group(state);
            }
            Action::Claim { worker, replica } => self.claim(state, worker, replica),
            Action::Work(worker) => self.work(state, worker),
            Action::Record(worker) => self.record(state, worker),
            Action::Retry(worker) => {
                state.faults.retries -= 1;
                self.retry(state, worker);
            }
            Action::Fail(worker) => {
                state.faults.failures -= 1;
                self.fail(state, worker);
            }
            Action::Crash(server) => self.crash(state, server),
            Action::LeaseEnds(replica) => Self::end_lease(state, replica),
            Action::GraceEnds(image) => Self::end_grace(state, image),
            Action::RegionGoes(region) => {
                state.faults.aways -= 1;
                state.away[region] = true;
            }
            Action::RegionComes(region) => state.away[region] = false,
            Action::LateWrite { replica, key, lands } => Self::land_write(state, replica, key, lands),
            Action::LateErasures { lands } => Self::land_erasures(state, lands),
            Action::Repair => Self::repair(state),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties(self.asked)
    }
}

//! What must hold in every state, and what must happen in some.

use stateright::{Model as _, Property};

use crate::rows::{ReplicaState, Stage, Tables};
use crate::state::{Answer, Progress, Refusal, State, Task};
use crate::steps::Model;
use crate::world::{First, Op};
use crate::worlds::{Kind, bytes, calls, deletes, restores};

/// What must hold in every state, by its name.
pub(crate) const ALWAYS: [Claim; 9] = [
    ("inv1_no_use_of_a_deleted_image", |model, state| both(state, |tables| no_dangling_use(model, tables))),
    ("inv2_acknowledged_is_kept", acknowledged_is_kept),
    ("inv2_refused_changed_nothing", refused_changed_nothing),
    ("inv2_answers_rest_on_what_is_durable", answers_rest_on_what_is_durable),
    ("inv4_bytes_of_live_images_are_there", |model, state| {
        both(state, |tables| bytes_are_there(model, state, tables))
    }),
    ("inv4_copies_find_their_source", copies_find_their_source),
    ("inv4_deleted_is_erased_in_the_end", |model, state| !model.is_end(state) || all_is_erased(model, state)),
    ("inv5_one_delete_at_most", |model, state| {
        both(state, |tables| one_delete_at_most(model, state, tables))
    }),
    ("inv5_one_of_several_deletes_succeeds", |model, state| {
        !model.is_end(state) || one_succeeds(model, state)
    }),
];

/// What must be reachable, or the rest says nothing, and in which kind of world it is.
pub(crate) const SOMETIMES: [(Kind, Claim); 12] = [
    (
        calls,
        ("a delete is accepted", |model, state| {
            ended(model, state, Op::Delete, Progress::Answered(Answer::Accepted))
        }),
    ),
    (
        calls,
        ("a delete is refused because of a use", |model, state| {
            refused(model, state, Op::Delete, Refusal::InUse)
        }),
    ),
    (
        deletes,
        ("a delete is refused because another one was first", |model, state| {
            refused(model, state, Op::Delete, Refusal::NotFound)
        }),
    ),
    (
        bytes,
        ("a delete is refused while a copy is made", |model, state| {
            refused(model, state, Op::Delete, Refusal::Making)
        }),
    ),
    (
        calls,
        ("a launch is refused because of a delete", |model, state| {
            refused(model, state, Op::Launch, Refusal::NotFound)
        }),
    ),
    (
        restores,
        ("a restore comes too late", |model, state| refused(model, state, Op::Restore, Refusal::Lost)),
    ),
    (
        restores,
        ("a restore is accepted", |model, state| {
            ended(model, state, Op::Restore, Progress::Answered(Answer::Accepted))
        }),
    ),
    (
        deletes,
        ("a process dies between the commit of a delete and its answer", |model, state| {
            ended(model, state, Op::Delete, Progress::Lost { durable: true })
        }),
    ),
    (
        deletes,
        ("a process dies with a delete that is not committed", |model, state| {
            ended(model, state, Op::Delete, Progress::Lost { durable: false })
        }),
    ),
    (
        deletes,
        ("a group is lost and its callers are told", |model, state| {
            ended(model, state, Op::Delete, Progress::Answered(Answer::Unavailable))
        }),
    ),
    (
        bytes,
        ("bytes are erased everywhere after a region was away", |model, state| {
            erased_after_a_region_was_away(model, state)
        }),
    ),
    (bytes, ("a task is taken over from a worker that stands still", |_, state| taken_over(state))),
];

/// A property: its name and its condition.
pub(crate) type Claim = (&'static str, fn(&Model, &State) -> bool);

/// What the checker is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// Whether all of [`ALWAYS`] hold.
    Everything,
    /// Whether one thing holds always.
    Always(Claim),
    /// Whether one thing holds in some state.
    Sometimes(Claim),
}

/// The properties for the checker.
pub(crate) fn properties(asked: Asked) -> Vec<Property<Model>> {
    let always = |(name, condition): &Claim| Property::always(name, *condition);
    match asked {
        Asked::Everything => ALWAYS.iter().map(always).collect(),
        Asked::Always(claim) => vec![always(&claim)],
        Asked::Sometimes((name, condition)) => vec![Property::sometimes(name, condition)],
    }
}

/// Whether it holds for what is durable, and for what would be.
fn both(state: &State, condition: impl Fn(&Tables) -> bool) -> bool {
    condition(&state.durable) && (state.working == state.durable || condition(&state.working))
}

fn no_dangling_use(model: &Model, tables: &Tables) -> bool {
    let used = |call: usize| !tables.images[model.world.calls[call].image].deleted;
    let shares = tables.images.iter().all(|row| !(row.shared && row.deleted));
    shares && tables.instances.iter().all(used) && tables.usages.iter().all(used)
}

/// What was acknowledged is on disk, unless a later call has ended it.
fn acknowledged_is_kept(model: &Model, state: &State) -> bool {
    let tables = &state.durable;
    (0..state.calls.len()).filter(|call| state.calls[*call] == Progress::Answered(Answer::Accepted)).all(
        |call| {
            let asked = &model.world.calls[call];
            match asked.op {
                Op::Delete => {
                    let kept = tables.images[asked.image].deleted || tables.restored.has(call);
                    tables.deletions.has(call) && kept
                }
                Op::Launch => {
                    let mut releases = model.world.calls_for(asked.image, Op::Release(call));
                    tables.instances.has(call)
                        || releases.any(|release| state.calls[release] != Progress::Waiting)
                }
                Op::Release(_)
                | Op::Share
                | Op::Unshare
                | Op::Distribute(_)
                | Op::CreateImage { .. }
                | Op::Restore => true,
            }
        },
    )
}

/// No row bears the name of a call that was refused.
fn refused_changed_nothing(model: &Model, state: &State) -> bool {
    let written = |call: usize| {
        both(state, |tables| match model.world.calls[call].op {
            Op::CreateImage { replica, .. } => tables.replicas[replica].is_none(),
            Op::Delete | Op::Launch => !tables.deletions.has(call) && !tables.instances.has(call),
            Op::Release(_) | Op::Share | Op::Unshare | Op::Distribute(_) | Op::Restore => true,
        })
    };
    (0..state.calls.len()).filter(|call| state.calls[*call].is_refused()).all(written)
}

fn answers_rest_on_what_is_durable(_: &Model, state: &State) -> bool {
    !state.calls.iter().any(|call| matches!(call, Progress::Answered(Answer::Refused { early: true, .. })))
}

/// Every replica of a live image that ever had its bytes has them.
fn bytes_are_there(model: &Model, state: &State, tables: &Tables) -> bool {
    (0..model.world.places.len()).all(|replica| {
        let live = tables.images[model.world.image_of(replica)].is_live();
        let row = tables.replicas[replica]
            .filter(|row| live && (row.filled || row.state == ReplicaState::Available));
        row.is_none_or(|row| state.objects.has(replica, row.key))
    })
}

/// Whoever still holds the lease of a copy finds the bytes that it is made from.
fn copies_find_their_source(model: &Model, state: &State) -> bool {
    !state.workers.iter().enumerate().any(|(worker, task)| match *task {
        Task::Starved { replica, attempt } => {
            model.is_held(&state.working, worker, replica, attempt, ReplicaState::Copying)
        }
        Task::Idle
        | Task::Fill { .. }
        | Task::Filled { .. }
        | Task::Discard { .. }
        | Task::Erase { .. }
        | Task::Erased { .. } => false,
    })
}

fn one_delete_at_most(model: &Model, state: &State, tables: &Tables) -> bool {
    (0..tables.images.len()).all(|image| {
        let standing = |call: &usize| tables.deletions.has(*call) && !tables.restored.has(*call);
        let deletions = model.world.calls_for(image, Op::Delete).filter(standing).count();
        let accepted = |call: &usize| state.calls[*call] == Progress::Answered(Answer::Accepted);
        let told = model.world.calls_for(image, Op::Delete).filter(accepted).count();
        let restored = tables.restored.iter().filter(|call| model.world.calls[*call].image == image).count();
        deletions <= usize::from(tables.images[image].deleted) && told <= 1 + restored
    })
}

/// In the end, if nothing stood in the way of the deletes of an image but each other, one has succeeded.
fn one_succeeds(model: &Model, state: &State) -> bool {
    let is_met = |progress: Progress| match progress {
        Progress::Answered(Answer::Accepted | Answer::Refused { refusal: Refusal::NotFound, .. }) => true,
        Progress::Answered(Answer::Refused { .. } | Answer::Unavailable)
        | Progress::Waiting
        | Progress::Loaded(_)
        | Progress::Half(_)
        | Progress::Released
        | Progress::Refusing(_)
        | Progress::Durable
        | Progress::Lost { .. } => false,
    };
    (0..state.durable.images.len()).all(|image| {
        let deletes: Vec<Progress> =
            model.world.calls_for(image, Op::Delete).map(|call| state.calls[call]).collect();
        let accepted = deletes.contains(&Progress::Answered(Answer::Accepted));
        // One that a call makes can be asked for before it is there.
        let places = model.world.replicas_of(image).map(|replica| model.world.places[replica].first);
        let made_later = places.into_iter().all(|first| first == First::Absent);
        made_later || deletes.is_empty() || accepted || !deletes.into_iter().all(is_met)
    })
}

/// In the end every call is over, no task is left, and of deleted images nothing is.
fn all_is_erased(model: &Model, state: &State) -> bool {
    let replicas = |replica: usize| {
        let Some(row) = state.durable.replicas[replica] else { return !state.objects.any_of(replica) };
        let image = &state.durable.images[model.world.image_of(replica)];
        match (image.deleted, row.state) {
            (true, ReplicaState::Erased) => !state.objects.any_of(replica),
            (false, ReplicaState::Available | ReplicaState::Failed) => image.stage != Stage::Making,
            (
                true,
                ReplicaState::Copying
                | ReplicaState::Available
                | ReplicaState::Failed
                | ReplicaState::Erasing,
            )
            | (false, ReplicaState::Copying | ReplicaState::Erasing | ReplicaState::Erased) => false,
        }
    };
    state.calls.iter().all(|call| call.is_over()) && (0..model.world.places.len()).all(replicas)
}

impl Model {
    /// Whether nothing can happen any more.
    fn is_end(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.is_empty()
    }
}

/// Whether a call of this kind has ended so.
fn ended(model: &Model, state: &State, op: Op, end: Progress) -> bool {
    (0..state.calls.len()).any(|call| model.world.calls[call].op == op && state.calls[call] == end)
}

fn refused(model: &Model, state: &State, op: Op, refusal: Refusal) -> bool {
    ended(model, state, op, Progress::Answered(Answer::Refused { refusal, early: false }))
}

fn erased_after_a_region_was_away(model: &Model, state: &State) -> bool {
    let was_away = state.faults.aways < model.world.faults.aways;
    was_away && state.durable.images[0].deleted && model.is_end(state)
}

fn taken_over(state: &State) -> bool {
    let [one, other] = state.workers.map(Task::replica);
    one.is_some() && one == other
}

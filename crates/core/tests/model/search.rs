//! Runs the checker, and prints what it has found.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Instant;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::properties::{ALWAYS, Asked, Claim};
use crate::state::{Action, State};
use crate::steps::Model;
use crate::world::{Engine, Guard, World};
use crate::worlds::{Kind, small};

/// Threads that look at once.
const THREADS: usize = 2;

/// The longest counterexample of a negative control, in steps.
const STEPS_MAX: usize = 40;

/// Checks that every property holds in every state of the world.
pub(crate) fn holds(world: World) {
    let (title, begun) = (title(&world), now());
    let model = Model::of(world);
    let checker =
        model.clone().checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for (name, path) in checker.discoveries() {
        print(&model, name, &path.into_actions());
    }
    assert!(checker.discoveries().is_empty(), "{title}: a counterexample, printed above");
    println!(
        "{title}: {} states, {} steps, the farthest state after {} of them; {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth() - 1,
        begun.elapsed().as_secs_f64()
    );
}

/// Checks that without these guards the property fails, and prints a shortest counterexample.
pub(crate) fn goes_wrong(of: Kind, engine: Engine, off: &[Guard], property: &'static str) {
    let world = small(of, engine, off);
    let title = title(&world);
    let model = Model { asked: Asked::Always(claim(property)), ..Model::of(world) };
    // One step farther each time: what is found first is shortest.
    let found = (2..STEPS_MAX + 2).find_map(|depth| {
        let checker = model.clone().checker().target_max_depth(depth).spawn_bfs().join();
        checker.discovery(property).map(|path| (path.into_actions(), checker.unique_state_count()))
    });
    let (actions, states) =
        found.unwrap_or_else(|| panic!("{title}: nothing goes wrong in {STEPS_MAX} steps"));
    println!("{title}: wrong after {} steps, among {states} states", actions.len());
    print(&model, property, &actions);
}

/// Checks that one property holds without these guards: another line holds it.
pub(crate) fn holds_for_one(of: Kind, engine: Engine, off: &[Guard], property: &'static str) {
    let world = small(of, engine, off);
    let title = title(&world);
    let model = Model { asked: Asked::Always(claim(property)), ..Model::of(world) };
    let checker = model.checker().threads(THREADS).spawn_bfs().join();
    assert!(checker.discovery(property).is_none(), "{title}: {property} does not hold");
    println!("{title}: {property} holds; {} states", checker.unique_state_count());
}

/// Whether the world has a state that is looked for.
pub(crate) fn is_reachable(world: World, looked_for: Claim) -> bool {
    let title = title(&world);
    let model = Model { asked: Asked::Sometimes(looked_for), ..Model::of(world) };
    let found = model.checker().spawn_bfs().join().discovery(looked_for.0);
    if let Some(path) = &found {
        println!("{title}: {} after {} steps", looked_for.0, path.clone().into_actions().len());
    }
    found.is_some()
}

/// The property of this name.
fn claim(property: &str) -> Claim {
    *ALWAYS.iter().find(|(name, _)| *name == property).expect("a property of the model")
}

/// Checks that no run comes back to a state: each step is one nearer to the end.
pub(crate) fn every_run_ends(world: World) {
    let title = title(&world);
    let model = Model::of(world);
    let hashes = RandomState::new();
    // The states that were met, and whether each is on the path that is being followed.
    let mut met: HashMap<u64, bool> = HashMap::new();
    let mut path: Vec<(u64, Vec<State>)> = Vec::new();
    let mut ahead = model.init_states();
    loop {
        if let Some(state) = ahead.pop() {
            let hash = hashes.hash_one(&state);
            match met.insert(hash, true) {
                Some(true) => panic!("{title}: a run comes back to {state:?}"),
                Some(false) => drop(met.insert(hash, false)),
                None => {
                    path.push((hash, ahead));
                    ahead = model.next_states(&state);
                }
            }
        } else if let Some((done, beside)) = path.pop() {
            met.insert(done, false);
            ahead = beside;
        } else {
            break;
        }
    }
    println!("{title}: every run ends; {} states", met.len());
}

fn title(world: &World) -> String {
    let without = if world.off.is_empty() { String::new() } else { format!(" without {:?}", world.off) };
    format!("{} ({:?}){without}", world.name, world.engine)
}

fn print(model: &Model, property: &str, actions: &[Action]) {
    println!("  {property}");
    for action in actions {
        println!("    {}", told(model, *action));
    }
}

/// The step with the call that makes it.
fn told(model: &Model, action: Action) -> String {
    match action {
        Action::Load(call) | Action::Apply(call) | Action::Answer(call) => {
            let asked = &model.world.calls[call];
            format!("{action:?}: {:?} of m-{} by {:?}", asked.op, asked.image, asked.by)
        }
        Action::Commit
        | Action::LoseGroup
        | Action::Claim { .. }
        | Action::Work(_)
        | Action::Record(_)
        | Action::Retry(_)
        | Action::Fail(_)
        | Action::Crash(_)
        | Action::LeaseEnds(_)
        | Action::GraceEnds(_)
        | Action::RegionGoes(_)
        | Action::RegionComes(_)
        | Action::LateWrite { .. }
        | Action::LateErasures { .. }
        | Action::Repair => format!("{action:?}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the checker itself")]
fn now() -> Instant {
    Instant::now()
}

//! The worlds that are checked, each with its bounds.

use crate::world::{
    Account, BLOCKING, CASCADING, Call, Engine, Faults, First, Guard, NO_FAULTS, Op, Place, World, others,
    own,
};

/// How far the bounds reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// A few seconds: with every test run.
    Short,
    /// Minutes.
    Long,
}

const fn place(image: usize, region: usize, first: First) -> Place {
    Place { image, region, first }
}

/// One available replica and nothing else.
fn plain(name: &'static str, engine: Engine) -> World {
    World {
        name,
        engine,
        rules: CASCADING,
        shared: false,
        places: vec![place(0, 0, First::Available)],
        calls: Vec::new(),
        faults: NO_FAULTS,
        grace: false,
        // Only a store beyond the network does what a dead process has asked for.
        late: engine == Engine::Shared,
        off: Vec::new(),
    }
}

/// Three deletes, and nothing else.
pub(crate) fn deletes(engine: Engine, size: Size) -> World {
    let mut calls = vec![own(Op::Delete); 3];
    if size == Size::Long {
        calls.push(own(Op::Delete));
    }
    World { calls, faults: Faults { crashes: 1, lost_groups: 1, ..NO_FAULTS }, ..plain("deletes", engine) }
}

/// Two deletes, a launch by the account that the image is shared with, its release, and the share.
pub(crate) fn calls(engine: Engine, size: Size) -> World {
    let mut calls =
        vec![own(Op::Delete), own(Op::Delete), others(Op::Launch), own(Op::Release(2)), own(Op::Unshare)];
    let faults = Faults { crashes: 1, lost_groups: 1, ..NO_FAULTS };
    if size == Size::Long {
        calls.extend([own(Op::Launch), own(Op::Share)]);
    }
    let rules = if engine == Engine::Embedded { CASCADING } else { BLOCKING };
    World { rules, shared: true, calls, faults, ..plain("calls", engine) }
}

/// A delete, and a distribution to a second region: bytes are copied and erased.
pub(crate) fn bytes(engine: Engine, size: Size) -> World {
    let mut calls = vec![own(Op::Delete), own(Op::Distribute(1))];
    let mut faults = Faults { crashes: 1, pauses: 1, aways: 1, retries: 1, ..NO_FAULTS };
    if size == Size::Long {
        calls.push(own(Op::Delete));
        faults = Faults { failures: 1, ..faults };
    }
    World {
        places: vec![place(0, 0, First::Available), place(0, 1, First::Absent)],
        calls,
        faults,
        ..plain("bytes", engine)
    }
}

/// An image whose first replica is still to be filled: a delete meets its making.
pub(crate) fn making(engine: Engine, size: Size) -> World {
    let mut calls = vec![own(Op::Delete), own(Op::Delete)];
    let faults = Faults { crashes: 1, pauses: 1, retries: 1, failures: 1, ..NO_FAULTS };
    if size == Size::Long {
        calls.push(own(Op::Distribute(1)));
    }
    World {
        places: vec![place(0, 0, First::Copying), place(0, 1, First::Absent)],
        calls,
        faults,
        ..plain("making", engine)
    }
}

/// A second image that is made of an instance of the first: its bytes are copied while the first is deleted.
pub(crate) fn copies(engine: Engine, size: Size) -> World {
    let second = Call { by: Account::Owner, op: Op::Delete, image: 1 };
    let make = Op::CreateImage { instance: 0, replica: 1 };
    let calls = vec![own(Op::Launch), own(Op::Release(0)), own(make), own(Op::Delete), second];
    let mut faults = Faults { crashes: 1, ..NO_FAULTS };
    if size == Size::Long {
        faults = Faults { pauses: 1, aways: 1, failures: 1, ..faults };
    }
    World {
        places: vec![place(0, 0, First::Available), place(1, 1, First::Absent)],
        calls,
        faults,
        ..plain("copies", engine)
    }
}

/// A delete with a grace period, a restore, a second delete and a launch; in one region the bytes were
/// never whole.
pub(crate) fn restores(engine: Engine, size: Size) -> World {
    let mut calls = vec![own(Op::Delete), own(Op::Restore), own(Op::Delete)];
    let mut faults = Faults { crashes: 1, pauses: 1, ..NO_FAULTS };
    if size == Size::Long {
        calls.push(others(Op::Launch));
        faults = Faults { lost_groups: 1, ..faults };
    }
    World {
        grace: true,
        shared: true,
        places: vec![place(0, 0, First::Available), place(0, 1, First::Failed)],
        calls,
        faults,
        ..plain("restores", engine)
    }
}

/// A kind of world.
pub(crate) type Kind = fn(Engine, Size) -> World;

/// All kinds.
pub(crate) const KINDS: [Kind; 6] = [deletes, calls, bytes, making, copies, restores];

/// Both forms of an installation.
pub(crate) const ENGINES: [Engine; 2] = [Engine::Embedded, Engine::Shared];

/// A world without these guards, and with the faults only that negative controls need.
pub(crate) fn small(of: Kind, engine: Engine, off: &[Guard]) -> World {
    let world = of(engine, Size::Short);
    World {
        faults: Faults { aways: 0, retries: 0, lost_groups: 0, ..world.faults },
        off: off.to_vec(),
        ..world
    }
}

//! What is in a model: things, calls, and how much may go wrong.

use calotype_core::delete_image::DeleteRules;

/// ENS: shares go with the image.
pub(crate) const CASCADING: DeleteRules = DeleteRules { outgoing_shares_block: false, templates_go: false };
/// App Streaming: shares keep the image.
pub(crate) const BLOCKING: DeleteRules = DeleteRules { outgoing_shares_block: true, templates_go: true };

/// Where the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// In the one process: transactions take turns, and commits are shared by groups. What dies is all of it.
    Embedded,
    /// In a database that two processes share: transactions lock the image they are about, and each commit
    /// is durable when it is seen. A process dies alone.
    Shared,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// The owner of every image.
    Owner,
    /// The one that images are shared with.
    Other,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Delete,
    Launch,
    /// Release what that call has launched.
    Release(usize),
    Share,
    Unshare,
    /// Bring the image to the region of this replica.
    Distribute(usize),
    /// Make the other image, with this replica, of the instance which that call has launched.
    CreateImage {
        instance: usize,
        replica: usize,
    },
    Restore,
}

/// A call: it is made once, at any time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) by: Account,
    pub(crate) op: Op,
    pub(crate) image: usize,
}

/// A call of the owner's about the first image.
pub(crate) const fn own(op: Op) -> Call {
    Call { by: Account::Owner, op, image: 0 }
}

/// A call of the other account's about the first image.
pub(crate) const fn others(op: Op) -> Call {
    Call { by: Account::Other, op, image: 0 }
}

/// How a replica is at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// There is none: a call makes it.
    Absent,
    /// To be filled, from outside.
    Copying,
    Available,
    Failed,
}

/// A replica: whose bytes, where, and how at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) image: usize,
    pub(crate) region: usize,
    pub(crate) first: First,
}

/// How often each thing may go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// A process is killed, and begins anew.
    pub(crate) crashes: u8,
    /// A worker stands still until its lease is over.
    pub(crate) pauses: u8,
    /// A region goes away, and comes back.
    pub(crate) aways: u8,
    /// An attempt fails and is tried again.
    pub(crate) retries: u8,
    /// A fill fails for good.
    pub(crate) failures: u8,
    /// The commit of a group fails: the disk is full.
    pub(crate) lost_groups: u8,
}

/// Nothing goes wrong.
pub(crate) const NO_FAULTS: Faults =
    Faults { crashes: 0, pauses: 0, aways: 0, retries: 0, failures: 0, lost_groups: 0 };

/// What keeps the invariants: each a line or a condition of the code that can be left out here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// `images::lock`, or the writer's turn: facts are read after it.
    Fence,
    /// `AND deleted_ms IS NULL` in `apply_delete`: the statement repeats the decision.
    Statement,
    /// The usage is written in the transaction that launches the instance.
    UsageWithInstance,
    /// The replicas go to `erasing` in the transaction that deletes the image.
    TaskWithDelete,
    /// `erase_all` names the replicas of the image that is deleted.
    OwnReplicas,
    /// `commit` returns when the group is on disk.
    DurableAnswer,
    /// A refusal that rests on what is not on disk yet waits until it is.
    DurableRefusal,
    /// A claim is on disk before the bytes are touched.
    DurableClaim,
    /// `claim_erasures` takes bytes of deleted images only.
    OnlyDeleted,
    /// `claim_erasures` leaves bytes that a copy is still being made from.
    CopiesFirst,
    /// `record_*` ask for the attempt and the owner of the lease.
    Attempt,
    /// Every attempt writes under a key of its own.
    FreshKeys,
    /// What is erased is every key that was ever written under.
    EveryKey,
    /// A lease ends by itself, with the worker that had it dead.
    LeaseEnds,
    /// `restore_all` takes only replicas that no worker was sent to erase.
    Untouched,
    /// A restored replica is `available` only if its bytes were ever whole.
    WholeBytes,
    /// `calotype check --repair` erases bytes that no record wants.
    Repair,
}

/// A model: what there is, what is asked, what goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) engine: Engine,
    pub(crate) rules: DeleteRules,
    /// Whether the first image is shared with the other account at first.
    pub(crate) shared: bool,
    pub(crate) places: Vec<Place>,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Faults,
    /// Whether there is a grace period.
    pub(crate) grace: bool,
    /// Whether writes and erasures of a dead process can still land, as they can in a store beyond the network.
    pub(crate) late: bool,
    /// The guards that are left out.
    pub(crate) off: Vec<Guard>,
}

impl World {
    /// Whether the guard is in its place.
    pub(crate) fn has(&self, guard: Guard) -> bool {
        !self.off.contains(&guard)
    }

    /// The process that a call comes to.
    pub(crate) fn server_of_call(&self, call: usize) -> usize {
        call % self.servers()
    }

    /// The process that a worker is part of.
    pub(crate) fn server_of_worker(&self, worker: usize) -> usize {
        worker % self.servers()
    }

    pub(crate) fn servers(&self) -> usize {
        match self.engine {
            Engine::Embedded => 1,
            Engine::Shared => 2,
        }
    }

    /// The image whose bytes a replica is.
    pub(crate) fn image_of(&self, replica: usize) -> usize {
        self.places[replica].image
    }

    /// The replicas of an image.
    pub(crate) fn replicas_of(&self, image: usize) -> impl Iterator<Item = usize> {
        (0..self.places.len()).filter(move |replica| self.image_of(*replica) == image)
    }

    /// The calls about an image that ask for this.
    pub(crate) fn calls_for(&self, image: usize, op: Op) -> impl Iterator<Item = usize> {
        (0..self.calls.len())
            .filter(move |call| self.calls[*call].image == image && self.calls[*call].op == op)
    }
}

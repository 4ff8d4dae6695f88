//! The state of the whole: rows twice, calls and workers on their way, bytes.

use crate::rows::{Objects, Set, Tables};
use crate::world::Faults;

/// What an accepted decision will do; small, because every state that waits for it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Plan {
    /// The replicas of the delete's plan, whether it has shares, and when the bytes may be erased.
    Delete {
        replicas: Set,
        shares: bool,
        grace: bool,
    },
    Launch,
    Release,
    /// Whether the share is added or removed; nothing, if it is as wanted.
    Share {
        add: bool,
        remove: bool,
    },
    /// The replica to copy from, and whether the destination is refilled rather than made.
    Distribute {
        source: usize,
        refill: bool,
        nothing: bool,
    },
    CreateImage {
        source: usize,
    },
    /// The deletion to take back.
    Restore {
        deletion: usize,
    },
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    NotFound,
    /// Another account's, or public.
    NotOwner,
    Making,
    SharedOut,
    InUse,
    /// The restore comes too late: bytes are being erased.
    Lost,
    /// There is nothing to distribute, release, copy or restore.
    Nothing,
}

/// What the caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Accepted,
    /// `early`: what is on disk would have given another answer.
    Refused {
        refusal: Refusal,
        early: bool,
    },
    /// The store could not serve: its group was not committed.
    Unavailable,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    /// Not begun, or to be tried again after it met another transaction.
    Waiting,
    /// Begun, locked, loaded, decided: the transaction is open.
    Loaded(Plan),
    /// Only where a guard is left out: a first transaction is done, a second one is to follow.
    Half(Plan),
    /// Its transaction is released; it waits for the commit of its group.
    Released,
    /// Refused; it waits until what it saw is on disk.
    Refusing(Refusal),
    /// On disk; the answer is on its way.
    Durable,
    Answered(Answer),
    /// The process died before the answer; `durable`: after the commit.
    Lost {
        durable: bool,
    },
}

impl Progress {
    /// Whether nothing more comes of it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Answered(_) | Self::Lost { .. })
    }

    pub(crate) fn is_refused(self) -> bool {
        matches!(self, Self::Answered(Answer::Refused { .. }))
    }
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    #[default]
    Idle,
    /// Claimed a replica to fill, under this key; `durable`: the claim is on disk.
    Fill { replica: usize, attempt: u8, key: usize, durable: bool },
    /// The bytes are written.
    Filled { replica: usize, attempt: u8, key: usize },
    /// The bytes to copy were gone.
    Starved { replica: usize, attempt: u8 },
    /// The bytes that were written turned out to be nobody's.
    Discard { replica: usize, key: usize },
    /// Claimed a replica to erase, with the keys up to this one.
    Erase { replica: usize, attempt: u8, keys: usize, durable: bool },
    /// The bytes are erased.
    Erased { replica: usize, attempt: u8 },
}

impl Task {
    /// The replica that the worker holds a lease on.
    pub(crate) fn replica(self) -> Option<usize> {
        match self {
            Self::Idle | Self::Discard { .. } => None,
            Self::Fill { replica, .. }
            | Self::Filled { replica, .. }
            | Self::Starved { replica, .. }
            | Self::Erase { replica, .. }
            | Self::Erased { replica, .. } => Some(replica),
        }
    }

    /// The same with its claim on disk.
    pub(crate) fn durable(self) -> Self {
        match self {
            Self::Fill { replica, attempt, key, .. } => Self::Fill { replica, attempt, key, durable: true },
            Self::Erase { replica, attempt, keys, .. } => {
                Self::Erase { replica, attempt, keys, durable: true }
            }
            Self::Idle
            | Self::Filled { .. }
            | Self::Starved { .. }
            | Self::Discard { .. }
            | Self::Erased { .. } => self,
        }
    }

    /// Whether its claim waits for the commit of its group.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Fill { durable: false, .. } | Self::Erase { durable: false, .. })
    }
}

/// Workers: one in each process where there are two, else two in the one.
pub(crate) const WORKERS: usize = 2;

/// Regions, at most.
pub(crate) const REGIONS_MAX: usize = 2;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The rows that outlive a crash, and that readers see.
    pub(crate) durable: Tables,
    /// The rows that transactions see: with those of the group that is not committed yet.
    pub(crate) working: Tables,
    pub(crate) calls: Vec<Progress>,
    pub(crate) workers: [Task; WORKERS],
    pub(crate) objects: Objects,
    /// Writes of dead processes that are still under way, and erasures.
    pub(crate) late_writes: Objects,
    pub(crate) late_erasures: Objects,
    pub(crate) away: [bool; REGIONS_MAX],
    /// What may still go wrong.
    pub(crate) faults: Faults,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A call begins its transaction, locks, loads and decides.
    Load(usize),
    /// A call applies its plan and releases its transaction.
    Apply(usize),
    /// The answer of a call reaches its caller.
    Answer(usize),
    /// The group becomes durable.
    Commit,
    /// The commit of the group fails.
    LoseGroup,
    /// A worker claims a replica.
    Claim {
        worker: usize,
        replica: usize,
    },
    /// A worker writes or erases bytes.
    Work(usize),
    /// A worker records how it ended.
    Record(usize),
    /// A worker records that the attempt has failed and is to be tried again.
    Retry(usize),
    /// A worker records that a fill has failed for good.
    Fail(usize),
    /// A process dies, and begins anew.
    Crash(usize),
    /// The lease on a replica is over.
    LeaseEnds(usize),
    /// The grace period of an image is over.
    GraceEnds(usize),
    RegionGoes(usize),
    RegionComes(usize),
    /// A write of a dead process lands after all, or is dropped.
    LateWrite {
        replica: usize,
        key: usize,
        lands: bool,
    },
    /// The erasures of dead processes land, or are dropped.
    LateErasures {
        lands: bool,
    },
    /// `calotype check --repair`.
    Repair,
}

//! What the store keeps: rows, and the bytes in the stores of the regions.

/// A set of small numbers: of calls, of replicas, of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set(u16);

impl Set {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }

    pub(crate) fn with(self, number: usize) -> Self {
        Self(self.0 | 1 << number)
    }

    pub(crate) fn without(self, number: usize) -> Self {
        Self(self.0 & !(1 << number))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..16).filter(move |number| self.has(*number))
    }
}

/// How often a replica is written at most: the bounds on faults keep within it.
pub(crate) const WRITES_MAX: usize = 8;

/// The objects of all stores, each by the replica and the number of the write: `ObjectKey::fresh`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Objects(Set);

impl Objects {
    fn place(replica: usize, key: usize) -> usize {
        assert!((1..=WRITES_MAX).contains(&key), "more writes than the model has room for");
        replica * WRITES_MAX + key - 1
    }

    pub(crate) fn has(self, replica: usize, key: usize) -> bool {
        self.0.has(Self::place(replica, key))
    }

    pub(crate) fn put(&mut self, replica: usize, key: usize) {
        self.0 = self.0.with(Self::place(replica, key));
    }

    pub(crate) fn erase(&mut self, replica: usize, key: usize) {
        self.0 = self.0.without(Self::place(replica, key));
    }

    /// Erases the first `keys` of a replica, or the only one that counts.
    pub(crate) fn erase_all(&mut self, replica: usize, keys: impl IntoIterator<Item = usize>) {
        for key in keys {
            self.erase(replica, key);
        }
    }

    pub(crate) fn any_of(self, replica: usize) -> bool {
        (1..=WRITES_MAX).any(|key| self.has(replica, key))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().map(|place| (place / WRITES_MAX, place % WRITES_MAX + 1))
    }
}

/// The state of an image: the column and, for `deleted`, the mark beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// There is no such row yet.
    #[default]
    Absent,
    Making,
    Available,
    Failed,
}

/// A row of `images`.
#[expect(clippy::struct_excessive_bools, reason = "a row is what its columns say")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ImageRow {
    pub(crate) stage: Stage,
    pub(crate) deleted: bool,
    /// Its row in `shares`: the owner shares it with the other account.
    pub(crate) shared: bool,
    /// Whether a restore would bring the share back.
    pub(crate) share_kept: bool,
    /// Whether `erase_from` is still to come.
    pub(crate) grace: bool,
}

impl ImageRow {
    pub(crate) fn is_live(self) -> bool {
        self.stage != Stage::Absent && !self.deleted
    }
}

/// The state of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReplicaState {
    Copying,
    Available,
    Failed,
    Erasing,
    Erased,
}

/// A row of `replicas`: the record of bytes, and the task that fills or erases them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReplicaRow {
    pub(crate) state: ReplicaState,
    /// The replica that it is copied from.
    pub(crate) source: Option<usize>,
    pub(crate) attempt: u8,
    /// Whether it was tried since it came into its state: `tries` is not zero.
    pub(crate) tried: bool,
    pub(crate) writes: usize,
    /// The key of its bytes: `object_key`.
    pub(crate) key: usize,
    /// Whether its bytes were recorded: there is a SHA-256.
    pub(crate) filled: bool,
    /// The worker that has claimed it: `lease_owner`.
    pub(crate) lease_owner: Option<usize>,
    /// Whether `lease_until_ms`, and with it `due_ms`, is still to come.
    pub(crate) leased: bool,
}

impl ReplicaRow {
    /// A replica that is to be filled.
    pub(crate) fn new(source: Option<usize>) -> Self {
        Self {
            state: ReplicaState::Copying,
            source,
            attempt: 0,
            tried: false,
            writes: 0,
            key: 0,
            filled: false,
            lease_owner: None,
            leased: false,
        }
    }

    /// A replica whose bytes were written by its first attempt.
    pub(crate) fn available() -> Self {
        let filled = Self { attempt: 1, tried: true, writes: 1, key: 1, filled: true, ..Self::new(None) };
        Self { state: ReplicaState::Available, ..filled }
    }

    /// A replica whose first attempt has failed for good.
    pub(crate) fn failed() -> Self {
        let tried = Self { attempt: 1, tried: true, writes: 1, key: 1, ..Self::new(None) };
        Self { state: ReplicaState::Failed, ..tried }
    }

    pub(crate) fn release_lease(&mut self) {
        (self.lease_owner, self.leased) = (None, false);
    }
}

/// Images of the model, at most.
pub(crate) const IMAGES_MAX: usize = 2;

/// Replicas of the model, at most.
pub(crate) const REPLICAS_MAX: usize = 2;

/// All rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tables {
    pub(crate) images: [ImageRow; IMAGES_MAX],
    pub(crate) replicas: [Option<ReplicaRow>; REPLICAS_MAX],
    /// `instances`: the calls that launched one which is not released.
    pub(crate) instances: Set,
    /// `usages`: the calls whose instance uses its image.
    pub(crate) usages: Set,
    /// `deletions`: the calls that deleted an image.
    pub(crate) deletions: Set,
    /// The deletions that were taken back: those with `restored_ms`.
    pub(crate) restored: Set,
}

impl Tables {
    /// The row of a replica that is there.
    pub(crate) fn replica(&mut self, replica: usize) -> &mut ReplicaRow {
        self.replicas[replica].as_mut().expect("the replica is there")
    }
}

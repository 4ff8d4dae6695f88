//! Time and chance, which everything else takes as arguments.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use calotype_core::ids::RANDOM_BYTES;
use calotype_core::time::Timestamp;
use uuid::Uuid;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A time that is set by hand, in milliseconds since the epoch.
    Manual(Arc<AtomicI64>),
    /// The machine's clock, which somebody has moved forward.
    Moved(Arc<Moved>),
}

/// How far a clock is ahead of the machine's.
#[derive(Debug, Default)]
pub struct Moved {
    ahead_ms: AtomicI64,
    /// The part of it that the clients' clocks have not taken part in, although their signatures count.
    clients_behind_ms: AtomicI64,
}

impl Clock {
    /// A clock that stands still at `now` until it is set.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.as_millis())))
    }

    /// The machine's clock, which can be moved forward.
    #[must_use]
    pub fn movable() -> Self {
        Self::Moved(Arc::default())
    }

    /// Moves a clock forward that can be; the machine's clock goes by itself.
    pub fn advance_millis(&self, millis: i64) {
        match self {
            Self::System => {}
            Self::Manual(now) => {
                now.fetch_add(millis, Ordering::SeqCst);
            }
            Self::Moved(moved) => {
                moved.ahead_ms.fetch_add(millis, Ordering::SeqCst);
            }
        }
    }

    /// Says that the clients' clocks have stayed behind by so much more, and that their signatures count all the same.
    pub fn leave_clients_behind(&self, millis: i64) {
        if let Self::Moved(moved) = self {
            moved.clients_behind_ms.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// How far the clients' clocks are behind this one, in milliseconds, without their signatures being too old.
    #[must_use]
    pub fn clients_behind_ms(&self) -> i64 {
        match self {
            Self::System | Self::Manual(_) => 0,
            Self::Moved(moved) => moved.clients_behind_ms.load(Ordering::SeqCst),
        }
    }

    /// How far this clock is ahead of the machine's, in milliseconds.
    #[must_use]
    pub fn ahead_ms(&self) -> i64 {
        match self {
            Self::System | Self::Manual(_) => 0,
            Self::Moved(moved) => moved.ahead_ms.load(Ordering::SeqCst),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(now) => Timestamp::from_millis(now.load(Ordering::SeqCst)),
            Self::Moved(_) => system_now().plus_millis(self.ahead_ms()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Where chance comes from.
#[derive(Clone, Debug, Default)]
pub enum Chance {
    /// The operating system.
    #[default]
    System,
    /// A seed, from which the same bytes follow each time: for simulations. Clones go on where the others
    /// are.
    Seeded(Arc<AtomicU64>),
}

impl Chance {
    /// The chance that follows from a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(AtomicU64::new(seed)))
    }

    /// Fresh bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        match self {
            Self::System => chance(),
            Self::Seeded(state) => {
                let mut bytes = [0; N];
                for part in bytes.chunks_mut(8) {
                    part.copy_from_slice(&split_mix(state).to_le_bytes()[..part.len()]);
                }
                bytes
            }
        }
    }

    /// Fresh bytes for the id of a thing.
    #[must_use]
    pub fn id(&self) -> [u8; RANDOM_BYTES] {
        self.bytes()
    }

    /// The id of a request: a UUID in upper case (D11).
    #[must_use]
    pub fn request_id(&self) -> String {
        uuid_text(self.bytes())
    }
}

/// The next number of Steele, Lea and Flood's SplitMix64.
fn split_mix(state: &AtomicU64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut mixed = state.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Random bytes that are asked for at once: a call of the operating system costs more than the bytes do.
const AHEAD: usize = 4_096;

/// Random bytes that nobody has seen yet: those from the position on.
struct Ahead {
    bytes: [u8; AHEAD],
    position: usize,
}

thread_local! {
    static AHEAD_OF_THREAD: RefCell<Ahead> = const { RefCell::new(Ahead { bytes: [0; AHEAD], position: AHEAD }) };
}

/// Gives fresh random bytes, each of them once.
///
/// # Panics
/// If the operating system has no randomness to give: nothing safe can be done then.
#[must_use]
pub fn chance<const N: usize>() -> [u8; N] {
    const { assert!(N <= AHEAD) };
    AHEAD_OF_THREAD.with_borrow_mut(|ahead| {
        if ahead.position + N > AHEAD {
            getrandom::fill(&mut ahead.bytes).expect("the operating system gives random bytes");
            ahead.position = 0;
        }
        let taken = &mut ahead.bytes[ahead.position..ahead.position + N];
        ahead.position += N;
        let mut bytes = [0; N];
        // What is given is not kept.
        bytes.swap_with_slice(taken);
        bytes
    })
}

/// Makes the id of a request that no App was asked for.
#[must_use]
pub fn request_id() -> String {
    uuid_text(chance())
}

#[expect(clippy::disallowed_methods, reason = "this is where request ids come from")]
fn uuid_text(bytes: [u8; 16]) -> String {
    let mut buffer = Uuid::encode_buffer();
    uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().encode_upper(&mut buffer).to_owned()
}

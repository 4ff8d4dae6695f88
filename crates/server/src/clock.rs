//! Time and chance, which everything else takes as arguments.

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
}

impl Clock {
    /// A clock that stands still at `now` until it is set.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.as_millis())))
    }

    /// Moves a manual clock forward; the machine's clock goes by itself.
    pub fn advance_millis(&self, millis: i64) {
        match self {
            Self::System => {}
            Self::Manual(now) => {
                now.fetch_add(millis, Ordering::SeqCst);
            }
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
            Self::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let millis = since.map_or(0, |since| since.as_millis());
                Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }
            Self::Manual(now) => Timestamp::from_millis(now.load(Ordering::SeqCst)),
        }
    }
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

/// Gives fresh random bytes.
///
/// # Panics
/// If the operating system has no randomness to give: nothing safe can be done then.
#[must_use]
pub fn chance<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
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

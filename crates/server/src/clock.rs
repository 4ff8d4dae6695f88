//! Time and chance, which everything else takes as arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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

/// Gives fresh random bytes for an id.
///
/// # Panics
/// If the operating system has no randomness to give: nothing safe can be done then.
#[must_use]
pub fn chance<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Gives fresh random bytes for an id of a thing.
#[must_use]
pub fn id_chance() -> [u8; RANDOM_BYTES] {
    chance()
}

/// Makes the id of a request: a UUID in upper case (D11).
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where request ids come from")]
pub fn request_id() -> String {
    let mut buffer = Uuid::encode_buffer();
    uuid::Builder::from_random_bytes(chance()).into_uuid().hyphenated().encode_upper(&mut buffer).to_owned()
}

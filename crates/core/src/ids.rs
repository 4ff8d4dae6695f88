//! Identifiers, parsed once at the edge and carried as types from there on.
//!
//! An id made here starts with the time it was made, so that rows made together lie together, and
//! ends in 80 random bits, so that it is never reused (D51).

use std::fmt;

use crate::time::Timestamp;
use crate::usage::ConsumerKind;

/// Random bytes in a fresh id.
pub const RANDOM_BYTES: usize = 10;

/// The longest id that is accepted from outside, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// The text cannot be an id: empty, longer than [`ID_BYTES_MAX`], or with characters other than
/// letters, digits, `_`, `-` and `.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed id")]
pub struct MalformedId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes an id from outside.
            ///
            /// # Errors
            /// [`MalformedId`] if the text cannot be an id (D19).
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                if well_formed(text) { Ok(Self(text.to_owned())) } else { Err(MalformedId) }
            }

            /// Takes an id that this service wrote itself, from a row or a proven caller.
            #[must_use]
            pub fn trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! fresh {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// Makes a new id from the time and fresh random bytes.
            #[must_use]
            pub fn fresh(now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
                Self(format!("{}{}", $prefix, stem(now, random)))
            }
        }
    };
}

id!(
    /// A machine image, of any product.
    ImageId
);
id!(
    /// What runs an image: an ENS instance, a delivery group, a workstation.
    InstanceId
);
id!(
    /// A version of an image.
    VersionId
);
id!(
    /// A cloud-desktop template.
    TemplateId
);
id!(
    /// A bundle, the older kind of cloud-desktop template.
    BundleId
);
id!(
    /// A disk of an ENS instance.
    DiskId
);
id!(
    /// A snapshot of a disk.
    SnapshotId
);
id!(
    /// The bytes of one image version, or of one snapshot, in one region.
    ReplicaId
);
id!(
    /// One accepted delete of an image.
    DeletionId
);
id!(
    /// An account of the vendor's kind: the owner of things.
    AccountId
);
id!(
    /// A region, whose store holds bytes.
    RegionId
);

fresh!(VersionId, "iv-");
fresh!(TemplateId, "b-");
fresh!(BundleId, "b-");
fresh!(DiskId, "d-");
fresh!(SnapshotId, "s-");
fresh!(ReplicaId, "r-");
fresh!(DeletionId, "del-");

impl ImageId {
    /// Makes a new id of the ENS form: `m-` and 25 lower-case letters and digits.
    #[must_use]
    pub fn fresh_ens(now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
        Self(format!("m-{}", stem(now, random)))
    }
}

impl ImageId {
    /// Makes a new id of the App Streaming form.
    #[must_use]
    pub fn fresh_app_streaming(now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
        Self(format!("imgc-{}", stem(now, random)))
    }
}

impl InstanceId {
    /// Makes a new id for a consumer of this kind.
    #[must_use]
    pub fn fresh(kind: ConsumerKind, now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
        let prefix = match kind {
            ConsumerKind::Instance => "i-",
            ConsumerKind::DeliveryGroup => "aig-",
            ConsumerKind::Workstation => "ws-",
        };
        Self(format!("{prefix}{}", stem(now, random)))
    }
}

fn well_formed(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ID_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

const TIME_DIGITS: usize = 9;
const RANDOM_DIGITS: usize = 16;

/// 25 base-36 digits: nine of milliseconds (good until the year 5188), sixteen of chance (80 bits).
fn stem(now: Timestamp, random: [u8; RANDOM_BYTES]) -> String {
    let mut wide = [0; 16];
    wide[16 - RANDOM_BYTES..].copy_from_slice(&random);
    let millis = u128::from(now.as_millis().max(0).unsigned_abs());
    let mut text = String::with_capacity(TIME_DIGITS + RANDOM_DIGITS);
    push_base36(&mut text, millis, TIME_DIGITS);
    push_base36(&mut text, u128::from_be_bytes(wide), RANDOM_DIGITS);
    text
}

fn push_base36(text: &mut String, value: u128, digits: usize) {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    for place in (0..digits).rev() {
        let digit = value / 36_u128.pow(u32::try_from(place).unwrap_or(0)) % 36;
        text.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d51_ids_sort_by_time_and_differ_by_chance() {
        let early = ImageId::fresh_ens(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = ImageId::fresh_ens(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 27);
        let other = ImageId::fresh_ens(Timestamp::from_millis(1_001), [1; 10]);
        assert_ne!(late, other);
        assert!(late.as_str().bytes().skip(2).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }

    #[test]
    fn d19_ids_from_outside_are_letters_digits_and_three_marks() {
        for good in ["m-1", "centos_6_08_64_20G_alibase_20171208", "a.b", &"x".repeat(128)] {
            assert!(ImageId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "m-a,m-b", "[\"m-a\"]", "m a", "../x", "m-é", &"x".repeat(129)] {
            assert_eq!(ImageId::parse(bad), Err(MalformedId), "{bad}");
        }
    }
}

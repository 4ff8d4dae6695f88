//! Points in time.

use std::fmt;

/// A point in time, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not a time of the form `yyyy-MM-ddTHH:mm:ssZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UTC time of the form yyyy-MM-ddTHH:mm:ssZ")]
pub struct NotATimestamp;

/// The one spelling of a time, every digit as a zero.
const FORM: &str = "0000-00-00T00:00:00Z";

impl Timestamp {
    /// The time `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time plus `millis` milliseconds (which may be negative), held at the ends of the range.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Parses `yyyy-MM-ddTHH:mm:ssZ`: UTC, no fraction, no offset, as every client sends it.
    ///
    /// # Errors
    /// [`NotATimestamp`] for any other text, and for days that do not exist.
    ///
    /// Source: protocol, common parameters.
    pub fn parse(text: &str) -> Result<Self, NotATimestamp> {
        // The library takes many more spellings than the clients send.
        let fits = |(byte, mark): (u8, u8)| if mark == b'0' { byte.is_ascii_digit() } else { byte == mark };
        if text.len() != FORM.len() || !text.bytes().zip(FORM.bytes()).all(fits) {
            return Err(NotATimestamp);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| NotATimestamp)?;
        Ok(Self(parsed.as_millisecond()))
    }
}

/// Prints `yyyy-MM-ddTHH:mm:ssZ`, cutting the fraction off.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        match jiff::Timestamp::from_second(seconds) {
            Ok(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => write!(f, "{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        let text = "2026-03-27T08:09:10Z";
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            "2026-03-27T08:09:10+08:00",
            "2026-03-27T08:09:10.5Z",
            "2026-03-27 08:09:10Z",
            "2026-02-30T08:09:10Z",
            "2026-03-27T08:09:10z",
            "20260327T080910.123Z",
            "+002026-03-27T08:09Z",
            "2026-03-27T08:09:61Z",
        ] {
            assert_eq!(Timestamp::parse(text), Err(NotATimestamp), "{text}");
        }
    }
}

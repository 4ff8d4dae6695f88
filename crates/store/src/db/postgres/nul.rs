//! The one character of a text that PostgreSQL cannot keep.

/// Stands for it: a code point that is none of a text's, and that nobody sends.
pub(in crate::db) const STAND_IN: char = '\u{10ffff}';

/// The text as it is kept.
pub(super) fn hidden(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', STAND_IN.encode_utf8(&mut [0; 4])) } else { text.to_owned() }
}

/// The text as it was.
pub(super) fn shown(text: &str) -> String {
    if text.contains(STAND_IN) { text.replace(STAND_IN, "\0") } else { text.to_owned() }
}

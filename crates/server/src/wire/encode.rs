//! The one spelling in which both signatures write names and values, and hexadecimal.
//!
//! Every client spells the same text a little differently on the wire, so a signature is never checked
//! over the bytes received: they are decoded, and encoded again by the rule here.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but letters, digits and `-`, `_`, `.`, `~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Encodes a text: letters, digits and `-_.~` stay, every other byte of its UTF-8 becomes `%XX`.
///
/// Source: protocol, V1 signature, step 3.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    push(&mut out, text);
    out
}

/// Appends the encoding of `text` to `out`.
pub fn push(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

/// Appends the encoding of the encoding of `text` to `out`, in one pass.
///
/// The V1 string to sign encodes the whole canonical query once more, so each value goes through twice.
pub fn push_twice(out: &mut String, text: &str) {
    for piece in utf8_percent_encode(text, RESERVED) {
        // A percent sign can only be the start of an escape here, since a literal one is escaped itself.
        if let Some(hex) = piece.strip_prefix('%') {
            out.push_str("%25");
            out.push_str(hex);
        } else {
            out.push_str(piece);
        }
    }
}

/// Writes a query or form: `name=value` pairs, encoded, joined with `&`, in the order given.
#[must_use]
pub fn query<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> String {
    let mut out = String::new();
    for (number, (name, value)) in pairs.into_iter().enumerate() {
        if number > 0 {
            out.push('&');
        }
        push(&mut out, name.as_ref());
        out.push('=');
        push(&mut out, value.as_ref());
    }
    out
}

/// Writes bytes as lower-case hexadecimal, two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_unreserved_characters_stay() {
        assert_eq!(encode("Az09-_.~"), "Az09-_.~");
        assert_eq!(encode(" *+/:%7E'()!"), "%20%2A%2B%2F%3A%257E%27%28%29%21");
        assert_eq!(encode("镜"), "%E9%95%9C");
        assert_eq!(hex(&[0, 0x0f, 0xff]), "000fff");
    }

    #[test]
    fn pairs_keep_their_order_and_their_empty_values() {
        assert_eq!(query([("b", "1 2"), ("a", "")]), "b=1%202&a=");
    }

    proptest! {
        #[test]
        fn twice_in_one_pass_is_once_and_once_more(text: String) {
            let mut out = String::new();
            push_twice(&mut out, &text);
            prop_assert_eq!(out, encode(&encode(&text)));
        }

        #[test]
        fn what_is_encoded_decodes_to_itself(pairs: Vec<(String, String)>) {
            let decoded: Vec<(String, String)> =
                form_urlencoded::parse(query(pairs.clone()).as_bytes()).into_owned().collect();
            prop_assert_eq!(decoded, pairs);
        }
    }
}

//! Names that owners give to things.

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 128;

/// Tells whether `name` can name an image, an instance or a snapshot: 2 to 128 letters (of any script),
/// digits, `:`, `_`, `-` and `.`, the first one a letter, not beginning with `http://` or `https://`.
///
/// The vendor's pages also show blanks and other marks in names that clients send; those are taken too,
/// control characters are not.
#[must_use]
pub fn is_valid(name: &str) -> bool {
    let count = name.chars().count();
    (2..=NAME_CHARS_MAX).contains(&count)
        && name.chars().next().is_some_and(char::is_alphabetic)
        && !name.starts_with("http://")
        && !name.starts_with("https://")
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_begin_with_a_letter() {
        for good in ["ab", "golden-image_1.0:rc", "\u{955c}\u{50cf} v1.0+rc~1", &"x".repeat(128)] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "a", "1ab", "_ab", "http://x", "https://x", "a\nb", &"x".repeat(129)] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}

//! Matches text against a pattern with `*` (any run of characters, also none) and `?` (exactly one).

/// Says whether the whole text matches the pattern.
///
/// Only the last `*` is ever tried again, which is enough because an earlier one could only give
/// away text that the later one may take as well. So the work is bounded by the product of the two
/// lengths, whatever the pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star = None;
    loop {
        let wanted = pattern.next();
        if wanted == Some('*') {
            last_star = Some((pattern.clone(), text.clone()));
            continue;
        }
        match (wanted, text.next()) {
            (None, None) => return true,
            (Some(_), None) => return false,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            (_, Some(_)) => {
                let Some((after_star, taken_until)) = &mut last_star else { return false };
                taken_until.next();
                (pattern, text) = (after_star.clone(), taken_until.clone());
            }
        }
    }
}

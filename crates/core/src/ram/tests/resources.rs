//! Names of resources and their patterns.

use super::*;
use crate::ram::arn::ArnPattern;
use crate::ram::glob;

#[test]
fn ram_arn_prints_five_segments() {
    assert_eq!(image().to_string(), "acs:ens:*:1000000000000001:image/m-1");
    assert_eq!(Arn::all("ens", &account()).to_string(), "acs:ens:*:1000000000000001:*");
    assert_eq!(
        Arn::of("ram", &account(), "role", "builder").to_string(),
        "acs:ram::1000000000000001:role/builder"
    );
}

#[test]
fn ram_arn_everything_is_matched_by_everything_only() {
    let everything = Arn::all("ens", &account());
    for (pattern, expected) in [
        ("*", true),
        ("acs:ens:*:*:*", true),
        ("acs:*:*:*:*", true),
        ("acs:ens::1000000000000001:*", true),
        ("acs:ens:*:2000000000000002:*", false),
        ("acs:ens:*:*:image/*", false),
        ("acs:ens:*:*:instance/*", false),
        ("acs:ens:*:*:image*", false),
        ("acs:appstreaming:*:*:*", false),
    ] {
        assert_eq!(ArnPattern::parse(pattern).unwrap().matches(&everything), expected, "{pattern}");
    }
}

#[test]
fn ram_arn_is_compared_segment_by_segment() {
    for (pattern, expected) in [
        ("acs:ens:*:*:image/m-?", true),
        ("acs:e?s:*:1000*:*/m-1", true),
        ("acs:ens:*:*:*m-1", true),
        ("acs:ENS:*:*:*", false),
        ("acs:ens:*::image/m-1", false),
        ("acs:ens:*:*:image/m-1:x", false),
        ("acs:ens:*:*:image/m-", false),
        ("acs:ens:cn-*:*:*", false),
        ("acs:en*1000000000000001:*:*:image/m-1", false),
    ] {
        assert_eq!(ArnPattern::parse(pattern).unwrap().matches(&image()), expected, "{pattern}");
    }
}

#[test]
fn ram_arn_pattern_needs_five_segments() {
    for text in [
        "",
        "**",
        "acs",
        "acs:ens:*:*",
        "acs:ens:*:image/m-1",
        "arn:aws:s3:::x",
        "acs::*:*:x",
        "acs:ens:*:*:",
    ] {
        assert!(ArnPattern::parse(text).is_none(), "{text}");
    }
}

#[test]
fn ram_glob_takes_characters_not_bytes() {
    assert!(glob::matches("?", "é"));
    assert!(!glob::matches("??", "é"));
    assert!(glob::matches("*é?b*", "xéyb"));
}

#[test]
fn ram_glob_time_is_bounded_by_the_product_of_the_lengths() {
    // A backtracking matcher would need more steps than there are atoms.
    let pattern = "*a".repeat(3000) + "b";
    assert!(!glob::matches(&pattern, &"a".repeat(6000)));
}

#[test]
fn ram_not_resource_matches_when_no_pattern_does() {
    let statement = [allow(r#""NotResource":["acs:ens:*:*:image/m-2","acs:ens:*:*:image/m-3"]"#)];
    assert_eq!(ask(&statement, DELETE), ALLOWED);
    let statement = [allow(r#""NotResource":["acs:ens:*:*:image/m-2","acs:ens:*:*:image/m-1"]"#)];
    assert_eq!(ask(&statement, DELETE), NOT_ALLOWED);
}

//! Every operator and every key, where it holds and where it does not.

use super::*;

/// Whether `{operator: {key: values}}` holds in the context. The decision is that of an Allow.
fn holds_in(operator: &str, key: &str, values: &str, context: &Context) -> bool {
    let condition = format!(r#""Condition":{{"{operator}":{{"{key}":{values}}}}}"#);
    ask_in(&[allow(&condition)], DELETE, context) == ALLOWED
}

fn check(operator: &str, key: &str, values: &str, expected: bool) {
    assert_eq!(holds_in(operator, key, values, &context()), expected, "{operator} {key} {values}");
}

#[test]
fn ram_condition_string_operators() {
    let key = "acs:RequestTag/team"; // Dev
    for (operator, values, expected) in [
        ("StringEquals", r#""Dev""#, true),
        ("StringEquals", r#"["ops","Dev"]"#, true),
        ("StringEquals", r#""dev""#, false),
        ("StringEquals", r#""D*""#, false),
        ("StringEquals", r#""""#, false),
        ("StringNotEquals", r#""Dev""#, false),
        ("StringNotEquals", r#""dev""#, true),
        ("StringNotEquals", r#"["ops","Dev"]"#, false),
        ("StringEqualsIgnoreCase", r#""dEV""#, true),
        ("StringEqualsIgnoreCase", r#""ops""#, false),
        ("StringNotEqualsIgnoreCase", r#""dEV""#, false),
        ("StringNotEqualsIgnoreCase", r#""ops""#, true),
        ("StringLike", r#""D?v""#, true),
        ("StringLike", r#"["x*","*v"]"#, true),
        ("StringLike", r#""d*""#, false),
        ("StringNotLike", r#""D?v""#, false),
        ("StringNotLike", r#"["x*","*v"]"#, false),
        ("StringNotLike", r#""d*""#, true),
    ] {
        check(operator, key, values, expected);
    }
}

#[test]
fn ram_condition_numeric_operators() {
    let key = "acs:ResourceTag/size"; // 42
    for (operator, below, same, above) in [
        ("NumericEquals", false, true, false),
        ("NumericNotEquals", true, false, true),
        ("NumericLessThan", false, false, true),
        ("NumericLessThanEquals", false, true, true),
        ("NumericGreaterThan", true, false, false),
        ("NumericGreaterThanEquals", true, true, false),
    ] {
        check(operator, key, "41.5", below);
        check(operator, key, r#""41""#, below);
        check(operator, key, r#""42.0""#, same);
        check(operator, key, "42", same);
        check(operator, key, r#""43""#, above);
    }
    check("NumericEquals", key, "[1,42]", true);
    check("NumericNotEquals", key, "[1,42]", false);
}

#[test]
fn ram_condition_date_operators() {
    let key = "acs:CurrentTime"; // 08:09:10 UTC, and half a second
    for (operator, past, now, future) in [
        ("DateEquals", false, true, false),
        ("DateNotEquals", true, false, true),
        ("DateLessThan", false, false, true),
        ("DateLessThanEquals", false, true, true),
        ("DateGreaterThan", true, false, false),
        ("DateGreaterThanEquals", true, true, false),
    ] {
        check(operator, key, r#""2026-03-27T08:09:09Z""#, past);
        check(operator, key, r#""2026-03-27T15:59:00+08:00""#, past);
        check(operator, key, r#""2026-03-27T08:09:10Z""#, now);
        check(operator, key, r#""2026-03-27T16:09:10+08:00""#, now);
        check(operator, key, r#""2026-03-27T08:09:11Z""#, future);
        check(operator, key, r#""2026-03-27T08:10Z""#, future);
    }
}

#[test]
fn ram_condition_bool_operator() {
    check("Bool", "acs:SecureTransport", r#""true""#, true);
    check("Bool", "acs:SecureTransport", "true", true);
    check("Bool", "acs:SecureTransport", r#""false""#, false);
    check("Bool", "acs:SecureTransport", "[false,true]", true);
}

#[test]
fn ram_condition_address_operators() {
    for (source, value, expected) in [
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.0/24", true),
        ("192.0.2.7", "192.0.2.99/24", true),
        ("192.0.2.7", "0.0.0.0/0", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("192.0.2.7", "192.0.3.0/24", false),
        ("192.0.2.7", "::/0", false),
        ("192.0.2.7", "::ffff:192.0.2.0/120", true),
        ("192.0.2.7", "::ffff:192.0.2.7", true),
        ("::ffff:192.0.2.7", "192.0.2.0/24", true),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7", true),
        ("::ffff:192.0.2.7", "192.0.3.0/24", false),
        ("2001:db8::1", "2001:db8::/32", true),
        ("2001:db8::1", "2001:db8::1", true),
        ("2001:db8::1", "::/0", true),
        ("2001:db8::1", "2001:db9::/32", false),
        ("2001:db8::1", "0.0.0.0/0", false),
    ] {
        let context = Context { source_ip: Some(source.parse().unwrap()), ..context() };
        let values = format!(r#""{value}""#);
        assert_eq!(holds_in("IpAddress", "acs:SourceIp", &values, &context), expected, "{source} {value}");
        assert_eq!(
            holds_in("NotIpAddress", "acs:SourceIp", &values, &context),
            !expected,
            "{source} {value}"
        );
    }
    check("IpAddress", "acs:SourceIp", r#"["198.51.100.1","192.0.2.0/24"]"#, true);
    check("NotIpAddress", "acs:SourceIp", r#"["198.51.100.1","192.0.2.0/24"]"#, false);
}

#[test]
fn ram_condition_every_key_has_its_value() {
    for (key, value, other) in [
        ("acs:SourceIp", "192.0.2.7", "192.0.2.8"),
        ("acs:SecureTransport", "true", "false"),
        ("acs:CurrentTime", "2026-03-27T08:09:10Z", "2026-03-27T08:09:11Z"),
        ("acs:UserAgent", "aliyun-cli/3.0", "curl"),
        ("acs:PrincipalARN", "acs:ram::1000000000000001:user/ci", "acs:ram::1000000000000001:root"),
        ("acs:AccessId", "ciid", "testid"),
        ("acs:RequestTag/team", "Dev", "dev"),
        ("acs:ResourceTag/size", "42", "43"),
        ("ACS:sourceIP", "192.0.2.7", "192.0.2.8"),
        ("acs:requesttag/team", "Dev", "dev"),
    ] {
        check("StringEquals", key, &format!(r#""{value}""#), true);
        check("StringEquals", key, &format!(r#""{other}""#), false);
    }
}

const MISSING: [&str; 9] = [
    "acs:MFAPresent",
    "acs:PrincipalRDId",
    "acs:SourceVpc",
    "ecs:tag/team",
    "acs:RequestTag/Team",
    "acs:RequestTag/size",
    "acs:ResourceTag/team",
    "acs:RequestTag",
    "acs:SourceIp/x",
];

#[test]
fn ram_condition_missing_key_fails_positive_operators_and_passes_negated_ones() {
    let values = [
        ("StringEquals", "StringNotEquals", r#""x""#),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", r#""x""#),
        ("StringLike", "StringNotLike", r#""*""#),
        ("NumericEquals", "NumericNotEquals", "1"),
        ("DateEquals", "DateNotEquals", r#""2026-03-27T08:09:10Z""#),
        ("IpAddress", "NotIpAddress", r#""0.0.0.0/0""#),
    ];
    for key in MISSING {
        for (positive, negated, value) in values {
            check(positive, key, value, false);
            check(negated, key, value, true);
        }
        check("Bool", key, r#"["true","false"]"#, false);
        for operator in ["LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"] {
            check(&format!("Numeric{operator}"), key, "1", false);
            check(&format!("Date{operator}"), key, r#""2026-03-27T08:09:10Z""#, false);
        }
    }
}

#[test]
fn ram_condition_optional_facts_may_be_missing() {
    let bare = Context { source_ip: None, user_agent: None, ..context() };
    assert!(!holds_in("StringLike", "acs:UserAgent", r#""*""#, &bare));
    assert!(!holds_in("IpAddress", "acs:SourceIp", r#"["0.0.0.0/0","::/0"]"#, &bare));
    assert!(holds_in("NotIpAddress", "acs:SourceIp", r#"["0.0.0.0/0","::/0"]"#, &bare));
}

#[test]
fn ram_condition_value_of_another_kind_counts_as_missing() {
    for (positive, negated, value) in [
        ("NumericEquals", "NumericNotEquals", "1"),
        ("DateEquals", "DateNotEquals", r#""2026-03-27T08:09:10Z""#),
        ("IpAddress", "NotIpAddress", r#""0.0.0.0/0""#),
    ] {
        check(positive, "acs:UserAgent", value, false);
        check(negated, "acs:UserAgent", value, true);
    }
    check("Bool", "acs:UserAgent", r#""true""#, false);
}

#[test]
fn ram_condition_empty_object_is_no_condition() {
    assert_eq!(ask(&[allow(r#""Condition":{}"#)], DELETE), ALLOWED);
}

//! What holds for every policy and every question.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::ram::{TrustPolicy, glob};

/// The plainest matcher there is: exponential, and right.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
        Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((wanted, rest)) => text.first() == Some(wanted) && naive(rest, &text[1..]),
    }
}

const FULL: &str = r#"{"Version":"1","Statement":[
    {"Effect":"Allow","NotAction":["ens:Delete*","sts:*"],"Resource":"acs:ens:*:*:image/m-1",
     "Condition":{"IpAddress":{"acs:SourceIp":["192.0.2.0/24","2001:db8::1"]},
                  "DateLessThan":{"acs:CurrentTime":"2026-03-27T08:09:10+08:00"},
                  "NumericEquals":{"acs:ResourceTag/size":[1,"2.5"]},"Bool":{"acs:SecureTransport":true}}},
    {"Effect":"Deny","Action":"*","NotResource":["*"],
     "Condition":{"StringNotLike":{"acs:UserAgent":"a*\""}}}]}"#;

/// A valid policy with one piece replaced by another.
fn mutated() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "", "\"", "{", "}", "[", "]", ":", ",", "null", "\\", "*", "?", "Null", "IfExists", "\u{e9}",
        "1e999", "/33",
    ]);
    (any::<Index>(), 0..4_usize, prop_oneof![pieces.prop_map(str::to_owned), ".{0,3}"]).prop_map(
        |(start, length, piece)| {
            let chars: Vec<char> = FULL.chars().collect();
            let start = start.index(chars.len());
            let end = (start + length).min(chars.len());
            chars[..start].iter().copied().chain(piece.chars()).chain(chars[end..].iter().copied()).collect()
        },
    )
}

/// Any statement out of parts that often, but not always, apply to the call.
fn any_statement(effect: &'static str) -> impl Strategy<Value = String> {
    let action = select(vec![
        r#""Action":"*""#,
        r#""Action":"ens:*""#,
        r#""Action":["ens:Describe*","ENS:DELETEIMAGE"]"#,
        r#""Action":"ens:CreateImage""#,
        r#""NotAction":"sts:*""#,
        r#""NotAction":"ens:DeleteImage""#,
    ]);
    let resource = select(vec![
        r#""Resource":"*""#,
        r#""Resource":"acs:ens:*:*:image/m-?""#,
        r#""Resource":"acs:ens:*:*:instance/*""#,
        r#""NotResource":"acs:ens:*:*:image/m-1""#,
    ]);
    let condition = select(vec![
        "{}",
        r#"{"Bool":{"acs:SecureTransport":"true"}}"#,
        r#"{"Bool":{"acs:MFAPresent":"true"}}"#,
        r#"{"NotIpAddress":{"acs:SourceIp":"192.0.2.0/24"}}"#,
        r#"{"StringNotEquals":{"acs:SourceVpc":"x"}}"#,
    ]);
    (action, resource, condition).prop_map(move |(action, resource, condition)| {
        statement(effect, &format!(r#"{action},{resource},"Condition":{condition}"#))
    })
}

fn any_statements() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(prop_oneof![3 => any_statement("Allow"), 1 => any_statement("Deny")], 0..5)
}

/// Everything that a policy keeps from its text: patterns and conditions.
fn size(policy: &Policy) -> usize {
    let sizes = policy.statements.iter();
    sizes.map(|s| s.actions.patterns.len() + s.resources.patterns.len() + s.conditions.len()).sum()
}

proptest! {
    #[test]
    fn ram_glob_agrees_with_the_plainest_matcher(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(glob::matches(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn ram_parse_never_panics_on_text(text in ".*") {
        let _ = (Policy::parse(&text, &text), Policy::parse_session(&text), TrustPolicy::parse(&text));
    }

    #[test]
    fn ram_parse_never_panics_on_nearly_a_policy(text in mutated()) {
        match Policy::parse("p", &text) {
            Ok(policy) => {
                prop_assert!(size(&policy) <= text.len());
                let _ = evaluate(&[(Layer::Identity, &[Arc::new(policy)])], DELETE, &image(), &context());
            }
            Err(error) => prop_assert!(error.to_string().len() < 1000),
        }
    }

    #[test]
    fn ram_parsed_policies_are_bounded_by_their_text(statements in any_statements()) {
        let mut statements = statements;
        statements.push(allow(""));
        let text = statements.join(",");
        prop_assert!(size(&policy(&text)) <= text.len());
    }

    #[test]
    fn ram_deny_always_beats_allow(statements in any_statements(), at in any::<Index>()) {
        let mut statements = statements;
        let at = at.index(statements.len() + 1);
        statements.insert(at, deny(r#""Action":"ens:DeleteImage""#));
        prop_assert_eq!(ask(&statements, DELETE), DENIED);
    }

    #[test]
    fn ram_another_allow_never_takes_away(
        statements in any_statements(),
        more in any_statement("Allow"),
        at in any::<Index>(),
    ) {
        let before = ask(&statements, DELETE);
        let mut statements = statements;
        let at = at.index(statements.len() + 1);
        statements.insert(at, more);
        let after = ask(&statements, DELETE);
        if before == NOT_ALLOWED {
            prop_assert_ne!(after, DENIED);
        } else {
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn ram_another_deny_never_grants(statements in any_statements(), more in any_statement("Deny")) {
        let before = ask(&statements, DELETE);
        let mut statements = statements;
        statements.push(more);
        if ask(&statements, DELETE) == ALLOWED {
            prop_assert_eq!(before, ALLOWED);
        }
    }

    #[test]
    fn ram_a_session_policy_never_grants(role in any_statements(), session in any_statement("Allow")) {
        let identity: Vec<_> = role.iter().map(|text| policy(text)).collect();
        let alone = Policies { identity, session: None };
        let cut_down = Policies { session: Some(policy(&session)), ..alone.clone() };
        let allows = |policies| authorize(&role_session(), policies, DELETE, image(), &context()).is_ok();
        prop_assert!(allows(&alone) || !allows(&cut_down));
    }
}

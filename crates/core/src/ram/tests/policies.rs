//! What is accepted as a policy, and how refusals are worded.

use super::*;
use crate::ram::{POLICY_BYTES_MAX, SESSION_POLICY_CHARS_MAX};

fn error(document: &str) -> String {
    Policy::parse("p", document).unwrap_err().to_string()
}

/// The refusal of a statement, without the place that all of them have.
fn statement_error(statement: &str) -> String {
    let error = error(&format!(r#"{{"Version":"1","Statement":[{statement}]}}"#));
    error.replace("policy.Statement[0]", "S")
}

#[test]
fn ram_grammar_one_value_and_a_list_of_one_are_the_same() {
    let one = r#"{"Effect":"Allow","Action":"ens:*","Resource":"*"}"#;
    let list = r#"{"Effect":"Allow","Action":["ens:*"],"Resource":["*"]}"#;
    assert_eq!(ask(&[one.to_owned()], DELETE), ask(&[list.to_owned()], DELETE));
}

#[test]
fn ram_grammar_actions() {
    for action in ["*", "ens:*", "ens:Delete?mage", "*:Describe*", "yundun-waf:Get*", "ens:Describe_x"] {
        policy(&allow(&format!(r#""Action":"{action}""#)));
    }
    for action in ["", "ens", "ens*", ":", "ens:", ":DeleteImage", "ens:a b", "a:b:c", "ens:Délete"] {
        let refused = statement_error(&allow(&format!(r#""Action":"{action}""#)));
        assert!(
            refused.starts_with("S.Action: expected an action such as ens:DeleteImage, or *"),
            "{refused}"
        );
    }
}

#[test]
fn ram_grammar_refusals_of_the_frame_name_the_member() {
    let refusals = [
        "",
        "{",
        "[]",
        "\"text\"",
        "{}",
        r#"{"Version":"1"}"#,
        r#"{"Version":1,"Statement":[]}"#,
        r#"{"Version":"2","Statement":[]}"#,
        r#"{"Version":"1","Statement":[]}"#,
        r#"{"Version":"1","Statement":{}}"#,
        r#"{"Version":"1","Statement":[null]}"#,
        r#"{"Version":"1","Statement":[],"Id":"x"}"#,
        r#"{"version":"1","Statement":[]}"#,
        r#"{"Version":"1","Version":"1","Statement":[]}"#,
    ]
    .map(error);
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    policy: not JSON (line 1, column 0)
    policy: not JSON (line 1, column 1)
    policy: expected an object, found a list
    policy: expected an object, found "text"
    policy: Version is missing
    policy: Statement is missing
    policy.Version: expected a text, found a number
    policy.Version: expected "1", found "2"
    policy.Statement: must not be empty
    policy.Statement: expected a list, found an object
    policy.Statement[0]: expected an object, found null
    policy: unknown member "Id"
    policy: unknown member "version"
    policy: a member occurs twice in one object
    "#);
}

#[test]
fn ram_grammar_refusals_of_a_statement_name_the_member() {
    let refusals = [
        r#"{"Action":"*","Resource":"*"}"#,
        r#"{"Effect":"allow","Action":"*","Resource":"*"}"#,
        r#"{"Effect":["Allow"],"Action":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}"#,
        r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":["ens:*",7],"Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":{"a":1},"Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"image/m-1"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":["*",null]}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"RAM":"*"}}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Sid":"x"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Effect":"Deny"}"#,
    ]
    .map(statement_error);
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    S: Effect is missing
    S.Effect: expected "Allow" or "Deny", found "allow"
    S.Effect: expected a text, found a list
    S: exactly one of Action and NotAction must be given
    S: exactly one of Action and NotAction must be given
    S: exactly one of Resource and NotResource must be given
    S: exactly one of Resource and NotResource must be given
    S.Action: must not be empty
    S.Action[1]: expected a text, found a number
    S.Action: expected a text, found an object
    S.Resource: expected a resource such as acs:ens:*:*:image/m-1, or *, found "image/m-1"
    S.Resource[1]: expected a text, found null
    S: unknown member "Principal"
    S: unknown member "Sid"
    policy: a member occurs twice in one object
    "#);
}

#[test]
fn ram_grammar_refusals_of_a_condition_name_the_operator_and_key() {
    let refusals = [
        "[]",
        r#"{"stringEquals":{"acs:AccessId":"x"}}"#,
        r#"{"ForAnyValue:StringEquals":{"acs:AccessId":"x"}}"#,
        r#"{"BoolIfExists":{"acs:SecureTransport":"true"}}"#,
        r#"{"Null":{"acs:AccessId":"true"}}"#,
        r#"{"StringEquals":{}}"#,
        r#"{"StringEquals":"x"}"#,
        r#"{"StringEquals":{"":"x"}}"#,
        r#"{"StringEquals":{"acs:AccessId":[]}}"#,
        r#"{"StringEquals":{"acs:AccessId":7}}"#,
        r#"{"NumericEquals":{"acs:AccessId":"seven"}}"#,
        r#"{"NumericEquals":{"acs:AccessId":"NaN"}}"#,
        r#"{"NumericEquals":{"acs:AccessId":"1e999"}}"#,
        r#"{"NumericEquals":{"acs:AccessId":true}}"#,
        r#"{"DateEquals":{"acs:CurrentTime":"2026-02-30T00:00:00Z"}}"#,
        r#"{"DateEquals":{"acs:CurrentTime":"2026-02-03"}}"#,
        r#"{"Bool":{"acs:SecureTransport":["true","yes"]}}"#,
        r#"{"IpAddress":{"acs:SourceIp":"192.0.2.0/33"}}"#,
        r#"{"IpAddress":{"acs:SourceIp":"192.0.2.*"}}"#,
    ]
    .map(|condition| statement_error(&allow(&format!(r#""Condition":{condition}"#))));
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    S.Condition: expected an object, found a list
    S.Condition: unknown operator "stringEquals"
    S.Condition: unknown operator "ForAnyValue:StringEquals"
    S.Condition: IfExists/Null is unsupported: operator "BoolIfExists"
    S.Condition: IfExists/Null is unsupported: operator "Null"
    S.Condition["StringEquals"]: must not be empty
    S.Condition["StringEquals"]: expected an object, found "x"
    S.Condition["StringEquals"][""]: a condition key has 1 to 128 bytes
    S.Condition["StringEquals"]["acs:AccessId"]: must not be empty
    S.Condition["StringEquals"]["acs:AccessId"]: expected a text, found a number
    S.Condition["NumericEquals"]["acs:AccessId"]: expected a number, found "seven"
    S.Condition["NumericEquals"]["acs:AccessId"]: expected a number, found "NaN"
    S.Condition["NumericEquals"]["acs:AccessId"]: expected a number, found "1e999"
    S.Condition["NumericEquals"]["acs:AccessId"]: expected a number, found true
    S.Condition["DateEquals"]["acs:CurrentTime"]: expected a time with offset, found "2026-02-30T00:00:00Z"
    S.Condition["DateEquals"]["acs:CurrentTime"]: expected a time with offset, found "2026-02-03"
    S.Condition["Bool"]["acs:SecureTransport"][1]: expected "true" or "false", found "yes"
    S.Condition["IpAddress"]["acs:SourceIp"]: expected an IP address or a CIDR block, found "192.0.2.0/33"
    S.Condition["IpAddress"]["acs:SourceIp"]: expected an IP address or a CIDR block, found "192.0.2.*"
    "#);
    let long = format!(r#""Condition":{{"StringEquals":{{"{}":"x"}}}}"#, "k".repeat(129));
    assert!(statement_error(&allow(&long)).ends_with("a condition key has 1 to 128 bytes"));
}

#[test]
fn ram_grammar_duplicate_members_are_refused_at_any_depth() {
    let twice = r#""Condition":{"StringEquals":{"acs:AccessId":"a","acs:AccessId":"b"}}"#;
    assert_eq!(statement_error(&allow(twice)), "policy: a member occurs twice in one object");
    let spelled = r#""Condition":{"StringEquals":{"acs:AccessId":"a","acs:Access\u0049d":"b"}}"#;
    assert_eq!(statement_error(&allow(spelled)), "policy: a member occurs twice in one object");
    let colons = r#""Condition":{"StringEquals":{"a:\":\\":["::",":"]},"StringLike":{"a:\":\\":":\\"}}"#;
    policy(&allow(colons));
}

#[test]
fn ram_refusals_repeat_short_escaped_pieces_only() {
    let noise = "\u{202e}\n<script>".repeat(100);
    let noise = serde_json::Value::from(noise).to_string();
    for statement in [
        allow(&format!("{noise}:1")),
        allow(&format!(r#""Action":{noise}"#)),
        allow(&format!(r#""Resource":{noise}"#)),
        allow(&format!(r#""Condition":{{{noise}:{{}}}}"#)),
        allow(&format!(r#""Condition":{{"Bool":{{"x":{noise}}}}}"#)),
        format!(r#"{{"Effect":{noise},"Action":"*","Resource":"*"}}"#),
    ] {
        let refused = statement_error(&statement);
        assert!(refused.len() < 400 && refused.ends_with("..."), "{refused}");
        assert!(refused.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{refused}");
    }
}

#[test]
fn ram_limit_of_the_policy_text() {
    let short = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let padded = |length: usize| format!("{short}{}", " ".repeat(length - short.len()));
    assert!(Policy::parse("p", &padded(POLICY_BYTES_MAX)).is_ok());
    assert_eq!(error(&padded(POLICY_BYTES_MAX + 1)), "policy: longer than 6144 bytes");
    assert!(Policy::parse_session(&padded(SESSION_POLICY_CHARS_MAX)).is_ok());
    let refused = Policy::parse_session(&padded(SESSION_POLICY_CHARS_MAX + 1)).unwrap_err();
    assert_eq!(refused.to_string(), "policy: longer than 2048 characters");
    assert!(Policy::parse_session("").is_err());
}

#[test]
fn ram_limit_of_the_policy_name() {
    let document = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    for good in ["a", "delete-only", "AliyunENSFullAccess", &"x".repeat(128)] {
        assert_eq!(Policy::parse(good, document).unwrap().name(), good);
    }
    for bad in ["", "a b", "a_b", "é", &"x".repeat(129)] {
        assert!(Policy::parse(bad, document).is_err(), "{bad}");
    }
}

#[test]
fn ram_deeply_nested_text_is_refused() {
    assert!(Policy::parse("p", &"[".repeat(6000)).is_err());
    assert!(Policy::parse("p", &r#"{"a":"#.repeat(1000)).is_err());
}

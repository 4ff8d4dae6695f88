//! The table of cases of the RAM specification, by number.

use super::*;
use crate::ram::PolicyError;

fn refused_by(result: Result<Authorized, Denied>) -> (Layer, bool) {
    let denied = result.unwrap_err();
    (denied.layer(), denied.is_explicit())
}

#[test]
fn ram_case_01_no_policy_is_an_implicit_deny() {
    let result = authorize(&user(), &Policies::default(), DELETE, image(), &context());
    assert_eq!(refused_by(result.clone()), (Layer::Identity, false));
    assert_eq!(result.unwrap_err().detail()[0].1, "AccountLevelIdentityBasedPolicy");
}

#[test]
fn ram_case_02_root_is_allowed_without_policies() {
    let authorized = authorize(&root(), &Policies::default(), DELETE, image(), &context()).unwrap();
    assert_eq!((authorized.action(), authorized.resource()), (DELETE, &image()));
    assert_eq!((authorized.account(), authorized.caller()), (&account(), root().arn().as_str()));
}

#[test]
fn ram_case_02_root_is_not_bound_by_policies() {
    let policies = Policies { identity: vec![policy(&deny(""))], session: Some(policy(&deny(""))) };
    assert!(authorize(&root(), &policies, DELETE, image(), &context()).is_ok());
}

#[test]
fn ram_case_03_service_wildcard_allows() {
    assert_eq!(ask(&[allow(r#""Action":"ens:*","Resource":"*""#)], DELETE), ALLOWED);
}

#[test]
fn ram_case_04_actions_are_compared_without_case() {
    assert_eq!(ask(&[allow(r#""Action":"ENS:deleteimage""#)], DELETE), ALLOWED);
}

#[test]
fn ram_case_05_explicit_deny_beats_allow() {
    let (all, delete) = (allow(r#""Action":"ens:*""#), deny(r#""Action":"ens:DeleteImage""#));
    assert_eq!(ask(&[all.clone(), delete.clone()], DELETE), DENIED);
    assert_eq!(ask(&[delete.clone(), all.clone()], DELETE), DENIED);
    assert_eq!(ask(&[format!("{all},{delete}")], DELETE), DENIED);
}

#[test]
fn ram_case_06_not_action_allows_all_but_the_named() {
    let statement = [allow(r#""NotAction":"ens:DeleteImage""#)];
    assert_eq!(ask(&statement, DELETE), NOT_ALLOWED);
    assert_eq!(ask(&statement, "ens:CreateImage"), ALLOWED);
}

#[test]
fn ram_case_07_action_prefix() {
    let statement = [allow(r#""Action":"ens:Describe*""#)];
    assert_eq!(ask(&statement, "ens:DescribeImages"), ALLOWED);
    assert_eq!(ask(&statement, DELETE), NOT_ALLOWED);
}

const OFFICE: &str = r#"{"acs:SourceIp":"192.0.2.0/24"}"#;

fn from_abroad() -> Context {
    Context { source_ip: Some("198.51.100.1".parse().unwrap()), ..context() }
}

#[test]
fn ram_case_08_allow_from_a_block_of_addresses() {
    let statement = [allow(&format!(r#""Condition":{{"IpAddress":{OFFICE}}}"#))];
    assert_eq!(ask(&statement, DELETE), ALLOWED);
    assert_eq!(ask_in(&statement, DELETE, &from_abroad()), NOT_ALLOWED);
}

#[test]
fn ram_case_09_deny_unless_from_a_block_of_addresses() {
    let statements = [allow(""), deny(&format!(r#""Condition":{{"NotIpAddress":{OFFICE}}}"#))];
    assert_eq!(ask_in(&statements, DELETE, &from_abroad()), DENIED);
    assert_eq!(ask(&statements, DELETE), ALLOWED);
}

#[test]
fn ram_case_10_mfa_is_absent_from_access_key_calls() {
    for value in ["true", "false"] {
        let condition = format!(r#""Condition":{{"Bool":{{"acs:MFAPresent":"{value}"}}}}"#);
        assert_eq!(ask(&[allow(&condition)], DELETE), NOT_ALLOWED, "{value}");
    }
}

#[test]
fn ram_case_11_secure_transport() {
    let statement = [allow(r#""Condition":{"Bool":{"acs:SecureTransport":"true"}}"#)];
    assert_eq!(ask(&statement, DELETE), ALLOWED);
    let plain = Context { secure_transport: false, ..context() };
    assert_eq!(ask_in(&statement, DELETE, &plain), NOT_ALLOWED);
}

#[test]
fn ram_case_12_expired_allow() {
    let yesterday = r#""Condition":{"DateLessThan":{"acs:CurrentTime":"2026-03-26T08:09:10Z"}}"#;
    assert_eq!(ask(&[allow(yesterday)], DELETE), NOT_ALLOWED);
    let tomorrow = yesterday.replace("26T", "28T");
    assert_eq!(ask(&[allow(&tomorrow)], DELETE), ALLOWED);
}

fn delete_in_session(role: &str, session: &str) -> Result<Authorized, Denied> {
    let policies = Policies { identity: vec![policy(&allow(role))], session: Some(policy(session)) };
    authorize(&role_session(), &policies, DELETE, image(), &context())
}

#[test]
fn ram_case_13_session_policy_cuts_the_role_down() {
    let result = delete_in_session(r#""Action":"ens:*""#, &allow(r#""Action":"ens:Describe*""#));
    assert_eq!(refused_by(result.clone()), (Layer::Session, false));
    assert_eq!(result.unwrap_err().detail()[0].1, "SessionPolicy");
}

#[test]
fn ram_case_14_session_policy_grants_nothing() {
    let result = delete_in_session(r#""Action":"ens:Describe*""#, &allow(""));
    assert_eq!(refused_by(result), (Layer::Identity, false));
}

#[test]
fn ram_case_14_role_and_session_policy_together_allow() {
    assert!(delete_in_session(r#""Action":"ens:*""#, &allow("")).is_ok());
}

#[test]
fn ram_case_13_deny_of_a_session_policy_is_explicit() {
    let session = format!("{},{}", allow(""), deny(r#""Action":"ens:DeleteImage""#));
    assert_eq!(refused_by(delete_in_session(r#""Action":"*""#, &session)), (Layer::Session, true));
}

#[test]
fn ram_case_15_resource_of_another_kind_never_matches() {
    assert_eq!(ask(&[allow(r#""Resource":"acs:ens:*:*:instance/i-1""#)], DELETE), NOT_ALLOWED);
}

#[test]
fn ram_case_16_all_keys_of_a_condition_must_hold() {
    let operators = |ip: &str, tls: &str| {
        let ip = format!(r#"{{"acs:SourceIp":"{ip}"}}"#);
        let tls = format!(r#"{{"acs:SecureTransport":"{tls}"}}"#);
        format!(r#""Condition":{{"IpAddress":{ip},"Bool":{tls}}}"#)
    };
    assert_eq!(ask(&[allow(&operators("192.0.2.7", "true"))], DELETE), ALLOWED);
    assert_eq!(ask(&[allow(&operators("192.0.2.8", "true"))], DELETE), NOT_ALLOWED);
    assert_eq!(ask(&[allow(&operators("192.0.2.7", "false"))], DELETE), NOT_ALLOWED);
    let keys = r#""Condition":{"StringEquals":{"acs:AccessId":"ciid","acs:UserAgent":"other"}}"#;
    assert_eq!(ask(&[allow(keys)], DELETE), NOT_ALLOWED);
}

#[test]
fn ram_case_17_negated_operator_differs_from_every_value() {
    let condition =
        |values: &str| format!(r#""Condition":{{"StringNotEquals":{{"acs:AccessId":{values}}}}}"#);
    assert_eq!(ask(&[allow(&condition(r#"["ciid","other"]"#))], DELETE), NOT_ALLOWED);
    assert_eq!(ask(&[allow(&condition(r#"["some","other"]"#))], DELETE), ALLOWED);
}

#[test]
fn ram_case_18_other_versions_and_operators_are_refused() {
    let parse = |version: &str, operator: &str| -> Result<Policy, PolicyError> {
        let statement = allow(&format!(r#""Condition":{{"{operator}":{{"acs:AccessId":"x"}}}}"#));
        Policy::parse("p", &format!(r#"{{"Version":"{version}","Statement":[{statement}]}}"#))
    };
    assert!(parse("1", "StringEquals").is_ok());
    insta::assert_snapshot!(parse("2012-10-17", "StringEquals").unwrap_err(),
        @r#"policy.Version: expected "1", found "2012-10-17""#);
    insta::assert_snapshot!(parse("1", "StringEqualsIfExists").unwrap_err(),
        @r#"policy.Statement[0].Condition: IfExists/Null is unsupported: operator "StringEqualsIfExists""#);
    insta::assert_snapshot!(parse("1", "Null").unwrap_err(),
        @r#"policy.Statement[0].Condition: IfExists/Null is unsupported: operator "Null""#);
}

#[test]
fn ram_order_every_layer_is_asked_in_order() {
    let (yes, no) = ([policy(&allow(""))], [policy(&deny(""))]);
    let ask = |control: &[Arc<Policy>], session: &[Arc<Policy>], identity: &[Arc<Policy>]| {
        let layers = [(Layer::Control, control), (Layer::Session, session), (Layer::Identity, identity)];
        evaluate(&layers, DELETE, &image(), &context())
    };
    assert_eq!(ask(&yes, &yes, &yes), ALLOWED);
    assert_eq!(ask(&[], &[], &[]), Decision::ImplicitDeny(Layer::Control));
    assert_eq!(ask(&yes, &[], &[]), Decision::ImplicitDeny(Layer::Session));
    assert_eq!(ask(&yes, &yes, &[]), NOT_ALLOWED);
    assert_eq!(ask(&[], &[], &no), DENIED, "a Deny anywhere comes before any silence");
    assert_eq!(ask(&no, &no, &no), Decision::ExplicitDeny(Layer::Control));
    assert_eq!(evaluate(&[], DELETE, &image(), &context()), NOT_ALLOWED);
}

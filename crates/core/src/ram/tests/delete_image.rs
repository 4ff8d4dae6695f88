//! What the requirements of `DeleteImage` say about permission (D3 to D7, D26, D27).

use super::*;

fn allowed(statements: &str) -> bool {
    delete_by_user(statements).is_ok()
}

#[test]
fn d03_permission_is_the_action_delete_image() {
    assert!(!allowed(&allow(r#""Action":"ens:DescribeImages""#)));
    for action in ["ens:DeleteImage", "ens:*", "ens:Delete*"] {
        assert!(allowed(&allow(&format!(r#""Action":"{action}""#))), "{action}");
    }
    for other in ["ens:DeleteImages", "ens:DeleteImag", "ecs:DeleteImage", "appstreaming:DeleteImage"] {
        assert!(!allowed(&allow(&format!(r#""Action":"{other}""#))), "{other}");
    }
}

#[test]
fn d03_explicit_deny_beats_allow() {
    let both = format!("{},{}", allow(""), deny(r#""Action":"ens:DeleteImage""#));
    assert!(delete_by_user(&both).unwrap_err().is_explicit());
}

#[test]
fn d04_the_declared_resource_and_the_image_both_grant() {
    for resource in [
        "*",
        "acs:ens:*:*:*",
        "acs:ens:*:1000000000000001:*",
        "acs:ens::1000000000000001:image/m-1",
        "acs:ens:*:1000000000000001:image/m-1",
        "acs:ens:*:*:image/*",
    ] {
        assert!(allowed(&allow(&format!(r#""Resource":"{resource}""#))), "{resource}");
    }
}

#[test]
fn d04_another_image_does_not_grant() {
    for resource in [
        "acs:ens::1000000000000001:image/m-2",
        "acs:ens::1000000000000001:image/m-10",
        "acs:ens::1000000000000001:image/M-1",
        "acs:ens::2000000000000002:image/m-1",
        "acs:ecs::1000000000000001:image/m-1",
        "acs:ens:cn-hangzhou:1000000000000001:image/m-1",
    ] {
        assert!(!allowed(&allow(&format!(r#""Resource":"{resource}""#))), "{resource}");
    }
}

#[test]
fn d04_a_deny_on_either_form_denies() {
    for resource in ["*", "acs:ens:*:*:*", "acs:ens::1000000000000001:image/m-1"] {
        let both = format!("{},{}", allow(""), deny(&format!(r#""Resource":"{resource}""#)));
        assert!(delete_by_user(&both).unwrap_err().is_explicit(), "{resource}");
    }
}

#[test]
fn d05_resource_of_another_type_is_ineffective() {
    assert!(!allowed(&allow(r#""Resource":"acs:ens::1000000000000001:instance/*""#)));
}

#[test]
fn d06_common_condition_keys_apply() {
    for (holds, fails) in [
        (r#"{"IpAddress":{"acs:SourceIp":"192.0.2.7"}}"#, r#"{"IpAddress":{"acs:SourceIp":"192.0.2.8"}}"#),
        (
            r#"{"DateLessThan":{"acs:CurrentTime":"2026-03-28T00:00:00Z"}}"#,
            r#"{"DateLessThan":{"acs:CurrentTime":"2026-03-27T00:00:00Z"}}"#,
        ),
        (r#"{"Bool":{"acs:SecureTransport":"true"}}"#, r#"{"Bool":{"acs:SecureTransport":"false"}}"#),
    ] {
        assert!(allowed(&allow(&format!(r#""Condition":{holds}"#))), "{holds}");
        assert!(!allowed(&allow(&format!(r#""Condition":{fails}"#))), "{fails}");
    }
}

#[test]
fn d07_no_dependent_action() {
    let authorized = delete_by_user(&allow(r#""Action":"ens:DeleteImage""#)).unwrap();
    assert!(authorized.covers("image", "m-1"));
    assert!(!authorized.covers("image", "m-2"));
    assert!(!authorized.covers("instance", "m-1"));
}

#[test]
fn d26_identity_call_needs_no_permission() {
    let authorized = crate::ram::authorize_identity_call(&user());
    assert_eq!(authorized.action(), "sts:GetCallerIdentity");
    assert_eq!(authorized.caller(), "acs:ram::1000000000000001:user/ci");
}

#[test]
fn d27_app_streaming_is_checked_on_everything() {
    let ask = |policies: &[String]| {
        let identity = policies.iter().map(|text| policy(text)).collect();
        let policies = Policies { identity, session: None };
        let everything = Arn::all("appstreaming", &account());
        authorize(&user(), &policies, "appstreaming:DeleteImage", everything, &context())
    };
    assert!(ask(&[]).is_err());
    let granted = ask(&[allow(r#""Action":"appstreaming:DeleteImage""#)]).unwrap();
    assert!(granted.covers("image", "img-1"));
    let denied = ask(&[allow(""), deny(r#""Action":"appstreaming:DeleteImage""#)]).unwrap_err();
    assert!(denied.is_explicit());
}

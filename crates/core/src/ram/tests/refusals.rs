//! What a refusal tells.

use super::*;
use crate::ram::diagnostic_message;

fn show(denied: &Denied) -> String {
    let lines = denied.detail().map(|(name, value)| format!("{name}: {value}"));
    lines.join("\n")
}

#[test]
fn ram_refusal_of_a_user() {
    insta::assert_snapshot!(show(&delete_by_user(&deny("")).unwrap_err()), @"
    PolicyType: AccountLevelIdentityBasedPolicy
    NoPermissionType: ExplicitDeny
    AuthAction: ens:DeleteImage
    AuthPrincipalType: SubUser
    AuthPrincipalDisplayName: 200000000000000001
    AuthPrincipalOwnerId: 1000000000000001
    ");
}

#[test]
fn ram_refusal_of_a_role_session() {
    let session = Some(policy(&allow(r#""Action":"ens:Describe*""#)));
    let policies = Policies { identity: vec![policy(&allow(""))], session };
    let denied = authorize(&role_session(), &policies, DELETE, image(), &context()).unwrap_err();
    insta::assert_snapshot!(show(&denied), @"
    PolicyType: SessionPolicy
    NoPermissionType: ImplicitDeny
    AuthAction: ens:DeleteImage
    AuthPrincipalType: AssumedRoleUser
    AuthPrincipalDisplayName: builder:night
    AuthPrincipalOwnerId: 1000000000000001
    ");
}

#[test]
fn ram_refusal_prints_who_was_refused_what_and_by_whom() {
    assert_eq!(
        delete_by_user(&deny("")).unwrap_err().to_string(),
        "ens:DeleteImage is denied to acs:ram::1000000000000001:user/ci \
         (ExplicitDeny, AccountLevelIdentityBasedPolicy)"
    );
}

#[test]
fn ram_diagnostic_message_is_header_time_and_request_id() {
    let id = "0D94920B-0349-5097-A57F-31876405F2E5";
    let message = diagnostic_message(id, Timestamp::from_millis(0x6543_2101_i64 * 1000 + 999));
    assert_eq!(message.len(), 46);
    assert_eq!(message[..10], [1, 1, 0, 0, 0, 0, 0x65, 0x43, 0x21, 0x01]);
    assert_eq!(&message[10..], id.as_bytes());
    assert_eq!(diagnostic_message("", Timestamp::from_millis(i64::MIN))[6..], [0; 4]);
    assert_eq!(diagnostic_message("", Timestamp::from_millis(i64::MAX))[6..], [0xff; 4]);
}

#[test]
fn ram_root_has_words_for_the_detail_too() {
    assert_eq!(root().arn(), "acs:ram::1000000000000001:root");
    assert_eq!((root().principal_type(), root().display_name()), ("Account", account().to_string()));
}

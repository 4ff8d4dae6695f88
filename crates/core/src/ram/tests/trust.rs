//! Trust policies, and assuming a role.

use super::*;
use crate::ram::{TrustPolicy, authorize_assume_role};

fn trust(principal: &str) -> TrustPolicy {
    parse(&format!(r#""Principal":{principal}"#)).unwrap()
}

fn parse(members: &str) -> Result<TrustPolicy, crate::ram::PolicyError> {
    TrustPolicy::parse(&format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole",{members}}}]}}"#
    ))
}

fn trusts(principal: &str, caller: &Principal) -> bool {
    trust(principal).evaluate(caller, &context()) == ALLOWED
}

#[test]
fn ram_trust_names_accounts_users_and_roles() {
    let (user, role) = (user(), role_session());
    for (principal, trusts_user, trusts_role) in [
        (r#"{"RAM":"acs:ram::1000000000000001:root"}"#, true, true),
        (r#"{"RAM":["acs:ram::1000000000000001:user/ci"]}"#, true, false),
        (r#"{"RAM":["acs:ram::1000000000000001:role/builder"]}"#, false, true),
        (r#"{"RAM":["acs:ram::2000000000000002:root","acs:ram::1000000000000001:user/ci"]}"#, true, false),
        (r#"{"RAM":"acs:ram::2000000000000002:user/ci"}"#, false, false),
        (r#"{"RAM":"acs:ram::1000000000000001:user/CI"}"#, false, false),
        (r#"{"Service":["ecs.aliyuncs.com"]}"#, false, false),
    ] {
        assert_eq!(trusts(principal, &user), trusts_user, "{principal}");
        assert_eq!(trusts(principal, &role), trusts_role, "{principal}");
    }
}

#[test]
fn ram_trust_never_includes_the_account_itself() {
    assert!(!trusts(r#"{"RAM":"acs:ram::1000000000000001:root"}"#, &root()));
}

#[test]
fn ram_trust_deny_beats_allow() {
    let document = r#"{"Version":"1","Statement":[
        {"Effect":"Allow","Action":"sts:AssumeRole",
         "Principal":{"RAM":"acs:ram::1000000000000001:root"}},
        {"Effect":"Deny","Action":"sts:AssumeRole",
         "Principal":{"RAM":"acs:ram::1000000000000001:user/ci"}}]}"#;
    let trust = TrustPolicy::parse(document).unwrap();
    assert_eq!(trust.evaluate(&user(), &context()), Decision::ExplicitDeny(Layer::Trust));
    assert_eq!(trust.evaluate(&role_session(), &context()), ALLOWED);
}

#[test]
fn ram_trust_conditions_apply() {
    let members = r#""Principal":{"RAM":"acs:ram::1000000000000001:root"},
        "Condition":{"IpAddress":{"acs:SourceIp":"192.0.2.7"}}"#;
    let trust = parse(members).unwrap();
    assert_eq!(trust.evaluate(&user(), &context()), ALLOWED);
    let unknown = Context { source_ip: None, ..context() };
    assert_eq!(trust.evaluate(&user(), &unknown), Decision::ImplicitDeny(Layer::Trust));
}

/// The words by which a stranger shows that it acts for whom the owner of the role agreed it with.
#[test]
fn ram_trust_may_ask_for_an_external_id() {
    let members = r#""Principal":{"RAM":"acs:ram::1000000000000001:root"},
        "Condition":{"StringEquals":{"sts:ExternalId":"agreed"}}"#;
    let trust = parse(members).unwrap();
    for (told, expected) in [
        (Some("agreed"), ALLOWED),
        (Some("Agreed"), Decision::ImplicitDeny(Layer::Trust)),
        (None, Decision::ImplicitDeny(Layer::Trust)),
    ] {
        let context = Context { external_id: told.map(str::to_owned), ..context() };
        assert_eq!(trust.evaluate(&user(), &context), expected, "{told:?}");
    }
}

#[test]
fn ram_trust_refuses_what_it_would_not_honour() {
    for members in [
        r#""Principal":{}"#,
        r#""Principal":"*""#,
        r#""Principal":{"RAM":[]}"#,
        r#""Principal":{"RAM":"*"}"#,
        r#""Principal":{"RAM":"acs:ram::*:root"}"#,
        r#""Principal":{"RAM":"acs:ram::1000000000000001:user/*"}"#,
        r#""Principal":{"RAM":"acs:ram::1000000000000001:user/"}"#,
        r#""Principal":{"RAM":"acs:ram::1000000000000001:group/g"}"#,
        r#""Principal":{"RAM":"acs:ram:::root"}"#,
        r#""Principal":{"Federated":"acs:ram::1000000000000001:saml-provider/x"}"#,
        r#""Principal":{"Service":"ecs.aliyuncs.com","Federated":"x"}"#,
        r#""Principal":{"Service":"not a service"}"#,
        r#""Principal":{"Service":""}"#,
        r#""Principal":{"RAM":"acs:ram::1000000000000001:root"},"Resource":"*""#,
        r#""NotAction":"x:y","Principal":{"RAM":"acs:ram::1000000000000001:root"}"#,
    ] {
        assert!(parse(members).is_err(), "{members}");
    }
    let other = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["sts:*"],
        "Principal":{"RAM":"acs:ram::1000000000000001:root"}}]}"#;
    insta::assert_snapshot!(TrustPolicy::parse(other).unwrap_err(),
        @r#"policy.Statement[0].Action[0]: expected sts:AssumeRole, found "sts:*""#);
    assert!(TrustPolicy::parse(&other.replace("sts:*", "STS:assumerole")).is_ok());
    assert!(TrustPolicy::parse(&" ".repeat(6145)).is_err());
}

#[test]
fn ram_assume_role_needs_both_policies() {
    let role = || Arn::of("ram", &account(), "role", "builder");
    let assume = |own: &str, principal: &str| {
        let policies = Policies { identity: vec![policy(own)], session: None };
        authorize_assume_role(&user(), &policies, role(), &trust(principal), &context())
    };
    let own = allow(r#""Action":"sts:AssumeRole","Resource":"acs:ram:*:1000000000000001:role/builder""#);
    let (trusted, stranger) =
        (r#"{"RAM":"acs:ram::1000000000000001:root"}"#, r#"{"RAM":"acs:ram::2000000000000002:root"}"#);

    let authorized = assume(&own, trusted).unwrap();
    assert_eq!((authorized.action(), authorized.resource()), ("sts:AssumeRole", &role()));
    assert_eq!(assume(&own, stranger).unwrap_err().layer(), Layer::Trust);
    assert_eq!(assume(&own, stranger).unwrap_err().detail()[0].1, "AssumeRolePolicy");
    assert_eq!(assume(&allow(r#""Action":"ens:*""#), trusted).unwrap_err().layer(), Layer::Identity);
}

#[test]
fn ram_assume_role_is_refused_to_the_account_itself() {
    let role = Arn::of("ram", &account(), "role", "builder");
    let trust = trust(r#"{"RAM":"acs:ram::1000000000000001:root"}"#);
    let denied = authorize_assume_role(&root(), &Policies::default(), role, &trust, &context()).unwrap_err();
    assert_eq!((denied.layer(), denied.is_explicit()), (Layer::Trust, false));
}

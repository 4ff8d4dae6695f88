//! Who may delete: D3 to D7, by the policies of RAM users.

use super::deleted;
use crate::support::{OTHER, Setup, World};

/// Policies that refuse, with the kind of refusal.
const REFUSING: [(&str, &str, &str); 16] = [
    ("none", "", "ImplicitDeny"),
    ("describe", r#"{"Effect":"Allow","Action":"ens:DescribeImages","Resource":"*"}"#, "ImplicitDeny"),
    ("not-action", r#"{"Effect":"Allow","NotAction":"ens:DeleteImage","Resource":"*"}"#, "ImplicitDeny"),
    ("other-service", r#"{"Effect":"Allow","Action":"ecs:DeleteImage","Resource":"*"}"#, "ImplicitDeny"),
    (
        "denied",
        r#"{"Effect":"Allow","Action":"*","Resource":"*"},
           {"Effect":"Deny","Action":"ens:DeleteImage","Resource":"*"}"#,
        "ExplicitDeny",
    ),
    (
        "denied-first",
        r#"{"Effect":"Deny","Action":"ens:Delete*","Resource":"*"},
           {"Effect":"Allow","Action":"*","Resource":"*"}"#,
        "ExplicitDeny",
    ),
    (
        "denied-on-images",
        r#"{"Effect":"Allow","Action":"ens:*","Resource":"*"},
           {"Effect":"Deny","Action":"ens:*","Resource":"acs:ens:*:*:image/*"}"#,
        "ExplicitDeny",
    ),
    (
        "other-image",
        r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"acs:ens::1000000000000001:image/m-1"}"#,
        "ImplicitDeny",
    ),
    (
        "other-account",
        r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"acs:ens::1000000000000002:image/*"}"#,
        "ImplicitDeny",
    ),
    (
        "d5-instances",
        r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"acs:ens::1000000000000001:instance/*"}"#,
        "ImplicitDeny",
    ),
    (
        "d6-from-elsewhere",
        r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"IpAddress":{"acs:SourceIp":"192.0.2.0/24"}}}"#,
        "ImplicitDeny",
    ),
    (
        "d6-over-tls",
        r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"Bool":{"acs:SecureTransport":"true"}}}"#,
        "ImplicitDeny",
    ),
    (
        "d6-with-mfa",
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"acs:MFAPresent":"true"}}}"#,
        "ImplicitDeny",
    ),
    (
        "d6-until-yesterday",
        r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"DateLessThan":{"acs:CurrentTime":"2026-03-26T08:09:10Z"}}}"#,
        "ImplicitDeny",
    ),
    (
        "d6-one-of-two",
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
            "IpAddress":{"acs:SourceIp":"127.0.0.1"},"Bool":{"acs:SecureTransport":"true"}}}"#,
        "ImplicitDeny",
    ),
    (
        "d6-not-from-here",
        r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*",
            "Condition":{"NotIpAddress":{"acs:SourceIp":"192.0.2.0/24"}}}"#,
        "ExplicitDeny",
    ),
];

#[tokio::test]
async fn d3_to_d6_policies_that_do_not_grant() {
    let users: Vec<(&str, String)> = REFUSING.iter().map(|(name, text, _)| (*name, one_line(text))).collect();
    let users: Vec<(&str, &str)> = users.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let world = World::open(Setup::with_users(&users)).await;
    let image = world.import().await;
    let before = world.print().await;
    for (name, _, kind) in REFUSING {
        let body = world.user(name).denied("DeleteImage", &[("ImageId", &image)], kind).await;
        assert_eq!(body["AccessDeniedDetail"]["AuthPrincipalDisplayName"], format!("2{name}"));
    }
    assert_eq!(world.print().await, before);
}

/// Policies that grant.
const GRANTING: [(&str, &str); 10] = [
    ("exact", r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"*"}"#),
    ("any-case", r#"{"Effect":"Allow","Action":"ENS:deleteimage","Resource":"*"}"#),
    ("service", r#"{"Effect":"Allow","Action":"ens:*","Resource":"*"}"#),
    ("prefix", r#"{"Effect":"Allow","Action":["ens:Describe*","ens:Delete*"],"Resource":"*"}"#),
    ("everything", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
    ("d4-any-thing", r#"{"Effect":"Allow","Action":"ens:*","Resource":"acs:ens:*:*:*"}"#),
    ("d4-any-image", r#"{"Effect":"Allow","Action":"ens:*","Resource":"acs:ens::1000000000000001:image/*"}"#),
    (
        "d6-from-here",
        r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"IpAddress":{"acs:SourceIp":["192.0.2.1","127.0.0.0/8"]}}}"#,
    ),
    (
        "d6-until-tomorrow",
        r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"DateLessThan":{"acs:CurrentTime":"2026-03-28T08:09:10Z"}}}"#,
    ),
    (
        "d3-deny-of-another",
        r#"{"Effect":"Allow","Action":"*","Resource":"*"},
           {"Effect":"Deny","Action":"ens:RunInstances","Resource":"*"}"#,
    ),
];

#[tokio::test]
async fn d3_to_d6_policies_that_grant() {
    let users: Vec<(&str, String)> = GRANTING.iter().map(|(name, text)| (*name, one_line(text))).collect();
    let users: Vec<(&str, &str)> = users.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let world = World::open(Setup::with_users(&users)).await;
    for (name, _) in GRANTING {
        deleted(&world, &world.user(name), &world.import().await).await;
    }
}

/// A policy may name the one image; both spellings of the region count.
#[tokio::test]
async fn d4_the_resource_of_this_image_grants_and_that_of_another_does_not() {
    let mut world = World::new().await;
    let (one, other) = (world.import().await, world.import().await);
    let allow = |region: &str, image: &str| {
        let arn = format!("acs:ens:{region}:1000000000000001:image/{image}");
        format!(r#"{{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"{arn}"}}"#)
    };
    world.replace_users(&[("documented", &allow("", &one)), ("any-region", &allow("*", &other))]);
    let (documented, any_region) = (world.user("documented"), world.user("any-region"));
    documented.denied("DeleteImage", &[("ImageId", &other)], "ImplicitDeny").await;
    any_region.denied("DeleteImage", &[("ImageId", &one)], "ImplicitDeny").await;
    deleted(&world, &documented, &one).await;
    deleted(&world, &any_region, &other).await;
}

/// The user may neither see images nor instances nor shares, and no rights of the account are lent.
#[tokio::test]
async fn d7_no_other_action_is_needed() {
    let only = r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"*"}"#;
    let world = World::open(Setup::with_users(&[("ci", only)])).await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let user = world.user("ci");
    user.denied("DescribeSelfImages", &[], "ImplicitDeny").await;
    deleted(&world, &user, &image).await;
}

/// Policies stand on one line in the configuration of the tests.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect()
}

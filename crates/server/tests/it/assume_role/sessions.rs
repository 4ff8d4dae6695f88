//! Requests with temporary keys: when they are good, what they may do, and how they end.

use calotype::sessions::KEPT_AFTER_END_MS;
use calotype::wire::sign::Key;
use calotype::wire::signature::Secret;
use calotype::wire::signature::acs3::Algorithm;
use calotype::workers::nonces::run_once;
use calotype_store::seam::{Effect, Fault};
use serde_json::Value;

use super::{ALL, STS, assume, credentials};
use crate::support::caller::{Answer, Caller, assert_refused};
use crate::support::raw::{RawReply, Signed, exchange, fresh_nonce};
use crate::support::refusals::{NO_PERMISSION, NONCE_USED, Row, UNAVAILABLE};
use crate::support::{ENS, OWNER, Setup, World};

const EXPIRED: Row = (400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
const MALFORMED: Row = (400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.");
const MISMATCH: Row = (
    400,
    "InvalidSecurityToken.MismatchWithAccessKey",
    "Specified SecurityToken mismatch with the AccessKey.",
);
const NO_TOKEN: Row = (400, "MissingSecurityToken", "SecurityToken is mandatory for this action.");
const NO_KEY: Row = (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");

/// Parts of temporary keys, put together as somebody would.
struct Parts {
    id: String,
    secret: Secret,
    token: Option<String>,
}

impl Parts {
    fn of(credentials: &Value) -> Self {
        let part = |name: &str| credentials[name].as_str().unwrap().to_owned();
        Self {
            id: part("AccessKeyId"),
            secret: Secret::new(part("AccessKeySecret")),
            token: Some(part("SecurityToken")),
        }
    }

    /// The same key with another token.
    fn with(&self, token: Option<&str>) -> Self {
        Self { id: self.id.clone(), secret: self.secret.clone(), token: token.map(str::to_owned) }
    }

    /// The bytes of a call that lists images, in each way of signing.
    fn requests(&self, world: &World) -> [Vec<u8>; 3] {
        let key =
            Key { access_key_id: &self.id, secret: &self.secret, security_token: self.token.as_deref() };
        let nonces = [fresh_nonce(), fresh_nonce(), fresh_nonce()];
        let signed = |nonce| Signed {
            key,
            version: ENS,
            action: "DescribeImages",
            params: &[("PageSize", "7"), ("ImageName", "a b+c~*")],
            at: world.clock.now(),
            nonce,
        };
        [
            signed(&nonces[0]).v1(world.address),
            signed(&nonces[1]).acs3(world.address, Algorithm::Sha256),
            signed(&nonces[2]).acs3(world.address, Algorithm::Sm3),
        ]
    }

    /// Checks that every way of signing is refused so.
    async fn refused(&self, world: &World, row: Row, what: &str) {
        for request in self.requests(world) {
            assert_row(&exchange(world.address, &request).await, row, what);
        }
    }
}

fn assert_row(reply: &RawReply, row: Row, what: &str) {
    assert_eq!((reply.status, &*reply.code(), &*reply.member("Message")), row, "{what}");
}

#[tokio::test]
async fn every_way_of_signing_takes_a_token_and_a_nonce_counts_once() {
    let world = super::world(&[("builder", ALL)]).await;
    let parts = Parts::of(&credentials(&world.assumer, "builder", &[]).await);
    for request in parts.requests(&world) {
        let reply = exchange(world.address, &request).await;
        assert_eq!((reply.status, &reply.json()["PageSize"]), (200, &Value::from(7)), "{}", reply.body);
        assert_row(&exchange(world.address, &request).await, NONCE_USED, "again");
    }
}

#[tokio::test]
async fn a_temporary_key_opens_nothing_without_its_own_token() {
    let world = super::world(&[("builder", ALL)]).await;
    let own = Parts::of(&credentials(&world.assumer, "builder", &[]).await);
    let other = Parts::of(&credentials(&world.assumer, "builder", &[]).await);
    let token = own.token.clone().unwrap();
    // Its beginning names the key, the rest was never issued.
    let made_up = format!("{}{}", &token[..22], &other.token.as_deref().unwrap()[22..]);
    // First as strangers to this server, then when it remembers the session.
    for round in ["unknown", "remembered"] {
        own.with(None).refused(&world, NO_TOKEN, round).await;
        own.with(other.token.as_deref()).refused(&world, MISMATCH, round).await;
        for token in ["x", "CAISfakeToken+abc/def==", &token[1..], &made_up] {
            own.with(Some(token)).refused(&world, MALFORMED, &format!("{round}: {token}")).await;
        }
        let stolen = Parts { secret: other.secret.clone(), ..own.with(Some(&token)) };
        for request in stolen.requests(&world) {
            assert_eq!(exchange(world.address, &request).await.code(), "SignatureDoesNotMatch", "{round}");
        }
        for request in own.requests(&world) {
            assert_eq!(exchange(world.address, &request).await.status, 200, "{round}");
        }
    }
}

#[tokio::test]
async fn tokens_and_keys_that_do_not_belong_together_are_refused() {
    let world = super::world(&[("builder", ALL)]).await;
    let session = Parts::of(&credentials(&world.assumer, "builder", &[]).await);
    let permanent = |token: Option<&str>| Parts {
        id: "ak-owner".to_owned(),
        secret: Secret::new("secret-of-owner"),
        token: token.map(str::to_owned),
    };
    permanent(session.token.as_deref()).refused(&world, MISMATCH, "a token for a permanent key").await;
    permanent(Some("made-up")).refused(&world, MALFORMED, "no token").await;
    for request in permanent(None).requests(&world) {
        assert_eq!(exchange(world.address, &request).await.status, 200);
    }
    for id in ["STS.", "STS.unknown", "STS.00000000000000000000000000000000", "sts.x"] {
        let unknown = Parts { id: id.to_owned(), ..session.with(session.token.as_deref()) };
        unknown.refused(&world, NO_KEY, id).await;
        Parts { token: None, ..unknown }.refused(&world, NO_KEY, id).await;
    }
}

#[tokio::test]
async fn a_session_ends_at_its_time_and_is_forgotten_a_day_later() {
    let world = super::world(&[("builder", ALL)]).await;
    let short = [("DurationSeconds", "900")];
    let (used, unused) = (
        Parts::of(&credentials(&world.assumer, "builder", &short).await),
        Parts::of(&credentials(&world.assumer, "builder", &short).await),
    );
    world.pass(899);
    for request in used.requests(&world) {
        assert_eq!(exchange(world.address, &request).await.status, 200);
    }
    world.pass(1);
    for parts in [&used, &unused] {
        parts.refused(&world, EXPIRED, "over").await;
        parts.with(None).refused(&world, NO_TOKEN, "over").await;
    }
    // Whoever does not know the token does not learn that it is over.
    let other = unused.token.clone().unwrap();
    used.with(Some(&other)).refused(&world, MISMATCH, "over").await;

    let kept = |world| async move { World::count(world, "SELECT COUNT(*) FROM sessions", &[]).await };
    world.pass(KEPT_AFTER_END_MS / 1_000);
    run_once(&world.app).await.unwrap();
    assert_eq!(kept(&world).await, 2);
    world.pass(1);
    run_once(&world.app).await.unwrap();
    assert_eq!(kept(&world).await, 0);
    unused.refused(&world, NO_KEY, "forgotten").await;
}

/// Every server of an installation knows the sessions that one of them has begun.
#[tokio::test]
async fn sessions_are_known_after_a_restart_and_to_other_servers() {
    let world = super::world(&[("builder", ALL)]).await;
    let credentials = credentials(&world.assumer, "builder", &[]).await;
    let other = world.fork().await;
    let world = world.reopen().await;
    for server in [&other, &world] {
        let session = Caller::temporary(server.address, &credentials, &server.clock);
        session.ok("DescribeImages", &[]).await;
    }
}

/// What a session may do is what its role may now; a role that is gone ends it.
#[tokio::test]
async fn the_role_of_the_present_configuration_counts() {
    let mut world = super::world(&[("builder", ALL)]).await;
    let session = assume(&world, "builder", &[]).await;
    session.ok("DescribeImages", &[]).await;
    world.replace_more(&Setup::role(
        "builder",
        r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"*"}"#,
    ));
    let answer = session.call(ENS, "DescribeImages", &[]).await;
    assert_refused(&answer, NO_PERMISSION, "another policy");
    world.replace_more(&Setup::role("another", ALL));
    assert_refused(&session.call(ENS, "DescribeImages", &[]).await, EXPIRED, "the role is gone");
    assert_refused(&session.call(STS, "GetCallerIdentity", &[]).await, EXPIRED, "the role is gone");
    world.replace_more(&Setup::role("builder", ALL));
    session.ok("DescribeImages", &[]).await;
}

fn detail(answer: &Answer) -> [&str; 5] {
    let names = [
        "PolicyType",
        "NoPermissionType",
        "AuthPrincipalType",
        "AuthPrincipalDisplayName",
        "AuthPrincipalOwnerId",
    ];
    names.map(|name| answer.body["AccessDeniedDetail"][name].as_str().unwrap_or_default())
}

/// The session policy takes away and never gives.
#[tokio::test]
async fn a_session_may_do_what_role_and_session_policy_both_allow() {
    let describe = r#"{"Effect":"Allow","Action":"ens:Describe*","Resource":"*"}"#;
    let deny = r#"{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"ens:DeleteImage","Resource":"*"}"#;
    let policy = |statements: &str| format!(r#"{{"Version":"1","Statement":[{statements}]}}"#);
    let world = super::world(&[("all", ALL), ("describe", describe), ("nothing", "")]).await;
    let image = world.import().await;
    let (all, describe, deny) = (policy(ALL), policy(describe), policy(deny));
    let (session, identity) = ("SessionPolicy", "AccountLevelIdentityBasedPolicy");
    for (role, policy, denied) in [
        ("all", describe.as_str(), Some((session, "ImplicitDeny"))),
        ("all", &deny, Some((session, "ExplicitDeny"))),
        ("describe", &all, Some((identity, "ImplicitDeny"))),
        ("nothing", &all, Some((identity, "ImplicitDeny"))),
        ("nothing", &describe, Some((session, "ImplicitDeny"))),
        ("describe", "", Some((identity, "ImplicitDeny"))),
        ("all", &all, None),
    ] {
        let more = [("Policy", policy)];
        let caller = assume(&world, role, if policy.is_empty() { &[] } else { &more }).await;
        let answer = caller.call(ENS, "DeleteImage", &[("ImageId", &image)]).await;
        let what = format!("{role} with {policy}");
        let Some((layer, kind)) = denied else {
            assert_eq!(answer.status, 200, "{what}: {}", answer.body);
            continue;
        };
        assert_refused(&answer, NO_PERMISSION, &what);
        let expected = [layer, kind, "AssumedRoleUser", &format!("{role}:night"), OWNER];
        assert_eq!(detail(&answer), expected, "{what}");
    }
}

/// Conditions see the session, and its key.
#[tokio::test]
async fn conditions_see_the_session() {
    let when = |key: &str, value: &str| {
        format!(
            r#"{{"Effect":"Allow","Action":"ens:*","Resource":"*","Condition":{{"StringLike":{{"{key}":"{value}"}}}}}}"#
        )
    };
    let night = format!("acs:ram::{OWNER}:assumed-role/by-arn/night");
    let world = super::world(&[
        ("by-arn", &when("acs:PrincipalARN", &night)),
        ("by-role", &when("acs:PrincipalARN", &format!("acs:ram::{OWNER}:role/by-role"))),
        ("by-key", &when("acs:AccessId", "STS.*")),
    ])
    .await;
    for (role, may) in [("by-arn", true), ("by-role", false), ("by-key", true)] {
        let answer = assume(&world, role, &[]).await.call(ENS, "DescribeImages", &[]).await;
        assert_eq!(answer.status == 200, may, "{role}: {}", answer.body);
    }
}

/// Who deleted an image is the session, not the one who assumed the role.
#[tokio::test]
async fn a_deletion_tells_the_session() {
    let world = super::world(&[("builder", ALL)]).await;
    let image = world.import().await;
    assume(&world, "builder", &[]).await.ok("DeleteImage", &[("ImageId", &image)]).await;
    let caller = world.text("SELECT caller FROM deletions WHERE image_id = $1", &[(&image).into()]).await;
    assert_eq!(caller, format!("acs:ram::{OWNER}:assumed-role/builder/night"));
}

/// As long as sessions cannot be looked up, those that are remembered go on.
#[tokio::test]
async fn a_store_that_is_away_is_not_an_unknown_key() {
    let world = super::world(&[("builder", ALL)]).await;
    let (used, unused) = (assume(&world, "builder", &[]).await, assume(&world, "builder", &[]).await);
    used.ok("DescribeImages", &[]).await;
    world.faults().arm(Fault { statement: "FROM sessions", effect: Effect::Unavailable });
    assert_refused(&unused.call(STS, "GetCallerIdentity", &[]).await, UNAVAILABLE, "away");
    assert_eq!(used.call(STS, "GetCallerIdentity", &[]).await.status, 200);
    world.faults().clear();
    assert_eq!(unused.call(STS, "GetCallerIdentity", &[]).await.status, 200);
}

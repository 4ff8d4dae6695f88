//! Every operation is refused to who has no key, a wrong one, no policy, or one that denies; and to who comes too
//! late, or again.

use calotype::operations::OPERATIONS;
use calotype::products::Operation;
use calotype::wire::encode;
use calotype::wire::sign::Key;
use calotype::wire::signature::Secret;

use super::GRACE;
use super::drive::Stage;
use crate::support::caller::{Caller, Params, assert_denied, assert_refused};
use crate::support::raw::{RawReply, Signed, V1, exchange, fresh_nonce};
use crate::support::refusals::{
    EXPIRED, NO_PERMISSION, NONCE_USED, NOT_AUTHORIZED, NOT_AUTHORIZED_BY_RAM, Row,
};
use crate::support::{Setup, World};

#[tokio::test]
async fn nothing_is_done_without_key_signature_or_permission() {
    // The first may do everything, but nothing.
    let denied =
        r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*"}"#;
    let users = Setup::with_users(&[("denied", denied), ("nobody", "")]);
    let world = World::open(Setup { settings: GRACE.to_owned(), ..users }).await;
    let stage = Stage::set(&world).await;
    let thief = Caller::with_secret(world.address, "owner", "not the secret", &world.clock);
    let users = [(world.user("nobody"), "ImplicitDeny"), (world.user("denied"), "ExplicitDeny")];
    for operation in OPERATIONS {
        let (version, name) = (operation.api.version, operation.name);
        let params = stage.params(&world, operation).await;
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = world.print().await;

        let common = [("Action", name), ("Version", version), ("Format", "JSON")];
        let form = encode::query(common.iter().chain(&params).copied());
        let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
        let reply = exchange(world.address, &v1.unsigned(world.address, &form)).await;
        let missing = (400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.");
        assert_row(&reply, missing, name);

        let answer = thief.call(version, name, &params).await;
        assert_eq!((answer.status, answer.code()), (400, Some("SignatureDoesNotMatch")), "{name}");

        for (user, kind) in &users {
            let answer = user.call(version, name, &params).await;
            if name == "GetCallerIdentity" {
                assert_eq!(answer.status, 200, "whoever has a key may learn whose it is");
                continue;
            }
            let row = match operation.api.name {
                "ens" => NO_PERMISSION,
                "sts" => NOT_AUTHORIZED_BY_RAM,
                _ => NOT_AUTHORIZED,
            };
            assert_refused(&answer, row, name);
            assert_denied(&answer.body, operation.action, kind);
        }
        assert_eq!(world.print().await, before, "{name}");
        // It was refused for nothing else: the account itself may.
        assert_eq!(Stage::caller(&world, operation).call(version, name, &params).await.status, 200, "{name}");
    }
}

/// Who signs in these tests: one who may.
fn key<'a>(operation: &Operation, secret: &'a Secret) -> Key<'a> {
    let access_key_id = if operation.name == "AssumeRole" { "ak-assumer" } else { "ak-owner" };
    Key { access_key_id, secret, security_token: None }
}

fn assert_row(reply: &RawReply, row: Row, what: &str) {
    assert_eq!((reply.status, &*reply.code(), &*reply.member("Message")), row, "{what}");
}

/// Nothing is done for who comes too late or too early, nor for who sends what was sent before, whatever became of
/// that.
#[tokio::test]
async fn nothing_is_done_late_early_or_twice() {
    let world = World::open(Setup::with(GRACE)).await;
    let stage = Stage::set(&world).await;
    for operation in OPERATIONS {
        let (version, name) = (operation.api.version, operation.name);
        let owned = stage.params(&world, operation).await;
        let params: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let secret = if name == "AssumeRole" { "secret-of-assumer" } else { "secret-of-owner" };
        let (secret, now) = (Secret::new(secret), world.clock.now());
        let key = key(operation, &secret);
        let signed = |params: &Params<'_>, action: &str, version: &str, seconds: i64, nonce: &str| {
            let at = now.plus_millis(seconds * 1_000);
            Signed { key, version, action, params, at, nonce }.v1(world.address)
        };
        let before = world.print().await;
        for seconds in [-901, 901] {
            let bytes = signed(&params, name, version, seconds, &fresh_nonce());
            assert_row(&exchange(world.address, &bytes).await, EXPIRED, name);
        }

        // Spent by something harmless, and by something that was refused.
        let (spent, wasted) = (fresh_nonce(), fresh_nonce());
        let harmless = signed(&[], "GetCallerIdentity", "2015-04-01", 0, &spent);
        assert_eq!(exchange(world.address, &harmless).await.status, 200, "{name}");
        let refused = signed(&[], "NoSuchAction", version, 0, &wasted);
        assert_eq!(exchange(world.address, &refused).await.code(), "InvalidAction.NotFound", "{name}");
        for nonce in [spent, wasted] {
            let bytes = signed(&params, name, version, 0, &nonce);
            assert_row(&exchange(world.address, &bytes).await, NONCE_USED, name);
        }
        assert_eq!(world.print().await, before, "{name}");

        // It was refused for nothing else; and what was carried out is not carried out again.
        let bytes = signed(&params, name, version, 900, &fresh_nonce());
        let reply = exchange(world.address, &bytes).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        let after = world.print().await;
        assert_row(&exchange(world.address, &bytes).await, NONCE_USED, name);
        assert_eq!(world.print().await, after, "{name}");
    }
}

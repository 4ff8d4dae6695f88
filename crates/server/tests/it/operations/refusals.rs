//! Every operation is refused to who has no key, a wrong one, no policy, or one that denies.

use calotype::operations::OPERATIONS;
use calotype::wire::encode;

use super::drive::Stage;
use crate::support::caller::{Caller, assert_denied, assert_refused};
use crate::support::raw::{V1, exchange};
use crate::support::refusals::{NO_PERMISSION, NOT_AUTHORIZED};
use crate::support::{Setup, World};

#[tokio::test]
async fn nothing_is_done_without_key_signature_or_permission() {
    // The first may do everything, but nothing.
    let denied =
        r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*"}"#;
    let world = World::open(Setup::with_users(&[("denied", denied), ("nobody", "")])).await;
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
        assert_eq!((reply.status, &*reply.code(), &*reply.member("Message")), missing, "{name}");

        let answer = thief.call(version, name, &params).await;
        assert_eq!((answer.status, answer.code()), (400, Some("SignatureDoesNotMatch")), "{name}");

        for (user, kind) in &users {
            let answer = user.call(version, name, &params).await;
            if name == "GetCallerIdentity" {
                assert_eq!(answer.status, 200, "whoever has a key may learn whose it is");
                continue;
            }
            let row = if operation.api.name == "ens" { NO_PERMISSION } else { NOT_AUTHORIZED };
            assert_refused(&answer, row, name);
            assert_denied(&answer.body, operation.action, kind);
        }
        assert_eq!(world.print().await, before, "{name}");
        // It was refused for nothing else: the account itself may.
        assert_eq!(world.owner.call(version, name, &params).await.status, 200, "{name}");
    }
}

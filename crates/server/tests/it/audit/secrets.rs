//! Nothing that lets somebody in, and no policy, ever stands in the log, however much of it is shown.

use calotype::wire::encode;
use calotype::wire::sign::{Key, sign_v1};
use calotype::wire::signature::Secret;

use super::Log;
use crate::support::app_streaming::{AS, OWN};
use crate::support::caller::Caller;
use crate::support::raw::{V1, exchange};
use crate::support::{ENS, Setup, World};

const STATEMENT: &str = concat!(
    r#"{"Effect":"Deny","Action":"ens:DeleteImage","Resource":"*","#,
    r#""Condition":{"StringEquals":{"acs:UserAgent":"marked-condition"}}}"#,
);

#[tokio::test]
async fn no_secret_signature_or_policy_is_ever_logged() {
    let log = Log::listen();
    let world = World::open(Setup::with_users(&[("user", STATEMENT)])).await;
    let image = world.import().await;
    let thief = Caller::with_secret(world.address, "owner", "not the secret", &world.clock);
    for caller in [&thief, &world.user("user"), &world.other, &world.user("stranger"), &world.owner] {
        for (version, action) in
            [(ENS, "DeleteImage"), (AS, "DeleteImage"), (OWN, "RestoreImage"), (ENS, "NoSuchOperation")]
        {
            caller.call(version, action, &[("ImageId", &image)]).await;
        }
    }
    let signatures = signatures(&world, &image).await;
    world.drain().await;

    let text = log.text();
    assert!(
        text.contains("delete_image denied") && text.contains("SignatureDoesNotMatch"),
        "it was listening"
    );
    let secrets = ["owner", "other", "third", "user", "stranger"].map(|name| format!("secret-of-{name}"));
    let fixed = ["testsecret", "not the secret", "marked-condition", "\"Effect", "\\\"Effect", "sts-token"];
    let hidden = secrets.iter().map(String::as_str).chain(fixed).chain(signatures.iter().map(String::as_str));
    for hidden in hidden {
        let found = text.lines().find(|line| line.contains(hidden));
        assert_eq!(found, None, "{hidden}");
    }
}

/// Sends a good signature, a good one with another parameter, and a token; gives every signature that was sent.
async fn signatures(world: &World, image: &str) -> Vec<String> {
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let secret = Secret::new("testsecret");
    let key = Key { access_key_id: "testid", secret: &secret, security_token: Some("sts-token-0") };
    let params = [("Action", "DeleteImage"), ("Version", ENS), ("Format", "JSON"), ("ImageId", image)];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut signatures = Vec::new();
    for (nonce, key, more) in [
        ("one", Key { security_token: None, ..key }, ""),
        ("two", Key { security_token: None, ..key }, "&ImageName=another"),
        ("three", key, ""),
    ] {
        let signed = sign_v1(key, "POST", &params, world.clock.now(), nonce);
        let form = encode::query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let reply = exchange(world.address, &v1.unsigned(world.address, &format!("{form}{more}"))).await;
        assert!(
            ["Error.DeleteImage", "SignatureDoesNotMatch", "InvalidSecurityToken.Malformed"]
                .contains(&reply.code().as_str()),
            "{reply:?}"
        );
        let (_, signature) = signed.iter().find(|(name, _)| name == "Signature").unwrap();
        signatures.extend([signature.clone(), encode::encode(signature)]);
    }
    signatures
}

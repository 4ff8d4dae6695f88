//! The gateway looks at everything in one order: of several things that are wrong, the first is told.

use calotype::wire::encode;
use calotype::wire::sign::{Key, sign_v1};
use calotype::wire::signature::Secret;

use crate::support::raw::{V1, exchange, fresh_nonce};
use crate::support::{ENS, Setup, World};

/// The codes, in the order of the checks: form, operation named, credentials, time, key, token, signature, nonce,
/// operation known, rate, parameters, permission, state.
///
/// Source: protocol, errors.
const ORDER: [&str; 18] = [
    "UnsupportedHTTPMethod",
    "InvalidParameter.Format",
    "MissingAction",
    "MissingVersion",
    "MissingAccessKeyId",
    "MissingSignature",
    "MissingSignatureMethod",
    "MissingSignatureNonce",
    "InvalidTimeStamp.Format",
    "InvalidTimeStamp.Expired",
    "InvalidAccessKeyId.NotFound",
    "InvalidSecurityToken.Malformed",
    "SignatureDoesNotMatch",
    "SignatureNonceUsed",
    "InvalidVersion",
    "InvalidAction.NotFound",
    "Throttling.User",
    "MissingParameter",
];

/// What comes behind, once the account may call again.
const BEHIND: [&str; 2] = ["NoPermission", "Error.DeleteImage"];

/// A request in which the first so many faults are mended, and all others are there.
struct Mended {
    faults: usize,
    spent: String,
}

impl Mended {
    /// Whether this fault is mended.
    fn is(&self, code: &str) -> bool {
        ORDER.iter().position(|other| *other == code).unwrap() < self.faults
    }

    fn bytes(&self, world: &World) -> Vec<u8> {
        let mut params: Vec<(&str, String)> = Vec::new();
        let mut add = |code: &str, name: &'static str, right: &str, wrong: &str| {
            let value = if self.is(code) { right } else { wrong };
            if !value.is_empty() {
                params.push((name, value.to_owned()));
            }
        };
        let now = world.clock.now();
        let (good, late) = (now.to_string(), now.plus_millis(-901_000).to_string());
        add("InvalidParameter.Format", "Format", "JSON", "YAML");
        let action = if self.is("InvalidAction.NotFound") { "DeleteImage" } else { "NoSuchAction" };
        add("MissingAction", "Action", action, "");
        let version = if self.is("InvalidVersion") { ENS } else { "2017-11-11" };
        add("MissingVersion", "Version", version, "");
        let key = if self.is("InvalidAccessKeyId.NotFound") { "ak-nobody" } else { "ak-unknown" };
        add("MissingAccessKeyId", "AccessKeyId", key, "");
        add("MissingSignatureMethod", "SignatureMethod", "HMAC-SHA1", "");
        let fresh = fresh_nonce();
        let nonce = if self.is("SignatureNonceUsed") { &fresh } else { &self.spent };
        add("MissingSignatureNonce", "SignatureNonce", nonce, "");
        let time = if self.is("InvalidTimeStamp.Expired") { &good } else { &late };
        add("InvalidTimeStamp.Format", "Timestamp", time, "yesterday");
        add("InvalidSecurityToken.Malformed", "SecurityToken", "", "made-up");
        add("MissingParameter", "ImageId", "m-unknown", "");
        params.push(("SignatureVersion", "1.0".to_owned()));
        if self.is("MissingSignature") {
            params.push(("Signature", self.signature(&params)));
        }
        let method = if self.is("UnsupportedHTTPMethod") { "POST" } else { "PUT" };
        let form = encode::query(params.iter().map(|(name, value)| (*name, value.as_str())));
        V1 { method, in_form: true, format: "JSON" }.unsigned(world.address, &form)
    }

    fn signature(&self, params: &[(&str, String)]) -> String {
        if !self.is("SignatureDoesNotMatch") {
            return "AAAA".to_owned();
        }
        let part = |name: &str| params.iter().find(|(other, _)| *other == name).unwrap().1.clone();
        let secret = Secret::new("secret-of-nobody");
        let key = Key { access_key_id: "ak-nobody", secret: &secret, security_token: None };
        let common = ["AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"];
        let own: Vec<(String, String)> = params
            .iter()
            .filter(|(name, _)| !common.contains(name))
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let at = calotype_core::time::Timestamp::parse(&part("Timestamp")).unwrap();
        let signed = sign_v1(key, "POST", &own, at, &part("SignatureNonce"));
        signed.iter().find(|(name, _)| name == "Signature").unwrap().1.clone()
    }
}

#[tokio::test]
async fn of_several_faults_the_first_is_told() {
    let settings = "[throttling]\naccount_per_second = 1\naccount_burst = 1\n".to_owned();
    let world = World::open(Setup { settings, ..Setup::with_users(&[("nobody", "")]) }).await;
    // Spends the nonce, and the only token of the account.
    let spent = fresh_nonce();
    let secret = Secret::new("secret-of-nobody");
    let key = Key { access_key_id: "ak-nobody", secret: &secret, security_token: None };
    let first = crate::support::raw::Signed {
        key,
        version: "2015-04-01",
        action: "GetCallerIdentity",
        params: &[],
        at: world.clock.now(),
        nonce: &spent,
    };
    assert_eq!(exchange(world.address, &first.v1(world.address)).await.status, 200);

    for (faults, expected) in ORDER.iter().enumerate() {
        if *expected == "MissingParameter" {
            // Nothing in the request mends this.
            world.pass(1);
        }
        let reply = exchange(world.address, &Mended { faults, spent: spent.clone() }.bytes(&world)).await;
        assert_eq!(reply.code(), *expected, "with {faults} faults mended: {}", reply.body);
    }
    world.pass(1);
    let all = Mended { faults: ORDER.len(), spent };
    let reply = exchange(world.address, &all.bytes(&world)).await;
    assert_eq!(reply.code(), BEHIND[0], "{}", reply.body);
    world.pass(1);
    let answer = world.owner.call(ENS, "DeleteImage", &[("ImageId", "m-unknown")]).await;
    assert_eq!(answer.code(), Some(BEHIND[1]), "{}", answer.body);
}

//! `AssumeRole`, and what its temporary keys open.

mod refusals;
mod sessions;

use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, Params, is_request_id};
use crate::support::{OWNER, Setup, World};

/// The version of STS.
pub const STS: &str = "2015-04-01";

/// A statement that allows everything.
pub const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

/// The ARN of a role of the owner.
pub fn arn(role: &str) -> String {
    format!("acs:ram::{OWNER}:role/{role}")
}

/// Asks for a session of a role of the owner.
pub async fn ask(caller: &Caller, role: &str, more: &Params<'_>) -> Answer {
    let arn = arn(role);
    let mut params = vec![("RoleArn", arn.as_str()), ("RoleSessionName", "night")];
    params.extend(more);
    caller.call(STS, "AssumeRole", &params).await
}

/// The credentials of a session of a role of the owner, which must be given.
pub async fn credentials(caller: &Caller, role: &str, more: &Params<'_>) -> Value {
    let answer = ask(caller, role, more).await;
    assert_eq!(answer.status, 200, "{role}: {}", answer.body);
    answer.body["Credentials"].clone()
}

/// Somebody in a session of a role of the owner.
pub async fn assume(world: &World, role: &str, more: &Params<'_>) -> Caller {
    let credentials = credentials(&world.assumer, role, more).await;
    Caller::temporary(world.address, &credentials, &world.clock)
}

/// A world whose owner has roles: names and the statements of their policies.
pub async fn world(roles: &[(&str, &str)]) -> World {
    let more = roles.iter().map(|(name, statements)| Setup::role(name, statements)).collect();
    World::open(Setup { more, ..Setup::default() }).await
}

#[tokio::test]
async fn a_session_begins_with_keys_a_token_and_an_end() {
    let world = world(&[("builder", ALL)]).await;
    let answer = ask(&world.assumer, "builder", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (body, credentials) = (&answer.body, &answer.body["Credentials"]);
    assert!(is_request_id(&body["RequestId"]));
    let expected = json!({ "Arn": format!("{}/night", arn("builder")), "AssumedRoleId": "builder:night" });
    assert_eq!(body["AssumedRoleUser"], expected);
    assert_eq!(credentials["Expiration"], "2026-03-27T09:09:10Z", "in an hour, if nothing is said");
    assert!(credentials["AccessKeyId"].as_str().unwrap().starts_with("STS."));
    let part = |name: &str| credentials[name].as_str().unwrap().to_owned();
    assert!(part("AccessKeySecret").len() > 30 && part("SecurityToken").len() > 30);

    let again = ask(&world.assumer, "builder", &[]).await.body;
    for name in ["AccessKeyId", "AccessKeySecret", "SecurityToken"] {
        assert_ne!(again["Credentials"][name], credentials[name], "{name}");
    }
}

#[tokio::test]
async fn the_caller_of_a_session_is_its_role() {
    let world = world(&[("builder", ALL)]).await;
    let session = assume(&world, "builder", &[]).await;
    let answer = session.call(STS, "GetCallerIdentity", &[]).await;
    let expected = json!({
        "AccountId": OWNER,
        "Arn": format!("acs:ram::{OWNER}:assumed-role/builder/night"),
        "IdentityType": "AssumedRoleUser",
        "PrincipalId": "builder:night",
        "RequestId": answer.body["RequestId"],
        "RoleId": "builder",
        "UserId": "",
    });
    assert_eq!((answer.status, answer.body), (200, expected));
}

/// What the metadata keep opens nothing: not the token, not the secret.
#[tokio::test]
async fn neither_secret_nor_token_is_kept() {
    let world = world(&[("builder", ALL)]).await;
    let credentials = credentials(&world.assumer, "builder", &[]).await;
    let rows = world.rows("SELECT * FROM sessions", &[]).await;
    assert_eq!(rows.len(), 1);
    let kept = format!("{rows:?}");
    assert!(kept.contains(credentials["AccessKeyId"].as_str().unwrap()), "{kept}");
    for name in ["AccessKeySecret", "SecurityToken"] {
        let secret = credentials[name].as_str().unwrap();
        assert!(!kept.contains(secret) && !kept.contains(&secret[..20]), "{name}");
    }
    assert!(kept.contains(&format!("acs:ram::{OWNER}:user/assumer")), "who assumed it is: {kept}");
}

//! `GetCallerIdentity`: whoever has a key may learn whose it is.

use serde_json::json;

use crate::support::{OWNER, Setup, World};

const STS: &str = "2015-04-01";

#[tokio::test]
async fn an_account() {
    let world = World::new().await;
    let answer = world.owner.call(STS, "GetCallerIdentity", &[]).await;
    let expected = json!({
        "AccountId": OWNER,
        "Arn": format!("acs:ram::{OWNER}:root"),
        "IdentityType": "Account",
        "PrincipalId": OWNER,
        "RequestId": answer.body["RequestId"],
        "RoleId": "",
        "UserId": OWNER,
    });
    assert_eq!((answer.status, answer.body), (200, expected));
}

#[tokio::test]
async fn a_user_even_under_an_explicit_deny() {
    let deny = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;
    let world = World::open(Setup::with_users(&[("nobody", ""), ("denied", deny)])).await;
    for name in ["nobody", "denied"] {
        let answer = world.user(name).call(STS, "GetCallerIdentity", &[]).await;
        let expected = json!({
            "AccountId": OWNER,
            "Arn": format!("acs:ram::{OWNER}:user/{name}"),
            "IdentityType": "RAMUser",
            "PrincipalId": format!("2{name}"),
            "RequestId": answer.body["RequestId"],
            "RoleId": "",
            "UserId": format!("2{name}"),
        });
        assert_eq!((answer.status, answer.body), (200, expected));
    }
}

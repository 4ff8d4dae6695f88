//! Who does not get a session, and why.

use calotype_core::ram::SESSION_POLICY_CHARS_MAX;
use serde_json::Value;

use super::{ALL, STS, arn, ask, assume};
use crate::support::caller::{Answer, assert_denied, assert_refused};
use crate::support::refusals::{NOT_AUTHORIZED_BY_RAM, Row};
use crate::support::{OTHER, OWNER, Setup, World};

const ASSUME: &str = r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}"#;
const NO_ROLE: Row = (404, "EntityNotExist.Role", "The specified Role not exists.");
const GRAMMAR: Row =
    (400, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check.");
const SIZE: Row = (400, "InvalidParameter.PolicySize", "The size of Policy must be smaller than 2048 bytes.");
const SESSION_NAME: Row =
    (400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.");
const ROLE_ARN: Row = (400, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.");
const EXTERNAL_ID: Row = (400, "InvalidParameter.ExternalId", "The parameter ExternalId is wrongly formed.");

fn duration(longest: &'static str) -> Row {
    (400, "InvalidParameter.DurationSeconds", longest)
}

const WITHIN_AN_HOUR: &str = "The Min/Max value of DurationSeconds is 15min/1hr.";
const WITHIN_TWELVE: &str = "The Min/Max value of DurationSeconds is 15min/12hr.";
const WITHIN_NINETY_MINUTES: &str = "The Min/Max value of DurationSeconds is 15min/90min.";

/// A statement of a trust policy.
fn trust(effect: &str, ram: &str, more: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Action":"sts:AssumeRole","Principal":{{"RAM":"{ram}"}}{more}}}"#)
}

fn assert_denied_by(answer: &Answer, layer: &str, kind: &str) {
    assert_eq!(answer.body["AccessDeniedDetail"]["PolicyType"], layer, "{}", answer.body);
    assert_eq!(answer.body["AccessDeniedDetail"]["NoPermissionType"], kind, "{}", answer.body);
    assert_eq!(answer.body["AccessDeniedDetail"]["AuthAction"], "sts:AssumeRole", "{}", answer.body);
}

#[tokio::test]
async fn the_policies_of_the_caller_must_allow_it() {
    let only = format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"{}"}}"#, arn("builder"));
    let deny =
        format!(r#"{ASSUME},{{"Effect":"Deny","Action":"sts:*","Resource":"acs:ram:*:*:role/build*"}}"#);
    let users = [
        ("nobody", ""),
        ("only", only.as_str()),
        ("denied", &deny),
        ("ens", r#"{"Effect":"Allow","Action":"ens:*","Resource":"*"}"#),
    ];
    let more = [Setup::role("builder", ""), Setup::role("other", "")].concat();
    let world = World::open(Setup { more, ..Setup::with_users(&users) }).await;
    assert_eq!(ask(&world.user("only"), "builder", &[]).await.status, 200);
    assert_eq!(ask(&world.user("denied"), "other", &[]).await.status, 200);
    let before = world.print().await;
    for (user, role, kind) in [
        ("nobody", "builder", "ImplicitDeny"),
        ("ens", "builder", "ImplicitDeny"),
        ("only", "other", "ImplicitDeny"),
        ("denied", "builder", "ExplicitDeny"),
        // Who may not does not learn whether there is such a role.
        ("nobody", "no-such-role", "ImplicitDeny"),
    ] {
        let answer = ask(&world.user(user), role, &[]).await;
        assert_refused(&answer, NOT_AUTHORIZED_BY_RAM, user);
        assert_denied(&answer.body, "sts:AssumeRole", kind);
    }
    assert_refused(&ask(&world.user("denied"), "no-such-role", &[]).await, NO_ROLE, "no such role");
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn the_role_must_trust_the_caller() {
    let root = |account: &str| format!("acs:ram::{account}:root");
    let ci = format!("acs:ram::{OWNER}:user/ci");
    let roles = [
        ("all", trust("Allow", &root(OWNER), "")),
        ("ci-only", trust("Allow", &ci, "")),
        ("all-but-ci", [trust("Allow", &root(OWNER), ""), trust("Deny", &ci, "")].join(",")),
        ("elsewhere", trust("Allow", &root(OTHER), "")),
        (
            "from-afar",
            trust("Allow", &root(OWNER), r#","Condition":{"IpAddress":{"acs:SourceIp":"192.0.2.0/24"}}"#),
        ),
        (
            "agreed",
            trust("Allow", &root(OWNER), r#","Condition":{"StringEquals":{"sts:ExternalId":"the-word"}}"#),
        ),
    ];
    let more = roles.iter().map(|(name, trust)| Setup::role_trusting(name, "", trust)).collect();
    let world = World::open(Setup { more, ..Setup::with_users(&[("ci", ASSUME), ("qa", ASSUME)]) }).await;
    let word = [("ExternalId", "the-word")];
    for (user, role, more, kind) in [
        ("ci", "all", &[][..], ""),
        ("ci", "ci-only", &[], ""),
        ("qa", "ci-only", &[], "ImplicitDeny"),
        ("ci", "all-but-ci", &[], "ExplicitDeny"),
        ("qa", "all-but-ci", &[], ""),
        ("ci", "elsewhere", &[], "ImplicitDeny"),
        ("ci", "from-afar", &[], "ImplicitDeny"),
        ("ci", "agreed", &[], "ImplicitDeny"),
        ("ci", "agreed", &[("ExternalId", "another-word")], "ImplicitDeny"),
        ("ci", "agreed", &word, ""),
    ] {
        let answer = ask(&world.user(user), role, more).await;
        if kind.is_empty() {
            assert_eq!(answer.status, 200, "{user} {role}: {}", answer.body);
        } else {
            assert_refused(&answer, NOT_AUTHORIZED_BY_RAM, &format!("{user} {role}"));
            assert_denied_by(&answer, "AssumeRolePolicy", kind);
        }
    }
}

#[tokio::test]
async fn an_account_itself_assumes_no_role() {
    let world = super::world(&[("builder", ALL)]).await;
    let answer = ask(&world.owner, "builder", &[]).await;
    let row = (403, "NoPermission", "Roles may not be assumed by root accounts.");
    assert_refused(&answer, row, "the account itself");
    assert_denied_by(&answer, "AssumeRolePolicy", "ImplicitDeny");
    assert_eq!(answer.body["AccessDeniedDetail"]["AuthPrincipalType"], "Account");
}

/// A role of another account that trusts this one: what is done with it is done in the other account.
#[tokio::test]
async fn a_role_of_another_account_acts_there() {
    let other = format!("acs:ram::{OTHER}:role/guest");
    let more = Setup::role_trusting("x", "", &trust("Allow", &format!("acs:ram::{OWNER}:root"), ""));
    let guest = more.replace("name = 'x'", "name = 'guest'").replace(
        "policies = [  ]",
        &format!(r#"policies = [ {{ name = 'all', document = '{{"Version":"1","Statement":[{ALL}]}}' }} ]"#),
    );
    // Accounts stand in the file one after the other; this one gets a second part of its own.
    let settings = format!("[[account]]\nid = '4'\n{guest}");
    let world = World::open(Setup { settings, ..Setup::default() }).await;
    let params = [("RoleArn", other.replace(OTHER, "4")), ("RoleSessionName", "visit".to_owned())];
    let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = world.assumer.call(STS, "AssumeRole", &params).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let guest =
        crate::support::caller::Caller::temporary(world.address, &answer.body["Credentials"], &world.clock);
    let identity = guest.must(STS, "GetCallerIdentity", &[]).await;
    assert_eq!((&identity["AccountId"], &identity["RoleId"]), (&Value::from("4"), &Value::from("guest")));
    let image = world.import().await;
    assert_eq!(guest.image(&image).await, Value::Null, "it is not this account's");
    // The other way round nobody is trusted.
    let answer =
        guest.call(STS, "AssumeRole", &[("RoleArn", &arn("staged")), ("RoleSessionName", "back")]).await;
    assert_refused(&answer, NOT_AUTHORIZED_BY_RAM, "not trusted");
    assert_denied_by(&answer, "AssumeRolePolicy", "ImplicitDeny");
}

#[tokio::test]
async fn a_session_lasts_as_long_as_its_role_allows() {
    let role =
        |name: &str, longest: &str| format!("{}max_session_duration = '{longest}'\n", Setup::role(name, ""));
    let more = [Setup::role("hour", ""), role("twelve", "12h"), role("ninety", "90m")].concat();
    let world = World::open(Setup { more, ..Setup::default() }).await;
    for (role, seconds, ends) in [
        ("hour", "900", Ok("2026-03-27T08:24:10Z")),
        ("hour", "3600", Ok("2026-03-27T09:09:10Z")),
        ("twelve", "43200", Ok("2026-03-27T20:09:10Z")),
        ("ninety", "5400", Ok("2026-03-27T09:39:10Z")),
        ("hour", "899", Err(WITHIN_AN_HOUR)),
        ("hour", "3601", Err(WITHIN_AN_HOUR)),
        ("hour", "0", Err(WITHIN_AN_HOUR)),
        ("hour", "-900", Err(WITHIN_AN_HOUR)),
        ("hour", "nine hundred", Err(WITHIN_AN_HOUR)),
        ("hour", "99999999999999999999", Err(WITHIN_AN_HOUR)),
        ("twelve", "43201", Err(WITHIN_TWELVE)),
        ("ninety", "5401", Err(WITHIN_NINETY_MINUTES)),
    ] {
        let answer = ask(&world.assumer, role, &[("DurationSeconds", seconds)]).await;
        match ends {
            Ok(end) => assert_eq!(answer.body["Credentials"]["Expiration"], end, "{}", answer.body),
            Err(message) => assert_refused(&answer, duration(message), seconds),
        }
    }
}

#[tokio::test]
async fn parameters_are_refused_in_the_words_of_the_manual() {
    let world = super::world(&[("builder", ALL)]).await;
    let role = arn("builder");
    let missing = |name: &'static str| match name {
        "RoleArn" => (400, "MissingRoleArn", "RoleArn is mandatory for this action."),
        _ => (400, "MissingRoleSessionName", "RoleSessionName is mandatory for this action."),
    };
    for (params, row) in [
        (vec![("RoleSessionName", "night")], missing("RoleArn")),
        (vec![("RoleArn", "")], missing("RoleArn")),
        (vec![("RoleArn", role.as_str())], missing("RoleSessionName")),
        (vec![("RoleArn", "builder"), ("RoleSessionName", "night")], ROLE_ARN),
        (vec![("RoleArn", "acs:ram::1:user/builder"), ("RoleSessionName", "night")], ROLE_ARN),
    ] {
        let answer = world.assumer.call(STS, "AssumeRole", &params).await;
        assert_refused(&answer, row, &format!("{params:?}"));
    }
    let too_long = "x".repeat(65);
    for name in ["a", "a b", "abc*abc", "\u{5fcd}\u{8005}\u{795e}\u{9f9f}", too_long.as_str()] {
        let params = [("RoleArn", role.as_str()), ("RoleSessionName", name)];
        let answer = world.assumer.call(STS, "AssumeRole", &params).await;
        assert_refused(&answer, SESSION_NAME, name);
    }
    let longest = "x".repeat(64);
    let params = [("RoleArn", role.as_str()), ("RoleSessionName", longest.as_str())];
    assert_eq!(world.assumer.call(STS, "AssumeRole", &params).await.status, 200);

    let (fits, exceeds) = (policy_of(SESSION_POLICY_CHARS_MAX), policy_of(SESSION_POLICY_CHARS_MAX + 1));
    let (word, long_word) = ("x".repeat(1_224), "x".repeat(1_225));
    for (name, value, row) in [
        ("Policy", "{}", Some(GRAMMAR)),
        ("Policy", "no JSON", Some(GRAMMAR)),
        ("Policy", r#"{"Version":"2012-10-17","Statement":[]}"#, Some(GRAMMAR)),
        ("Policy", exceeds.as_str(), Some(SIZE)),
        ("Policy", fits.as_str(), None),
        ("ExternalId", "x", Some(EXTERNAL_ID)),
        ("ExternalId", "a b", Some(EXTERNAL_ID)),
        ("ExternalId", long_word.as_str(), Some(EXTERNAL_ID)),
        ("ExternalId", word.as_str(), None),
        ("NoSuchParameter", "x", None),
    ] {
        let answer = ask(&world.assumer, "builder", &[(name, value)]).await;
        match row {
            Some(row) => assert_refused(&answer, row, value),
            None => assert_eq!(answer.status, 200, "{name}: {}", answer.body),
        }
    }
}

/// A session policy of so many characters.
fn policy_of(chars: usize) -> String {
    let policy = |name: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"ens:{name}","Resource":"*"}}]}}"#
        )
    };
    policy(&"x".repeat(chars - policy("").len()))
}

/// A session may begin another one, if its role may and the other role trusts it.
#[tokio::test]
async fn a_role_may_assume_another() {
    let first = trust("Allow", &format!("acs:ram::{OWNER}:user/assumer"), "");
    let second = trust("Allow", &arn("first"), "");
    let more = [
        Setup::role_trusting("first", ASSUME, &first),
        Setup::role_trusting("second", "", &second),
        Setup::role_trusting("third", "", &second),
    ];
    let world = World::open(Setup { more: more.concat(), ..Setup::default() }).await;
    let answer = ask(&world.assumer, "second", &[]).await;
    assert_refused(&answer, NOT_AUTHORIZED_BY_RAM, "only the first role is trusted");
    let session = assume(&world, "first", &[]).await;
    assert_eq!(ask(&session, "second", &[]).await.status, 200);
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ens:*","Resource":"*"}]}"#;
    let limited = assume(&world, "first", &[("Policy", policy)]).await;
    let answer = ask(&limited, "third", &[]).await;
    assert_refused(&answer, NOT_AUTHORIZED_BY_RAM, "the session policy does not let it");
    assert_denied_by(&answer, "SessionPolicy", "ImplicitDeny");
}

//! Accounts, users, keys and roles of a configuration file: what cannot be used is refused, by name and never by
//! value.

use calotype::config::{Config, Overrides};
use calotype_core::ids::AccountId;

const ALLOW: &str = r#"'{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'"#;
const TRUST: &str = r#"'''{"Version":"1","Statement":[
    {"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":"acs:ram::1:root"}}]}'''"#;

/// Reads a file with one account that has this in it.
fn load(account: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calotype.toml");
    std::fs::write(&path, format!("[[account]]\nid = '1'\n{account}")).unwrap();
    let overrides = Overrides { config: Some(path), ..Overrides::default() };
    Config::load(&overrides, |_| None).map_err(|error| error.to_string())
}

fn key(id: &str) -> String {
    format!("[[account.access_key]]\nid = '{id}'\nsecret = 'the-secret'\n")
}

fn role(name: &str, more: &str) -> String {
    format!("[[account.role]]\nname = '{name}'\ntrust = {TRUST}\n{more}\n")
}

#[test]
fn a_role_is_what_the_file_says() {
    let policies = format!("policies = [ {{ name = 'all', document = {ALLOW} }} ]");
    let longest = "max_session_duration = '12h'";
    let config =
        load(&[role("plain", ""), role("full", &format!("{policies}\n{longest}"))].concat()).unwrap();
    let identity = config.identity.unwrap();
    let account = AccountId::trusted("1");
    let (plain, full) = (identity.role(&account, "plain").unwrap(), identity.role(&account, "full").unwrap());
    assert_eq!((plain.policies.len(), plain.longest_session_s), (0, 3_600));
    assert_eq!((full.policies.len(), full.longest_session_s), (1, 43_200));
    assert!(
        identity.role(&account, "Plain").is_none()
            && identity.role(&AccountId::trusted("2"), "plain").is_none()
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let (longest, too_long) = ("r".repeat(64), "r".repeat(65));
    assert!(load(&role(&longest, "")).is_ok());
    assert!(load(&[key("a"), key("b")].concat()).is_ok());
    for (account, told) in [
        ([key("a"), key("b"), key("c")].concat(), "has more than 2 access keys"),
        ([key("a"), key("a")].concat(), "access key a is there twice"),
        (key(""), "an empty id or secret"),
        (key("STS.a"), "access key STS.a: STS. is for temporary keys"),
        ([role("a", ""), role("a", "")].concat(), "role a is there twice"),
        (role("", ""), "name must be 1 to 64 letters"),
        (role(&too_long, ""), "name must be 1 to 64 letters"),
        (role("a/b", ""), "name must be 1 to 64 letters"),
        (role("a", "max_session_duration = '59m59s'"), "role a: max_session_duration must be from 1h to 12h"),
        (role("a", "max_session_duration = '12h1s'"), "role a: max_session_duration must be from 1h to 12h"),
        (role("a", "max_session_duration = 'long'"), "role a: max_session_duration must be a duration"),
        (role("a", "policies = [ { name = 'x', document = '{}' } ]"), "role a, policy x"),
        (role("a", "").replace("acs:ram::1:root", "*"), "role a: trust"),
        (role("a", "").replace("Allow", "Permit"), "role a: trust"),
        ("[[account]]\nid = '1'\n".to_owned(), "account 1 is there twice"),
    ] {
        let error = load(&account).unwrap_err();
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("the-secret"), "{error}");
    }
}

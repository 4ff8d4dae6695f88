//! Worlds: accounts that are made on demand, with keys, users and roles, and removed with all they have.

use std::collections::BTreeMap;
use std::sync::Mutex;

use calotype_core::ids::{AccountId, DeletionId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::routes::Problem;
use super::saved::Saved;
use super::seed::Seed;
use super::{clock, lock};
use crate::app::App;
use crate::clock::Chance;
use crate::config::{AccessKeyEntry, AccountEntry, PolicyEntry, RoleEntry, UserEntry};
use crate::wire::encode::hex;

/// Worlds at once, at most.
pub const WORLDS_MAX: usize = 5_000;

/// Users, and roles, of one world at most.
const PEOPLE_MAX: usize = 100;

/// How the account of a world begins; 14 digits follow.
pub(super) const ACCOUNT_PREFIX: &str = "19";

/// How the access keys of worlds begin.
pub(super) const KEY_PREFIX: &str = "LTAIlab";

/// What stands for the account in the statements of its policies.
const ACCOUNT_MARK: &str = "{account}";

/// A world as it is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    /// What the one who asks calls it.
    name: String,
    users: Vec<User>,
    roles: Vec<Role>,
    /// What it has from the beginning.
    pub(super) seed: Option<Seed>,
    /// A saved world that it is like.
    pub(super) saved: Option<Saved>,
}

/// Who may act in a world, besides the account itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct People {
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    /// The statements of its policy; none, and it may do nothing.
    #[serde(default)]
    statements: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Role {
    name: String,
    #[serde(default)]
    statements: Vec<Value>,
    /// The statements of its trust policy; everybody of the account, if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trust: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<String>,
}

/// A world that was made, as the one who asked is shown it.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) account: AccountId,
    pub(super) shown: Value,
}

/// The worlds there are.
#[derive(Debug, Default)]
pub(super) struct Worlds(Mutex<BTreeMap<AccountId, World>>);

#[derive(Debug)]
struct World {
    name: String,
    people: People,
    entry: AccountEntry,
}

impl Worlds {
    /// Makes a world; it has the people of the saved one, if there is one.
    pub(super) fn make(&self, app: &App, wanted: Wanted, saved: Option<&Saved>) -> Result<Made, Problem> {
        let asked = People { users: wanted.users, roles: wanted.roles };
        let people = saved.map_or(asked, |saved| saved.people.clone());
        if people.users.len() > PEOPLE_MAX || people.roles.len() > PEOPLE_MAX {
            return Err(Problem::bad(format!(
                "a world has {PEOPLE_MAX} users and {PEOPLE_MAX} roles at most"
            )));
        }
        let mut worlds = lock(&self.0);
        if worlds.len() >= WORLDS_MAX {
            return Err(Problem::full(format!("there are {WORLDS_MAX} worlds")));
        }
        let digits = u64::from_le_bytes(app.chance.bytes()) % 100_000_000_000_000;
        let account = AccountId::trusted(format!("{ACCOUNT_PREFIX}{digits:014}"));
        let entry = people.entry(&account, &app.chance);
        app.change_identity(|identity| identity.with_account(entry.clone()))
            .map_err(|error| Problem::bad(error.to_string()))?;
        let shown = shown(&wanted.name, &entry);
        worlds.insert(account.clone(), World { name: wanted.name, people, entry });
        Ok(Made { account, shown })
    }

    /// Removes a world with all that it has; its bytes are erased soon.
    pub(super) async fn remove(&self, app: &App, account: &AccountId) -> Result<(), Problem> {
        // First its keys, so that nobody adds anything while it goes.
        let removed = app.change_identity(|identity| Ok::<_, Problem>(identity.without_account(account)));
        removed?;
        lock(&self.0).remove(account);
        let now = app.clock.now();
        let request_id = app.chance.request_id();
        let fresh = || DeletionId::fresh(now, app.chance.id());
        let mut tx = app.db.begin().await?;
        calotype_store::accounts::remove(&mut tx, account, &request_id, now, fresh).await?;
        tx.commit().await?;
        clock::ring(app);
        Ok(())
    }

    /// What was made, without secrets.
    pub(super) fn list(&self) -> Value {
        let worlds = lock(&self.0);
        let listed =
            worlds.iter().map(|(account, world)| json!({ "account": account.as_str(), "name": world.name }));
        listed.collect::<Vec<_>>().into()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    pub(super) fn has(&self, account: &AccountId) -> bool {
        lock(&self.0).contains_key(account)
    }

    /// The accounts, as a configuration has them.
    pub(super) fn entries(&self) -> Vec<AccountEntry> {
        lock(&self.0).values().map(|world| world.entry.clone()).collect()
    }

    /// Who may act in a world.
    pub(super) fn people(&self, account: &AccountId) -> Option<People> {
        lock(&self.0).get(account).map(|world| world.people.clone())
    }

    /// The key of the account itself.
    pub(super) fn key(&self, account: &AccountId) -> Option<AccessKeyEntry> {
        lock(&self.0).get(account)?.entry.access_key.first().cloned()
    }
}

impl People {
    fn entry(&self, account: &AccountId, chance: &Chance) -> AccountEntry {
        let document = |statements: &[Value]| {
            let document = json!({ "Version": "1", "Statement": statements }).to_string();
            document.replace(ACCOUNT_MARK, account.as_str())
        };
        let policies = |statements: &[Value]| match statements {
            [] => Vec::new(),
            statements => vec![PolicyEntry { name: "only".to_owned(), document: document(statements) }],
        };
        let user = |user: &User| UserEntry {
            name: user.name.clone(),
            id: None,
            policies: policies(&user.statements),
            access_key: vec![fresh_key(chance)],
        };
        let role = |role: &Role| RoleEntry {
            name: role.name.clone(),
            trust: match role.trust.as_slice() {
                [] => document(&[own_trust()]),
                statements => document(statements),
            },
            max_session_duration: role.max_session_duration.clone(),
            policies: policies(&role.statements),
        };
        AccountEntry {
            id: account.to_string(),
            access_key: vec![fresh_key(chance)],
            user: self.users.iter().map(user).collect(),
            role: self.roles.iter().map(role).collect(),
        }
    }
}

/// Everybody of the account may assume the role.
fn own_trust() -> Value {
    let root = format!("acs:ram::{ACCOUNT_MARK}:root");
    json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "RAM": root } })
}

fn fresh_key(chance: &Chance) -> AccessKeyEntry {
    let (id, secret) = (hex(&chance.bytes::<8>()), hex(&chance.bytes::<16>()));
    AccessKeyEntry { id: format!("{KEY_PREFIX}{id}"), secret, active: true }
}

/// The only place where the secrets of a world are shown: to the one who has made it.
fn shown(name: &str, entry: &AccountEntry) -> Value {
    let key = |keys: &[AccessKeyEntry]| {
        let key = keys.first();
        json!({
            "access_key_id": key.map(|key| &key.id),
            "access_key_secret": key.map(|key| &key.secret),
        })
    };
    let users: Map<String, Value> =
        entry.user.iter().map(|user| (user.name.clone(), key(&user.access_key))).collect();
    let arn = |role: &RoleEntry| format!("acs:ram::{}:role/{}", entry.id, role.name);
    let roles: Map<String, Value> =
        entry.role.iter().map(|role| (role.name.clone(), arn(role).into())).collect();
    let mut shown = key(&entry.access_key);
    shown["account"] = entry.id.clone().into();
    shown["name"] = name.into();
    shown["users"] = users.into();
    shown["roles"] = roles.into();
    shown
}

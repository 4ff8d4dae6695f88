//! Who may call: accounts, users, their keys and policies.

use std::collections::HashMap;
use std::sync::Arc;

use calotype_core::assume_role::{ROLE_NAME_CHARS_MAX, ROLE_SESSION_S_MAX, ROLE_SESSION_S_MIN, is_role_name};
use calotype_core::ids::AccountId;
use calotype_core::ram::{Policies, Policy, Principal, PrincipalKind, TrustPolicy};

use calotype_store::images::SYSTEM_OWNER;

use crate::config::{self, AccessKeyEntry, AccountEntry, ConfigError, PolicyEntry, RoleEntry};
use crate::sessions::KEY_PREFIX;
use crate::wire::signature::Secret;

/// The account that is used when the configuration names none.
pub const DEFAULT_ACCOUNT: &str = "1000000000000001";

/// Keys that one user, or one account, may have.
const ACCESS_KEYS_MAX: usize = 2;

/// Every access key, by its id.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    keys: HashMap<String, AccessKey>,
    accounts: HashMap<AccountId, HashMap<String, Role>>,
}

/// A role: who may assume it, and what it may do.
#[derive(Clone, Debug)]
pub struct Role {
    /// Who may assume it.
    pub trust: TrustPolicy,
    /// What its sessions may do.
    pub policies: Vec<Arc<Policy>>,
    /// Its longest session, in seconds.
    pub longest_session_s: i64,
}

/// An access key and whom it stands for.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// Its secret.
    pub secret: Secret,
    /// Whether it may be used.
    pub active: bool,
    /// Whom it stands for.
    pub principal: Principal,
    /// What that one may do.
    pub policies: Policies,
}

impl Identity {
    /// Makes the identities of the configuration's accounts.
    ///
    /// # Errors
    /// [`ConfigError`] for malformed policies, ids that are there twice, empty keys.
    pub fn of(entries: Vec<AccountEntry>) -> Result<Self, ConfigError> {
        let mut identity = Self::default();
        for entry in entries {
            identity.add_account(entry)?;
        }
        Ok(identity)
    }

    /// The same identities and one account more.
    ///
    /// # Errors
    /// [`ConfigError`] as [`Identity::of`].
    pub fn with_account(&self, entry: AccountEntry) -> Result<Self, ConfigError> {
        let mut identity = self.clone();
        identity.add_account(entry)?;
        Ok(identity)
    }

    /// The same identities without this account.
    #[must_use]
    pub fn without_account(&self, id: &AccountId) -> Self {
        let mut identity = self.clone();
        identity.accounts.remove(id);
        identity.keys.retain(|_, key| key.principal.account != *id);
        identity
    }

    /// Makes an identity of the default account with one key.
    #[must_use]
    pub fn default_account(access_key_id: &str, secret: &str) -> Self {
        let account = AccountId::trusted(DEFAULT_ACCOUNT);
        let key = AccessKey {
            secret: Secret::new(secret),
            active: true,
            principal: Principal { account: account.clone(), kind: PrincipalKind::Root },
            policies: Policies::default(),
        };
        Self {
            keys: HashMap::from([(access_key_id.to_owned(), key)]),
            accounts: HashMap::from([(account, HashMap::new())]),
        }
    }

    /// The key of this id.
    #[must_use]
    pub fn key(&self, access_key_id: &str) -> Option<&AccessKey> {
        self.keys.get(access_key_id)
    }

    /// Tells whether there is an account of this id.
    #[must_use]
    pub fn has_account(&self, id: &AccountId) -> bool {
        self.accounts.contains_key(id)
    }

    /// The role of this name in an account.
    #[must_use]
    pub fn role(&self, account: &AccountId, name: &str) -> Option<&Role> {
        self.accounts.get(account)?.get(name)
    }

    fn add_account(&mut self, entry: AccountEntry) -> Result<(), ConfigError> {
        let account = AccountId::parse(&entry.id)
            .map_err(|_| ConfigError::new("account.id must be digits, letters and hyphens"))?;
        if account.as_str() == SYSTEM_OWNER {
            return Err(ConfigError::new(format!("account.id {SYSTEM_OWNER} belongs to the public images")));
        }
        if self.accounts.contains_key(&account) {
            return Err(ConfigError::new(format!("account {account} is there twice")));
        }
        let root = Principal { account: account.clone(), kind: PrincipalKind::Root };
        self.add_keys(entry.access_key, &root, &Policies::default())?;
        for user in entry.user {
            let id = user.id.unwrap_or_else(|| user.name.clone());
            let what = format!("account {account}, user {}", user.name);
            let kind = PrincipalKind::User { name: user.name, id };
            let principal = Principal { account: account.clone(), kind };
            let policies = Policies { identity: policies(&user.policies, &what)?, session: None };
            self.add_keys(user.access_key, &principal, &policies)?;
        }
        let mut roles = HashMap::new();
        for entry in entry.role {
            let what = format!("account {account}, role {}", entry.name);
            let role = role(&entry, &what)?;
            if roles.insert(entry.name, role).is_some() {
                return Err(ConfigError::new(format!("{what} is there twice")));
            }
        }
        self.accounts.insert(account, roles);
        Ok(())
    }

    fn add_keys(
        &mut self,
        entries: Vec<AccessKeyEntry>,
        principal: &Principal,
        policies: &Policies,
    ) -> Result<(), ConfigError> {
        if entries.len() > ACCESS_KEYS_MAX {
            let text = format!("{} has more than {ACCESS_KEYS_MAX} access keys", principal.arn());
            return Err(ConfigError::new(text));
        }
        for entry in entries {
            if entry.id.is_empty() || entry.secret.is_empty() {
                let text = format!("{} has an access key with an empty id or secret", principal.arn());
                return Err(ConfigError::new(text));
            }
            if entry.id.starts_with(KEY_PREFIX) {
                let text = format!("access key {}: {KEY_PREFIX} is for temporary keys", entry.id);
                return Err(ConfigError::new(text));
            }
            let key = AccessKey {
                secret: Secret::new(&entry.secret),
                active: entry.active,
                principal: principal.clone(),
                policies: policies.clone(),
            };
            if self.keys.insert(entry.id.clone(), key).is_some() {
                return Err(ConfigError::new(format!("access key {} is there twice", entry.id)));
            }
        }
        Ok(())
    }
}

fn role(entry: &RoleEntry, what: &str) -> Result<Role, ConfigError> {
    if !is_role_name(&entry.name) {
        let text = format!("{what}: name must be 1 to {ROLE_NAME_CHARS_MAX} letters, digits, . and -");
        return Err(ConfigError::new(text));
    }
    let trust = TrustPolicy::parse(&entry.trust)
        .map_err(|error| ConfigError::new(format!("{what}: trust: {error}")))?;
    let key = format!("{what}: max_session_duration");
    let longest = entry.max_session_duration.as_deref().unwrap_or("1h");
    let longest_session_s = config::millis(Some(longest), &key)? / 1_000;
    if !(ROLE_SESSION_S_MIN..=ROLE_SESSION_S_MAX).contains(&longest_session_s) {
        return Err(ConfigError::new(format!("{key} must be from 1h to 12h")));
    }
    Ok(Role { trust, policies: policies(&entry.policies, what)?, longest_session_s })
}

fn policies(entries: &[PolicyEntry], what: &str) -> Result<Vec<Arc<Policy>>, ConfigError> {
    let parse = |entry: &PolicyEntry| {
        Policy::parse(&entry.name, &entry.document)
            .map(Arc::new)
            .map_err(|error| ConfigError::new(format!("{what}, policy {}: {error}", entry.name)))
    };
    entries.iter().map(parse).collect()
}

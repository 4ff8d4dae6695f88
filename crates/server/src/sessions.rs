//! Temporary keys: how they are made, what is kept of them, and how they are found again.
//!
//! A key has three parts: an id, a secret and a token. The metadata keep a hash of the token, and the secret
//! sealed with it: whoever reads the metadata can sign nothing, nor can whoever sees a token go by. A request
//! brings the token along; with it, every server of the installation finds and opens the secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calotype_core::ids::AccountId;
use calotype_core::ram::Policy;
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, StoreError};
use calotype_store::sessions::{self, SessionRow};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::clock::Chance;
use crate::wire::encode::hex;
use crate::wire::signature::Secret;

/// How the id of a temporary key begins. No other key has such an id.
pub const KEY_PREFIX: &str = "STS.";

/// How many sessions are remembered at most. Others are looked up at each of their requests.
pub const SESSIONS_REMEMBERED_MAX: usize = 1_024;

/// How long the row of a session stays after its end, so that its requests are told that it is over.
pub const KEPT_AFTER_END_MS: i64 = 24 * 60 * 60 * 1_000;

/// Bytes of chance in the id of a key. A token begins with the same.
const ID_BYTES: usize = 16;

/// Bytes of chance in a secret, and in the rest of a token: as many as the seal has.
const SECRET_BYTES: usize = 32;

/// What a token seals is told apart by this text, should there ever be something else.
const SEAL: &[u8] = b"secret of a temporary key";

/// A temporary key, complete: for the one who assumed the role, once.
#[derive(Debug)]
pub struct TemporaryKey {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The token that goes with each of its requests.
    pub token: Secret,
}

/// What a token says, if it has the form of one.
struct Token<'t> {
    text: &'t str,
    id: [u8; ID_BYTES],
}

impl TemporaryKey {
    /// Makes a key.
    #[must_use]
    pub fn fresh(chance: &Chance) -> Self {
        let (id, rest, secret) =
            (chance.bytes::<ID_BYTES>(), chance.bytes::<SECRET_BYTES>(), chance.bytes::<SECRET_BYTES>());
        Self {
            access_key_id: access_key_id(&id),
            secret: Secret::new(URL_SAFE_NO_PAD.encode(secret)),
            token: Secret::new(URL_SAFE_NO_PAD.encode([&id[..], &rest].concat())),
        }
    }

    /// What is kept of the token.
    #[must_use]
    pub fn token_sha256(&self) -> String {
        sha256(self.token.expose())
    }

    /// The secret, sealed with the token.
    #[must_use]
    pub fn sealed_secret(&self) -> String {
        let secret = URL_SAFE_NO_PAD.decode(self.secret.expose()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sealed(&secret, self.token.expose()))
    }
}

impl<'t> Token<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let bytes =
            URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == ID_BYTES + SECRET_BYTES)?;
        Some(Self { text, id: bytes.first_chunk().copied()? })
    }
}

/// Whether a text has the form of a token.
#[must_use]
pub fn is_token(text: &str) -> bool {
    Token::parse(text).is_some()
}

/// A session whose token was shown: what it may do follows from the role, as the configuration has it now.
#[derive(Debug)]
pub struct Session {
    /// The account that the role belongs to.
    pub account: AccountId,
    /// The name of the role.
    pub role: String,
    /// The name of the session.
    pub name: String,
    /// The session policy.
    pub policy: Option<Arc<Policy>>,
    /// The secret of its key.
    pub secret: Secret,
    token_sha256: Secret,
    expires: Timestamp,
}

/// Why there is no session for a key and a token, in the order in which it is checked.
#[derive(Debug, thiserror::Error)]
pub enum NoSession {
    /// There is no such key, or none any more.
    #[error("no such temporary key")]
    UnknownKey,
    /// The token is absent.
    #[error("the token is absent")]
    NoToken,
    /// No token was ever made like that.
    #[error("this is no token")]
    Malformed,
    /// The token belongs to another key.
    #[error("the token belongs to another key")]
    Mismatch,
    /// The session is over.
    #[error("the session is over")]
    Expired,
    /// The metadata did not do their part.
    #[error("sessions cannot be looked up")]
    Store(#[from] StoreError),
}

/// The sessions whose keys were used last. The metadata know them all.
#[derive(Default)]
pub struct Sessions {
    remembered: Mutex<HashMap<String, Arc<Session>>>,
}

impl Sessions {
    /// Finds the session of a key, if this is its token.
    ///
    /// # Errors
    /// [`NoSession`].
    pub async fn find(
        &self,
        db: &Db,
        access_key_id: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Session>, NoSession> {
        if !access_key_id.starts_with(KEY_PREFIX) {
            return Err(NoSession::UnknownKey);
        }
        let remembered = self.lock().get(access_key_id).cloned();
        if let Some(session) = remembered {
            verify(access_key_id, token, &session.token_sha256, session.expires, now)?;
            return Ok(session);
        }
        let row = sessions::load(&mut db.read().await?, access_key_id).await?;
        let row = row.ok_or(NoSession::UnknownKey)?;
        let token_sha256 = Secret::new(row.token_sha256.as_str());
        let token = verify(access_key_id, token, &token_sha256, row.expires, now)?;
        Ok(Arc::new(open(row, token_sha256, token.text)?))
    }

    /// Remembers a session whose key has signed a request. Whoever cannot sign does not get this far.
    pub fn remember(&self, access_key_id: &str, session: &Arc<Session>) {
        let mut remembered = self.lock();
        if remembered.contains_key(access_key_id) {
            return;
        }
        if remembered.len() >= SESSIONS_REMEMBERED_MAX {
            let first_to_end = remembered.iter().min_by_key(|(_, session)| session.expires);
            if let Some(key) = first_to_end.map(|(key, _)| key.clone()) {
                remembered.remove(&key);
            }
        }
        remembered.insert(access_key_id.to_owned(), Arc::clone(session));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("remembered", &self.lock().len()).finish()
    }
}

/// Checks the token that came with a key. That a session is over is told to its own token only.
fn verify<'t>(
    access_key_id: &str,
    token: Option<&'t str>,
    token_sha256: &Secret,
    expires: Timestamp,
    now: Timestamp,
) -> Result<Token<'t>, NoSession> {
    let token = Token::parse(token.ok_or(NoSession::NoToken)?).ok_or(NoSession::Malformed)?;
    if self::access_key_id(&token.id) != access_key_id {
        return Err(NoSession::Mismatch);
    }
    if !token_sha256.matches(&sha256(token.text)) {
        return Err(NoSession::Malformed);
    }
    if expires <= now { Err(NoSession::Expired) } else { Ok(token) }
}

fn open(row: SessionRow, token_sha256: Secret, token: &str) -> Result<Session, StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("{what} of session {}", row.access_key_id));
    let sealed_secret = URL_SAFE_NO_PAD.decode(&row.sealed_secret).ok();
    let sealed_secret = sealed_secret.filter(|secret| secret.len() == SECRET_BYTES);
    let secret = sealed(&sealed_secret.ok_or_else(|| corrupt("the secret"))?, token);
    let policy = row.policy.as_deref().map(Policy::parse_session).transpose();
    let policy = policy.map_err(|_| corrupt("the policy"))?.map(Arc::new);
    Ok(Session {
        account: row.account,
        role: row.role,
        name: row.name,
        policy,
        secret: Secret::new(URL_SAFE_NO_PAD.encode(secret)),
        token_sha256,
        expires: row.expires,
    })
}

fn access_key_id(id: &[u8; ID_BYTES]) -> String {
    format!("{KEY_PREFIX}{}", hex(id))
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Seals a secret with a token, or opens it again. A token seals one secret only, so what follows from it need
/// never be used twice.
fn sealed(secret: &[u8], token: &str) -> Vec<u8> {
    let mut pad = <Hmac<Sha256>>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    pad.update(SEAL);
    secret.iter().zip(pad.finalize().into_bytes()).map(|(byte, pad)| byte ^ pad).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_774_598_950_000);

    fn row(key: &TemporaryKey) -> SessionRow {
        SessionRow {
            access_key_id: key.access_key_id.clone(),
            token_sha256: key.token_sha256(),
            sealed_secret: key.sealed_secret(),
            account: AccountId::trusted("1"),
            role: "builder".to_owned(),
            name: "night".to_owned(),
            policy: None,
            issued_to: String::new(),
            created: NOW,
            expires: NOW.plus_millis(1_000),
        }
    }

    fn session(key: &TemporaryKey, expires: Timestamp) -> Arc<Session> {
        let row = SessionRow { expires, ..row(key) };
        let token_sha256 = Secret::new(row.token_sha256.as_str());
        Arc::new(open(row, token_sha256, key.token.expose()).unwrap())
    }

    #[test]
    fn the_token_opens_the_secret_and_nothing_else_does() {
        let (key, other) = (TemporaryKey::fresh(&Chance::System), TemporaryKey::fresh(&Chance::System));
        assert_eq!(session(&key, NOW).secret.expose(), key.secret.expose());
        let opened = open(row(&key), Secret::new(""), other.token.expose()).unwrap();
        assert_ne!(opened.secret.expose(), key.secret.expose());
        let kept = format!("{:?}{}{}", row(&key), row(&key).sealed_secret, row(&key).token_sha256);
        assert!(!kept.contains(key.secret.expose()) && !kept.contains(key.token.expose()));
    }

    #[test]
    fn a_key_has_the_form_that_clients_know() {
        let key = TemporaryKey::fresh(&Chance::System);
        assert!(key.access_key_id.starts_with("STS.") && key.access_key_id.len() == 36);
        assert_eq!((key.secret.expose().len(), key.token.expose().len()), (43, 64));
        assert_eq!(format!("{key:?}").matches("Secret(..)").count(), 2, "it does not show itself");
        let again = TemporaryKey::fresh(&Chance::System);
        assert_ne!(again.access_key_id, key.access_key_id);
    }

    #[test]
    fn only_the_token_of_a_key_goes_with_it_and_only_until_its_end() {
        let (key, other) = (TemporaryKey::fresh(&Chance::System), TemporaryKey::fresh(&Chance::System));
        let hash = Secret::new(key.token_sha256());
        let check = |token: Option<&str>, expires: i64| {
            verify(&key.access_key_id, token, &hash, NOW.plus_millis(expires), NOW).map(|_| ())
        };
        let own = key.token.expose();
        assert!(check(Some(own), 1).is_ok());
        assert!(matches!(check(Some(own), 0), Err(NoSession::Expired)));
        assert!(matches!(check(None, 1), Err(NoSession::NoToken)));
        assert!(matches!(check(Some(other.token.expose()), 1), Err(NoSession::Mismatch)));
        for token in ["", "x", "CAISfake+token/==", &own[1..], &format!("{own}A"), &own.replace(own, "=")] {
            assert!(matches!(check(Some(token), 1), Err(NoSession::Malformed)), "{token}");
        }
        // It names the key, but was never issued. Whether the session is over is not its business.
        let made_up = format!("{}{}", &own[..22], &other.token.expose()[22..]);
        assert!(is_token(&made_up));
        assert!(matches!(check(Some(&made_up), 0), Err(NoSession::Malformed)));
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_lasts_longest() {
        let sessions = Sessions::default();
        let key = TemporaryKey::fresh(&Chance::System);
        for number in 0..SESSIONS_REMEMBERED_MAX + 10 {
            let expires = NOW.plus_millis(i64::try_from(number).unwrap());
            sessions.remember(&format!("STS.{number}"), &session(&key, expires));
        }
        let remembered = sessions.lock();
        assert_eq!(remembered.len(), SESSIONS_REMEMBERED_MAX);
        assert!(!remembered.contains_key("STS.9") && remembered.contains_key("STS.10"));
        drop(remembered);
        assert_eq!(format!("{sessions:?}"), "Sessions { remembered: 1024 }");
    }
}

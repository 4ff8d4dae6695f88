//! Temporary keys of those who assumed a role, so that every server of the installation knows them.
//!
//! A row alone opens nothing: of the token there is a hash, and the secret is sealed with the token.

use calotype_core::ids::AccountId;
use calotype_core::time::Timestamp;

use crate::db::{Result, Row, Tx};

/// What is kept of a session. It never changes.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The id of its temporary key.
    pub access_key_id: String,
    /// The SHA-256 of its token, in hexadecimal.
    pub token_sha256: String,
    /// The secret of its key, which only the token opens.
    pub sealed_secret: String,
    /// The account that the role belongs to.
    pub account: AccountId,
    /// The name of the role.
    pub role: String,
    /// The name of the session.
    pub name: String,
    /// The session policy, as it was given.
    pub policy: Option<String>,
    /// The ARN of who assumed the role.
    pub issued_to: String,
    /// When it began.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// Prints whose session it is, and nothing of its key but the id.
impl std::fmt::Debug for SessionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("SessionRow");
        shown.field("access_key_id", &self.access_key_id).field("account", &self.account);
        shown.field("role", &self.role).field("name", &self.name).field("expires", &self.expires);
        shown.finish_non_exhaustive()
    }
}

/// Keeps a session.
///
/// # Errors
/// [`crate::db::StoreError::Conflict`] if there is one with this key; any other
/// [`crate::db::StoreError`].
pub async fn insert(tx: &mut Tx, session: &SessionRow) -> Result<()> {
    tx.execute_one(
        "INSERT INTO sessions (access_key_id, token_sha256, sealed_secret, account, role, name, policy, \
         issued_to, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING",
        &[
            (&session.access_key_id).into(),
            (&session.token_sha256).into(),
            (&session.sealed_secret).into(),
            session.account.as_str().into(),
            (&session.role).into(),
            (&session.name).into(),
            session.policy.as_deref().into(),
            (&session.issued_to).into(),
            session.created.as_millis().into(),
            session.expires.as_millis().into(),
        ],
    )
    .await
}

/// The session with this key, over or not.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn load(tx: &mut Tx, access_key_id: &str) -> Result<Option<SessionRow>> {
    let row = tx
        .query_opt(
            "SELECT access_key_id, token_sha256, sealed_secret, account, role, name, policy, issued_to, \
             created_ms, expires_ms FROM sessions WHERE access_key_id = $1",
            &[access_key_id.into()],
        )
        .await?;
    row.as_ref().map(parse).transpose()
}

/// Forgets sessions that ended before `time`; gives how many.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn forget_ended(tx: &mut Tx, time: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE expires_ms < $1", &[time.as_millis().into()]).await
}

fn parse(row: &Row) -> Result<SessionRow> {
    Ok(SessionRow {
        access_key_id: row.text(0)?.to_owned(),
        token_sha256: row.text(1)?.to_owned(),
        sealed_secret: row.text(2)?.to_owned(),
        account: AccountId::trusted(row.text(3)?),
        role: row.text(4)?.to_owned(),
        name: row.text(5)?.to_owned(),
        policy: row.text_opt(6)?.map(str::to_owned),
        issued_to: row.text(7)?.to_owned(),
        created: Timestamp::from_millis(row.integer(8)?),
        expires: Timestamp::from_millis(row.integer(9)?),
    })
}

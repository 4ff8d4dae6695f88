//! Nonces of requests that changed something, kept so that a restart does not open a door to replays.
//!
//! The key begins with the time of expiry, which follows from the signed time of the request: rows lie
//! in the order in which they come and go, and a replayed request meets its own row.

use calotype_core::time::Timestamp;

use crate::db::{Result, StoreError, Tx};

/// How long the nonces of several servers are kept beyond their expiry, in milliseconds. A request whose time was
/// checked just before it was over may stand still before its transaction begins, and must meet its nonce there all
/// the same: the memory of another server may have forgotten it.
const KEPT_MS: i64 = 3_600_000;

/// A nonce that was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentNonce {
    /// A number of chance for the request that spends it. Nobody else may spend it then; the request itself may
    /// in each of its transactions.
    pub request: i64,
    /// The access key that signed with it.
    pub access_key_id: String,
    /// The nonce.
    pub nonce: String,
    /// Until when it must be remembered.
    pub expires: Timestamp,
}

/// Spends a nonce with the transaction, if it changes anything.
///
/// Where several servers answer, the database knows which of them was the first. One that is alone asks its memory
/// first, which begins with [`live`]; then a row that is only added is written where the last one was.
///
/// # Errors
/// [`StoreError::Spent`] if a request to another server has spent it, here or from what the transaction does next; any
/// other [`StoreError`].
pub async fn spend(tx: &mut Tx, nonce: &SpentNonce) -> Result<()> {
    let sql = if tx.is_shared() {
        "INSERT INTO nonces (expires_ms, access_key_id, nonce, request) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (expires_ms, access_key_id, nonce) DO UPDATE SET request = excluded.request \
         WHERE nonces.request = excluded.request"
    } else {
        "INSERT INTO nonces (expires_ms, access_key_id, nonce, request) VALUES ($1, $2, $3, $4)"
    };
    let values = [
        nonce.expires.as_millis().into(),
        (&nonce.access_key_id).into(),
        (&nonce.nonce).into(),
        nonce.request.into(),
    ];
    tx.send_first(sql, &values, StoreError::Spent).await
}

/// Every nonce that must still be remembered at `now`.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn live(tx: &mut Tx, now: Timestamp) -> Result<Vec<SpentNonce>> {
    let rows = tx
        .query(
            "SELECT access_key_id, nonce, expires_ms, request FROM nonces WHERE expires_ms >= $1 ORDER BY expires_ms",
            &[now.as_millis().into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(SpentNonce {
                request: row.integer(3)?,
                access_key_id: row.text(0)?.to_owned(),
                nonce: row.text(1)?.to_owned(),
                expires: Timestamp::from_millis(row.integer(2)?),
            })
        })
        .collect()
}

/// Forgets nonces that have expired at `now`, some time later where several servers answer; gives how many.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let before = if tx.is_shared() { now.plus_millis(-KEPT_MS) } else { now };
    tx.execute("DELETE FROM nonces WHERE expires_ms < $1", &[before.as_millis().into()]).await
}

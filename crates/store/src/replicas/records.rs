//! Replicas as records of bytes, for comparing records with bytes, and what mends them where they differ.
//!
//! Every statement that mends repeats the facts that it was decided by, after the lock on the image.

use calotype_core::ids::{RegionId, ReplicaId, VersionId};
use calotype_core::replica::Holder;
use calotype_core::time::Timestamp;

use super::{holder_from_text, small};
use crate::db::{Result, Row, StoreError, Tx};
use crate::objects::ObjectKey;

/// The state of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// To be filled, or being filled.
    Copying,
    /// Filled.
    Available,
    /// Filling it failed for good, or its bytes were lost.
    Failed,
    /// To be erased, or being erased.
    Erasing,
    /// Erased.
    Erased,
}

/// A replica as the record of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The replica.
    pub id: ReplicaId,
    /// What the bytes belong to.
    pub holder: Holder,
    /// The version of the image that they are.
    pub version: Option<VersionId>,
    /// Its region.
    pub region: RegionId,
    /// Its state.
    pub state: RecordState,
    /// The key of its bytes, or of those that are being written.
    pub key: Option<ObjectKey>,
    /// Their length. A failed replica that has one was whole before.
    pub size_bytes: Option<u64>,
    /// Their SHA-256.
    pub sha256: Option<String>,
}

macro_rules! columns {
    () => {
        "r.id, r.holder_kind, r.holder_id, r.version_id, r.region, r.state, r.object_key, r.size_bytes, r.sha256"
    };
}

/// Replicas that are not erased, in the order of their ids, after the one given.
///
/// # Errors
/// Any [`StoreError`].
pub async fn page(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<Record>> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM replicas r WHERE r.id > $1 AND r.state <> 'erased' ORDER BY r.id LIMIT $2"
            ),
            &[after.into(), limit.into()],
        )
        .await?;
    rows.iter().map(record).collect()
}

/// How many replicas are not erased, and the bytes of those that are available.
///
/// # Errors
/// Any [`StoreError`].
pub async fn totals(tx: &mut Tx) -> Result<(u64, u64)> {
    let row = tx
        .query_opt(
            "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN state = 'available' THEN size_bytes END), 0) AS BIGINT) \
             FROM replicas WHERE state <> 'erased'",
            &[],
        )
        .await?;
    let Some(row) = row else { return Ok((0, 0)) };
    Ok((row.integer(0)?.unsigned_abs(), row.integer(1)?.unsigned_abs()))
}

/// One replica, whatever its state.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load(tx: &mut Tx, id: &ReplicaId) -> Result<Option<Record>> {
    let row = tx
        .query_opt(concat!("SELECT ", columns!(), " FROM replicas r WHERE r.id = $1"), &[id.as_str().into()])
        .await?;
    row.as_ref().map(record).transpose()
}

/// The other available replicas whose bytes are recorded as the same, in the order of their ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn copies(tx: &mut Tx, id: &ReplicaId) -> Result<Vec<Record>> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM replicas o JOIN replicas r ON r.holder_id = o.holder_id AND r.id <> o.id \
                 AND r.state = 'available' AND r.sha256 = o.sha256 AND r.size_bytes = o.size_bytes \
                 WHERE o.id = $1 ORDER BY r.id"
            ),
            &[id.as_str().into()],
        )
        .await?;
    rows.iter().map(record).collect()
}

/// Whether a live image that had bytes once has them nowhere any more: whatever lies there may be the last copy.
///
/// # Errors
/// Any [`StoreError`].
pub async fn are_all_lost(tx: &mut Tx, holder_id: &str) -> Result<bool> {
    let row = tx
        .query_opt(
            "SELECT 1 FROM images i WHERE i.id = $1 AND i.deleted_ms IS NULL \
             AND i.state IN ('available', 'unavailable') AND NOT EXISTS \
             (SELECT 1 FROM replicas r WHERE r.holder_id = $1 AND r.state = 'available')",
            &[holder_id.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Fills a replica again whose bytes are lost or wrong, from another one.
///
/// # Errors
/// [`StoreError::Conflict`] if either is no longer as it was found.
pub async fn copy_again(tx: &mut Tx, lost: &Record, source: &ReplicaId, now: Timestamp) -> Result<()> {
    tx.execute_one(
        // A restore of a deleted image must not take it for whole before it is.
        "UPDATE replicas SET state = 'copying', source_kind = 'replica', source = $3, tries = 0, \
         copied_bytes = 0, size_bytes = NULL, sha256 = NULL, last_error = NULL, due_ms = $4 \
         WHERE id = $1 AND object_key = $2 AND state = 'available' AND EXISTS (SELECT 1 FROM replicas o \
         WHERE o.id = $3 AND o.state = 'available' AND o.sha256 = replicas.sha256)",
        &[lost.id.as_str().into(), key(lost).into(), source.as_str().into(), now.as_millis().into()],
    )
    .await
}

/// What can be made again from where it came: empty disks, and system images, whose source is the operator's. The
/// bucket object of somebody's image may be another one by now.
macro_rules! can_be_made_again {
    () => {
        "(source_kind = 'blank' OR (source_kind = 'bucket' AND EXISTS \
         (SELECT 1 FROM images i WHERE i.id = replicas.holder_id AND i.kind = 'system')))"
    };
}

/// Whether the bytes of a replica can be made again from where they came.
///
/// # Errors
/// Any [`StoreError`].
pub async fn can_be_made_again(tx: &mut Tx, id: &ReplicaId) -> Result<bool> {
    let sql = concat!("SELECT 1 FROM replicas WHERE id = $1 AND ", can_be_made_again!());
    Ok(tx.query_opt(sql, &[id.as_str().into()]).await?.is_some())
}

/// Makes the bytes of a replica again that are lost or wrong.
///
/// # Errors
/// [`StoreError::Conflict`] if it is no longer as it was found.
pub async fn make_again(tx: &mut Tx, lost: &Record, now: Timestamp) -> Result<()> {
    tx.execute_one(
        concat!(
            "UPDATE replicas SET state = 'copying', tries = 0, copied_bytes = 0, size_bytes = NULL, \
             sha256 = NULL, last_error = NULL, due_ms = $3 \
             WHERE id = $1 AND object_key = $2 AND state = 'available' AND ",
            can_be_made_again!()
        ),
        &[lost.id.as_str().into(), key(lost).into(), now.as_millis().into()],
    )
    .await
}

/// Writes that the recorded bytes of a replica lie under another key of its own, written before a restore that
/// forgot it.
///
/// # Errors
/// [`StoreError::Conflict`] if it is no longer as it was found, or such a key was never written.
pub async fn adopt(tx: &mut Tx, lost: &Record, found: &ObjectKey) -> Result<()> {
    let row = tx
        .query_opt("SELECT writes, unused_writes FROM replicas WHERE id = $1", &[lost.id.as_str().into()])
        .await?
        .ok_or(StoreError::Conflict)?;
    let number = found.as_str().rsplit_once('.').and_then(|(_, number)| number.parse().ok());
    let number: u32 = number.ok_or(StoreError::Conflict)?;
    if number > small(&row, 0)? {
        return Err(StoreError::Conflict);
    }
    // From now on it is a number that was used.
    let unused = ranges(row.text(1)?)?.into_iter().flat_map(|(from, to)| {
        if (from..=to).contains(&number) {
            [(from, number - 1), (number + 1, to)]
        } else {
            [(from, to), (1, 0)]
        }
    });
    let ranges: Vec<String> =
        unused.filter(|(from, to)| from <= to).map(|(from, to)| format!("{from}-{to}")).collect();
    let unused = ranges.join(" ");
    tx.execute_one(
        "UPDATE replicas SET object_key = $3, unused_writes = $4 \
         WHERE id = $1 AND object_key = $2 AND state = 'available'",
        &[lost.id.as_str().into(), key(lost).into(), found.as_str().into(), (&unused).into()],
    )
    .await
}

/// Writes that the bytes of a replica are lost for good.
///
/// # Errors
/// [`StoreError::Conflict`] if it is no longer as it was found.
pub async fn record_lost(tx: &mut Tx, lost: &Record, reason: &str) -> Result<()> {
    tx.execute_one(
        // A restore of a deleted image goes by the hash. The length tells that there were bytes, which are
        // not erased before the image is.
        "UPDATE replicas SET state = 'failed', sha256 = NULL, last_error = $3, due_ms = NULL \
         WHERE id = $1 AND object_key = $2 AND state = 'available'",
        &[lost.id.as_str().into(), key(lost).into(), reason.into()],
    )
    .await
}

/// Lets every further write begin at this number: what a backup does not know of may have used those below.
/// Nothing is done to replicas that have used it already.
///
/// # Errors
/// Any [`StoreError`].
pub async fn skip_writes(tx: &mut Tx, first: u32) -> Result<()> {
    tx.execute(
        "UPDATE replicas SET writes = $1, \
         unused_writes = unused_writes || CAST(writes + 1 AS TEXT) || '-' || CAST(CAST($1 AS BIGINT) AS TEXT) || ' ' \
         WHERE state <> 'erased' AND writes < $1",
        &[(i64::from(first) - 1).into()],
    )
    .await?;
    Ok(())
}

/// The keys that a replica may have left something under: those of every number up to the last one, but not
/// of the ranges that [`skip_writes`] left out.
pub(super) fn written_keys(id: &ReplicaId, last: u32, unused: &str) -> Result<Vec<ObjectKey>> {
    let mut keys = Vec::new();
    let mut next = 1;
    for (from, to) in ranges(unused)? {
        keys.extend((next..from).map(|write| ObjectKey::fresh(id, write)));
        next = to.saturating_add(1);
    }
    keys.extend((next..=last).map(|write| ObjectKey::fresh(id, write)));
    Ok(keys)
}

fn ranges(text: &str) -> Result<Vec<(u32, u32)>> {
    let range = |range: &str| {
        let (from, to) = range.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    let corrupt = || StoreError::Corrupt(format!("numbers of writes {text}"));
    text.split_ascii_whitespace().map(|one| range(one).ok_or_else(corrupt)).collect()
}

fn key(record: &Record) -> Option<&str> {
    record.key.as_ref().map(ObjectKey::as_str)
}

fn record(row: &Row) -> Result<Record> {
    Ok(Record {
        id: ReplicaId::trusted(row.text(0)?),
        holder: holder_from_text(row.text(1)?, row.text(2)?)?,
        version: row.text_opt(3)?.map(VersionId::trusted),
        region: RegionId::trusted(row.text(4)?),
        state: match row.text(5)? {
            "copying" => RecordState::Copying,
            "available" => RecordState::Available,
            "failed" => RecordState::Failed,
            "erasing" => RecordState::Erasing,
            "erased" => RecordState::Erased,
            other => return Err(StoreError::Corrupt(format!("unknown replica state {other}"))),
        },
        key: row.text_opt(6)?.map(ObjectKey::trusted),
        size_bytes: row.integer_opt(7)?.map(i64::unsigned_abs),
        sha256: row.text_opt(8)?.map(str::to_owned),
    })
}

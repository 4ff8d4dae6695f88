//! Replicas: the rows that are at once the record of bytes and the task that fills or erases them.
//!
//! A task is due when `due_ms` has passed. Claiming it moves `due_ms` to the end of the lease, so a
//! worker that dies leaves a task that becomes due again by itself.

pub mod records;

use calotype_core::ids::{ImageId, RegionId, ReplicaId, SnapshotId, VersionId};
use calotype_core::replica::{Bytes, EntryState, Holder, NewReplica, RegionEntry, Source};
use calotype_core::time::Timestamp;

use crate::db::{Query, Result, Row, StoreError, Tx};
use crate::objects::ObjectKey;

/// A worker's hold on a task.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Who holds it: an id that no other process ever has.
    pub owner: String,
    /// Until when.
    pub until: Timestamp,
}

/// The bytes that a claimed replica is copied from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The region they lie in.
    pub region: RegionId,
    /// Their key.
    pub key: ObjectKey,
    /// What they must be.
    pub bytes: Bytes,
}

/// A replica claimed for filling.
#[derive(Clone, Debug)]
pub struct FillTask {
    /// The replica.
    pub id: ReplicaId,
    /// What it belongs to.
    pub holder: Holder,
    /// The region to write to.
    pub region: RegionId,
    /// Where the bytes come from.
    pub source: Source,
    /// For a copy, where the bytes lie; `None` if they are gone.
    pub origin: Option<Origin>,
    /// The number of this claim on the replica, which no other claim ever has.
    pub attempt: u32,
    /// How often this was tried since the replica came into its state, from 1.
    pub tries: u32,
    /// The key to write under: this attempt's own.
    pub key: ObjectKey,
    /// The keys that earlier attempts may have left something under.
    pub stale_keys: Vec<ObjectKey>,
}

/// A replica claimed for erasing.
#[derive(Clone, Debug)]
pub struct EraseTask {
    /// The replica.
    pub id: ReplicaId,
    /// What it belonged to.
    pub holder: Holder,
    /// The region to erase in.
    pub region: RegionId,
    /// Every key that was ever written under: a killed attempt may have left something.
    pub keys: Vec<ObjectKey>,
    /// How many bytes there are, if they were ever whole.
    pub size_bytes: u64,
    /// The request that deleted the image.
    pub request_id: Option<String>,
    /// The number of this claim on the replica, which no other claim ever has.
    pub attempt: u32,
    /// How often this was tried since the replica came into its state, from 1.
    pub tries: u32,
}

/// Writes a replica that is to be filled from `due` on.
///
/// # Errors
/// [`StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, replica: &NewReplica, due: Timestamp) -> Result<()> {
    let (holder_kind, holder_id) = holder_to_text(&replica.holder);
    let (source_kind, source) = source_to_text(&replica.source);
    tx.execute_one(
        "INSERT INTO replicas (id, holder_kind, holder_id, region, state, source_kind, source, attempt, due_ms, \
         version_id) VALUES ($1, $2, $3, $4, 'copying', $5, $6, 0, $7, $8)",
        &[
            replica.id.as_str().into(),
            holder_kind.into(),
            holder_id.into(),
            replica.region.as_str().into(),
            source_kind.into(),
            (&source).into(),
            due.as_millis().into(),
            replica.version.as_ref().map(VersionId::as_str).into(),
        ],
    )
    .await
}

/// The replicas of an image that are not erased, in the order of their ids.
pub fn of_image(image: &ImageId) -> Query<'_, Vec<RegionEntry>> {
    Query::new(
        "SELECT r.id, r.version_id, r.region, r.state, r.tries, r.copied_bytes, \
         COALESCE(r.size_bytes, o.size_bytes) FROM replicas r \
         LEFT JOIN replicas o ON r.state = 'copying' AND r.source_kind = 'replica' AND o.id = r.source \
         WHERE r.holder_id = $1 AND r.state <> 'erased' ORDER BY r.id",
        &[image.as_str().into()],
        |rows| rows.iter().map(entry).collect(),
    )
}

fn entry(row: &Row) -> Result<RegionEntry> {
    let state = match (row.text(3)?, row.integer(4)?) {
        ("copying", 0) => EntryState::Waiting,
        ("copying", _) => {
            let (done, all) = (row.integer(5)?.max(0), row.integer_opt(6)?.unwrap_or(0));
            // Filled is not said before it is recorded.
            let hundredths = done.saturating_mul(100).checked_div(all).unwrap_or(0).min(99);
            EntryState::Copying(u8::try_from(hundredths).unwrap_or(0))
        }
        ("available", _) => EntryState::Available,
        // A replica that is being erased is none of a live image any more.
        ("failed" | "erasing", _) => EntryState::Failed,
        (other, _) => return Err(StoreError::Corrupt(format!("unknown replica state {other}"))),
    };
    Ok(RegionEntry {
        id: ReplicaId::trusted(row.text(0)?),
        version: row.text_opt(1)?.map(VersionId::trusted),
        region: RegionId::trusted(row.text(2)?),
        state,
    })
}

/// Writes how many bytes of a replica are filled; for showing only.
///
/// # Errors
/// Any [`StoreError`].
pub async fn record_progress(tx: &mut Tx, id: &ReplicaId, attempt: u32, copied_bytes: u64) -> Result<()> {
    tx.execute(
        "UPDATE replicas SET copied_bytes = $3 WHERE id = $1 AND attempt = $2 AND state = 'copying'",
        &[
            id.as_str().into(),
            i64::from(attempt).into(),
            i64::try_from(copied_bytes).unwrap_or(i64::MAX).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Fills failed replicas after all, from another one.
///
/// # Errors
/// [`StoreError::Conflict`] if one is in another state.
pub async fn refill(tx: &mut Tx, ids: &[ReplicaId], source: &ReplicaId, due: Timestamp) -> Result<()> {
    for id in ids {
        tx.execute_one(
            "UPDATE replicas SET state = 'copying', source_kind = 'replica', source = $2, tries = 0, \
             copied_bytes = 0, last_error = NULL, due_ms = $3 WHERE id = $1 AND state = 'failed'",
            &[id.as_str().into(), source.as_str().into(), due.as_millis().into()],
        )
        .await?;
    }
    Ok(())
}

/// An available replica of an image or a snapshot, and its region.
///
/// # Errors
/// Any [`StoreError`].
pub async fn available(tx: &mut Tx, holder_id: &str) -> Result<Option<(ReplicaId, RegionId)>> {
    let row = tx
        .query_opt(
            "SELECT id, region FROM replicas WHERE holder_id = $1 AND state = 'available' ORDER BY id",
            &[holder_id.into()],
        )
        .await?;
    row.map(|row| Ok((ReplicaId::trusted(row.text(0)?), RegionId::trusted(row.text(1)?)))).transpose()
}

/// Writes that the bytes of a deleted image or snapshot are to be erased, from `from` on; where they are
/// being written at this moment, from the end of that lease on.
pub(crate) async fn erase_all(tx: &mut Tx, holder_id: &str, from: Timestamp) -> Result<()> {
    tx.send(
        "UPDATE replicas SET state = 'erasing', tries = 0, last_error = NULL, lease_owner = NULL, \
         due_ms = CASE WHEN lease_until_ms > $2 THEN lease_until_ms ELSE $2 END \
         WHERE holder_id = $1 AND state NOT IN ('erasing', 'erased')",
        &[holder_id.into(), from.as_millis().into()],
    )
    .await
}

/// Takes back that the bytes of a deleted image are to be erased, which no worker has begun. Those that
/// were never whole have failed again.
///
/// # Errors
/// [`StoreError::Conflict`] if a worker has.
pub(crate) async fn restore_all(tx: &mut Tx, holder_id: &str) -> Result<()> {
    tx.execute(
        "UPDATE replicas SET state = CASE WHEN sha256 IS NULL THEN 'failed' ELSE 'available' END, \
         tries = 1, due_ms = NULL WHERE holder_id = $1 AND state = 'erasing' AND tries = 0",
        &[holder_id.into()],
    )
    .await?;
    let begun = tx
        .query_opt(
            "SELECT 1 FROM replicas WHERE holder_id = $1 AND state IN ('erasing', 'erased') LIMIT 1",
            &[holder_id.into()],
        )
        .await?;
    if begun.is_some() { Err(StoreError::Conflict) } else { Ok(()) }
}

/// The regions that have a replica which is not erased, in the order of their ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn regions(tx: &mut Tx) -> Result<Vec<RegionId>> {
    let rows = tx
        .query("SELECT DISTINCT region FROM replicas WHERE due_ms IS NOT NULL ORDER BY region", &[])
        .await?;
    rows.iter().map(|row| Ok(RegionId::trusted(row.text(0)?))).collect()
}

/// Claims up to `limit` replicas of a region for filling, the longest due first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn claim_fills(
    tx: &mut Tx,
    region: &RegionId,
    now: Timestamp,
    lease: &Lease,
    limit: i64,
) -> Result<Vec<FillTask>> {
    let rows = tx
        .claim(
            "SELECT r.id, r.holder_kind, r.holder_id, r.region, r.writes, r.attempt, r.source_kind, r.source, \
             o.region, o.object_key, o.size_bytes, o.sha256, o.virtual_size_bytes, r.tries, r.unused_writes \
             FROM replicas r LEFT JOIN replicas o ON r.source_kind = 'replica' AND o.id = r.source \
             AND o.state IN ('available', 'erasing') \
             WHERE r.region = $3 AND r.state = 'copying' AND r.due_ms IS NOT NULL AND r.due_ms <= $1 \
             ORDER BY r.due_ms LIMIT $2",
            "r",
            &[now.as_millis().into(), limit.into(), region.as_str().into()],
        )
        .await?;
    let mut tasks = Vec::with_capacity(rows.len());
    for row in &rows {
        let task = fill_task(row)?;
        take(tx, &task.id, "copying", task.attempt, lease).await?;
        tx.execute_one(
            "UPDATE replicas SET object_key = $2, writes = writes + 1, copied_bytes = 0 WHERE id = $1",
            &[task.id.as_str().into(), task.key.as_str().into()],
        )
        .await?;
        tasks.push(task);
    }
    Ok(tasks)
}

/// Claims up to `limit` replicas of a region for erasing, the longest due first. Only bytes of deleted images and
/// snapshots are ever claimed, and none that a copy or an export still reads.
///
/// # Errors
/// Any [`StoreError`].
pub async fn claim_erasures(
    tx: &mut Tx,
    region: &RegionId,
    now: Timestamp,
    lease: &Lease,
    limit: i64,
) -> Result<Vec<EraseTask>> {
    let rows = tx
        .claim(
            "SELECT r.id, r.holder_kind, r.holder_id, r.size_bytes, r.writes, r.attempt, r.tries, \
             (SELECT MAX(d.request_id) FROM deletions d WHERE d.image_id = r.holder_id \
             AND d.completed_ms IS NULL AND d.restored_ms IS NULL), r.unused_writes \
             FROM replicas r \
             WHERE r.region = $3 AND r.state = 'erasing' AND r.due_ms IS NOT NULL AND r.due_ms <= $1 \
             AND NOT EXISTS (SELECT 1 FROM replicas c WHERE c.source = r.id AND c.state = 'copying') \
             AND NOT EXISTS (SELECT 1 FROM exports e WHERE e.image_id = r.holder_id AND e.state = 'exporting') \
             AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = r.holder_id AND i.deleted_ms IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.id = r.holder_id) \
             ORDER BY r.due_ms LIMIT $2",
            "r",
            &[now.as_millis().into(), limit.into(), region.as_str().into()],
        )
        .await?;
    let mut tasks = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = ReplicaId::trusted(row.text(0)?);
        let task = EraseTask {
            keys: records::written_keys(&id, small(row, 4)?, row.text(8)?)?,
            id,
            holder: holder_from_text(row.text(1)?, row.text(2)?)?,
            region: region.clone(),
            size_bytes: row.integer_opt(3)?.map_or(0, i64::unsigned_abs),
            attempt: small(row, 5)? + 1,
            tries: small(row, 6)? + 1,
            request_id: row.text_opt(7)?.map(str::to_owned),
        };
        take(tx, &task.id, "erasing", task.attempt, lease).await?;
        tasks.push(task);
    }
    Ok(tasks)
}

async fn take(tx: &mut Tx, id: &ReplicaId, state: &'static str, attempt: u32, lease: &Lease) -> Result<()> {
    tx.execute_one(
        "UPDATE replicas SET attempt = $3, tries = tries + 1, lease_owner = $4, lease_until_ms = $5, due_ms = $5 \
         WHERE id = $1 AND state = $2 AND attempt = $3 - 1",
        &[
            id.as_str().into(),
            state.into(),
            i64::from(attempt).into(),
            (&lease.owner).into(),
            lease.until.as_millis().into(),
        ],
    )
    .await
}

/// Holds a task longer; `false` if it is no longer this worker's.
///
/// # Errors
/// Any [`StoreError`].
pub async fn renew(tx: &mut Tx, id: &ReplicaId, attempt: u32, lease: &Lease) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE replicas SET lease_until_ms = $4, due_ms = $4 \
             WHERE id = $1 AND attempt = $2 AND lease_owner = $3",
            &[
                id.as_str().into(),
                i64::from(attempt).into(),
                (&lease.owner).into(),
                lease.until.as_millis().into(),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Writes that a replica has its bytes.
///
/// # Errors
/// [`StoreError::Conflict`] if the task is no longer this worker's: then the bytes are nobody's.
pub async fn record_filled(
    tx: &mut Tx,
    id: &ReplicaId,
    attempt: u32,
    owner: &str,
    bytes: &Bytes,
) -> Result<()> {
    tx.execute_one(
        "UPDATE replicas SET state = 'available', size_bytes = $4, sha256 = $5, virtual_size_bytes = $6, \
         last_error = NULL, due_ms = NULL, lease_owner = NULL, lease_until_ms = NULL \
         WHERE id = $1 AND attempt = $2 AND lease_owner = $3 AND state = 'copying'",
        &[
            id.as_str().into(),
            i64::from(attempt).into(),
            owner.into(),
            i64::try_from(bytes.size_bytes).unwrap_or(i64::MAX).into(),
            (&bytes.sha256).into(),
            i64::try_from(bytes.virtual_size_bytes).unwrap_or(i64::MAX).into(),
        ],
    )
    .await
}

/// Writes that filling a replica has failed for good.
///
/// # Errors
/// [`StoreError::Conflict`] if the task is no longer this worker's.
pub async fn record_failed(
    tx: &mut Tx,
    id: &ReplicaId,
    attempt: u32,
    owner: &str,
    error: &str,
) -> Result<()> {
    tx.execute_one(
        "UPDATE replicas SET state = 'failed', last_error = $4, due_ms = NULL, lease_owner = NULL, \
         lease_until_ms = NULL WHERE id = $1 AND attempt = $2 AND lease_owner = $3 AND state = 'copying'",
        &[id.as_str().into(), i64::from(attempt).into(), owner.into(), error.into()],
    )
    .await
}

/// Writes that an attempt has failed, and when the next one is due.
///
/// # Errors
/// [`StoreError::Conflict`] if the task is no longer this worker's.
pub async fn record_retry(
    tx: &mut Tx,
    id: &ReplicaId,
    attempt: u32,
    owner: &str,
    error: &str,
    due: Timestamp,
) -> Result<()> {
    tx.execute_one(
        "UPDATE replicas SET last_error = $4, due_ms = $5, lease_owner = NULL, lease_until_ms = NULL \
         WHERE id = $1 AND attempt = $2 AND lease_owner = $3",
        &[id.as_str().into(), i64::from(attempt).into(), owner.into(), error.into(), due.as_millis().into()],
    )
    .await
}

/// Writes that the bytes of a replica are erased.
///
/// # Errors
/// [`StoreError::Conflict`] if the task is no longer this worker's.
pub async fn record_erased(tx: &mut Tx, id: &ReplicaId, attempt: u32, owner: &str) -> Result<()> {
    tx.execute_one(
        "UPDATE replicas SET state = 'erased', last_error = NULL, due_ms = NULL, lease_owner = NULL, \
         lease_until_ms = NULL WHERE id = $1 AND attempt = $2 AND lease_owner = $3 AND state = 'erasing'",
        &[id.as_str().into(), i64::from(attempt).into(), owner.into()],
    )
    .await
}

/// Frees every lease: what was held is due at once. Only for a process that knows that it is the only
/// one, at its start.
///
/// # Errors
/// Any [`StoreError`].
pub async fn release_leases(tx: &mut Tx, now: Timestamp) -> Result<()> {
    // What is leased is due when the lease ends, and what is due has an index.
    tx.execute(
        "UPDATE replicas SET lease_owner = NULL, lease_until_ms = NULL, due_ms = $1 \
         WHERE lease_owner IS NOT NULL AND due_ms IS NOT NULL",
        &[now.as_millis().into()],
    )
    .await?;
    Ok(())
}

/// When the next task on a replica of a region in this state (`copying` or `erasing`) is due.
///
/// # Errors
/// Any [`StoreError`].
pub async fn next_due(tx: &mut Tx, region: &RegionId, state: &'static str) -> Result<Option<Timestamp>> {
    let row = tx
        .query_opt(
            "SELECT MIN(due_ms) FROM replicas WHERE region = $1 AND state = $2 AND due_ms IS NOT NULL",
            &[region.as_str().into(), state.into()],
        )
        .await?;
    let due = row.map_or(Ok(None), |row| row.integer_opt(0))?;
    Ok(due.map(Timestamp::from_millis))
}

/// What is still to be done in a region, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The region.
    pub region: RegionId,
    /// Replicas to fill.
    pub fills: u64,
    /// Replicas to erase.
    pub erasures: u64,
}

/// What is still to be done, by region; regions without anything are left out.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting(tx: &mut Tx) -> Result<Vec<Waiting>> {
    let rows = tx
        .query(
            "SELECT region, COUNT(CASE WHEN state = 'copying' THEN 1 END), \
             COUNT(CASE WHEN state = 'erasing' THEN 1 END) \
             FROM replicas WHERE due_ms IS NOT NULL GROUP BY region ORDER BY region",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                region: RegionId::trusted(row.text(0)?),
                fills: row.integer(1)?.unsigned_abs(),
                erasures: row.integer(2)?.unsigned_abs(),
            })
        })
        .collect()
}

fn fill_task(row: &Row) -> Result<FillTask> {
    let id = ReplicaId::trusted(row.text(0)?);
    let (writes, attempt) = (small(row, 4)?, small(row, 5)? + 1);
    let origin = match (row.text_opt(8)?, row.text_opt(9)?, row.integer_opt(10)?, row.text_opt(11)?) {
        (Some(region), Some(key), Some(size), Some(sha256)) => Some(Origin {
            region: RegionId::trusted(region),
            key: ObjectKey::trusted(key),
            bytes: Bytes {
                size_bytes: size.unsigned_abs(),
                sha256: sha256.to_owned(),
                virtual_size_bytes: row.integer(12)?.unsigned_abs(),
            },
        }),
        _ => None,
    };
    Ok(FillTask {
        key: ObjectKey::fresh(&id, writes + 1),
        holder: holder_from_text(row.text(1)?, row.text(2)?)?,
        region: RegionId::trusted(row.text(3)?),
        stale_keys: records::written_keys(&id, writes, row.text(14)?)?,
        source: source_from_text(row.text(6)?, row.text(7)?)?,
        origin,
        attempt,
        tries: small(row, 13)? + 1,
        id,
    })
}

fn small(row: &Row, column: usize) -> Result<u32> {
    u32::try_from(row.integer(column)?).map_err(|_| StoreError::Corrupt("count out of range".to_owned()))
}

fn holder_to_text(holder: &Holder) -> (&'static str, &str) {
    match holder {
        Holder::Image(id) => ("image", id.as_str()),
        Holder::Snapshot(id) => ("snapshot", id.as_str()),
    }
}

fn holder_from_text(kind: &str, id: &str) -> Result<Holder> {
    match kind {
        "image" => Ok(Holder::Image(ImageId::trusted(id))),
        "snapshot" => Ok(Holder::Snapshot(SnapshotId::trusted(id))),
        other => Err(StoreError::Corrupt(format!("unknown holder kind {other}"))),
    }
}

fn source_to_text(source: &Source) -> (&'static str, String) {
    match source {
        // Bucket names have no slash; object keys may.
        Source::Bucket { bucket, object } => ("bucket", format!("{bucket}/{object}")),
        Source::Replica(id) => ("replica", id.as_str().to_owned()),
        Source::Blank { size_gib } => ("blank", size_gib.to_string()),
    }
}

fn source_from_text(kind: &str, text: &str) -> Result<Source> {
    let corrupt = || StoreError::Corrupt(format!("unknown source of kind {kind}"));
    match kind {
        "bucket" => {
            let (bucket, object) = text.split_once('/').ok_or_else(corrupt)?;
            Ok(Source::Bucket { bucket: bucket.to_owned(), object: object.to_owned() })
        }
        "replica" => Ok(Source::Replica(ReplicaId::trusted(text))),
        "blank" => Ok(Source::Blank { size_gib: text.parse().map_err(|_| corrupt())? }),
        _ => Err(corrupt()),
    }
}

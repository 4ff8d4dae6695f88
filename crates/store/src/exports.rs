//! Exports: the rows that are at once the record of an image's latest export and the task that writes it.
//!
//! A task is due when `due_ms` has passed. Claiming it moves `due_ms` to the end of the lease, so a worker that
//! dies leaves a task that becomes due again by itself.

use std::ops::Range;

use calotype_core::export_image::{Export, ExportState, ExportTarget};
use calotype_core::ids::{AccountId, ImageId, RegionId};
use calotype_core::replica::Bytes;
use calotype_core::time::Timestamp;

use crate::db::{Query, Result, Row, StoreError, Tx};
use crate::objects::ObjectKey;
use crate::replicas::{Lease, Origin};
use crate::snapshots::comma_set;

/// An export claimed for writing.
#[derive(Clone, Debug)]
pub struct ExportTask {
    /// The image.
    pub image: ImageId,
    /// Where its bytes go.
    pub target: ExportTarget,
    /// Where they lie; `None` if no region has them now.
    pub origin: Option<Origin>,
    /// The number of this claim on exports of the image, which no other claim ever has.
    pub attempt: u32,
    /// How often this export was tried, from 1.
    pub tries: u32,
    /// The earlier claims of this export, which may have left something in the bucket.
    pub stale_attempts: Range<u32>,
}

/// The latest export of an image.
pub fn latest(image: &ImageId) -> Query<'_, Option<Export>> {
    Query::new(
        "SELECT image_id, bucket, object, state, last_error, since_ms FROM exports WHERE image_id = $1",
        &[image.as_str().into()],
        |rows| rows.first().map(export).transpose(),
    )
}

/// Writes that an image is to be exported from `due` on. What was known of its export before is forgotten.
///
/// # Errors
/// [`StoreError::Conflict`] if it is being exported.
pub async fn begin(tx: &mut Tx, export: &Export, due: Timestamp) -> Result<()> {
    tx.execute_one(
        "INSERT INTO exports (image_id, bucket, object, state, since_ms, attempt, due_ms) \
         VALUES ($1, $2, $3, 'exporting', $4, 0, $5) \
         ON CONFLICT (image_id) DO UPDATE SET bucket = excluded.bucket, object = excluded.object, \
         state = excluded.state, since_ms = excluded.since_ms, tries = 0, last_error = NULL, \
         due_ms = excluded.due_ms WHERE exports.state <> 'exporting'",
        &[
            export.image.as_str().into(),
            (&export.target.bucket).into(),
            (&export.target.object).into(),
            export.since.as_millis().into(),
            due.as_millis().into(),
        ],
    )
    .await
}

/// Claims the export that is due the longest, unless it goes to one of the buckets that are `busy`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn claim(tx: &mut Tx, now: Timestamp, lease: &Lease, busy: &[&str]) -> Result<Option<ExportTask>> {
    let busy = comma_set(busy);
    let rows = tx
        .claim(
            "SELECT e.image_id, e.bucket, e.object, e.attempt, e.tries, \
             r.region, r.object_key, r.size_bytes, r.sha256, r.virtual_size_bytes \
             FROM exports e LEFT JOIN replicas r ON r.id = (SELECT MIN(o.id) FROM replicas o \
             WHERE o.holder_id = e.image_id AND o.state = 'available') \
             WHERE e.state = 'exporting' AND e.due_ms IS NOT NULL AND e.due_ms <= $1 \
             AND ($2 IS NULL OR REPLACE($2, ',' || e.bucket || ',', '') = $2) \
             ORDER BY e.due_ms, e.image_id LIMIT 1",
            "e",
            &[now.as_millis().into(), busy.as_deref().into()],
        )
        .await?;
    let Some(task) = rows.first().map(task).transpose()? else { return Ok(None) };
    tx.execute_one(
        "UPDATE exports SET attempt = $2, tries = tries + 1, lease_owner = $3, lease_until_ms = $4, due_ms = $4 \
         WHERE image_id = $1 AND state = 'exporting' AND attempt = $2 - 1",
        &[
            task.image.as_str().into(),
            i64::from(task.attempt).into(),
            (&lease.owner).into(),
            lease.until.as_millis().into(),
        ],
    )
    .await?;
    Ok(Some(task))
}

/// Holds a task longer; `false` if it is no longer this worker's.
///
/// # Errors
/// Any [`StoreError`].
pub async fn renew(tx: &mut Tx, image: &ImageId, attempt: u32, lease: &Lease) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE exports SET lease_until_ms = $4, due_ms = $4 \
             WHERE image_id = $1 AND attempt = $2 AND lease_owner = $3",
            &[
                image.as_str().into(),
                i64::from(attempt).into(),
                (&lease.owner).into(),
                lease.until.as_millis().into(),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Writes how an export ended: well, or for good with this reason.
///
/// # Errors
/// [`StoreError::Conflict`] if the task is no longer this worker's.
pub async fn record_end(
    tx: &mut Tx,
    image: &ImageId,
    attempt: u32,
    owner: &str,
    reason: Option<&str>,
) -> Result<()> {
    tx.execute_one(
        "UPDATE exports SET state = $4, last_error = $5, due_ms = NULL, lease_owner = NULL, lease_until_ms = NULL \
         WHERE image_id = $1 AND attempt = $2 AND lease_owner = $3 AND state = 'exporting'",
        &[
            image.as_str().into(),
            i64::from(attempt).into(),
            owner.into(),
            reason.map_or("exported", |_| "failed").into(),
            reason.into(),
        ],
    )
    .await
}

/// Writes that an attempt has failed, and when the next one is due.
///
/// # Errors
/// [`StoreError::Conflict`] if the task is no longer this worker's.
pub async fn record_retry(
    tx: &mut Tx,
    image: &ImageId,
    attempt: u32,
    owner: &str,
    error: &str,
    due: Timestamp,
) -> Result<()> {
    tx.execute_one(
        "UPDATE exports SET last_error = $4, due_ms = $5, lease_owner = NULL, lease_until_ms = NULL \
         WHERE image_id = $1 AND attempt = $2 AND lease_owner = $3 AND state = 'exporting'",
        &[
            image.as_str().into(),
            i64::from(attempt).into(),
            owner.into(),
            error.into(),
            due.as_millis().into(),
        ],
    )
    .await
}

/// Frees every lease: what was held is due at once. Only for a process that knows that it is the only one, at
/// its start.
///
/// # Errors
/// Any [`StoreError`].
pub async fn release_leases(tx: &mut Tx, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE exports SET lease_owner = NULL, lease_until_ms = NULL, due_ms = $1 \
         WHERE lease_owner IS NOT NULL AND due_ms IS NOT NULL",
        &[now.as_millis().into()],
    )
    .await?;
    Ok(())
}

/// When the next export is due that goes to none of the buckets that are `busy`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn next_due(tx: &mut Tx, busy: &[&str]) -> Result<Option<Timestamp>> {
    let busy = comma_set(busy);
    let row = tx
        .query_opt(
            "SELECT MIN(due_ms) FROM exports WHERE due_ms IS NOT NULL \
             AND ($1 IS NULL OR REPLACE($1, ',' || bucket || ',', '') = $1)",
            &[busy.as_deref().into()],
        )
        .await?;
    let due = row.map_or(Ok(None), |row| row.integer_opt(0))?;
    Ok(due.map(Timestamp::from_millis))
}

/// Forgets the export of an image that is gone.
///
/// # Errors
/// Any [`StoreError`].
pub(crate) async fn remove(tx: &mut Tx, image: &ImageId) -> Result<()> {
    tx.execute("DELETE FROM exports WHERE image_id = $1", &[image.as_str().into()]).await?;
    Ok(())
}

/// An image that is being exported or was, as far as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedImage {
    /// Its latest export.
    pub export: Export,
    /// Its name.
    pub name: String,
    /// `x86_64` and the like.
    pub architecture: String,
    /// `centos`, `ubuntu`, ...
    pub platform: String,
    /// When the image was asked for.
    pub created: Timestamp,
}

/// Which exports a listing asks for; absent filters let everything through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// The whole id of the image.
    pub image: Option<&'a str>,
    /// Part of its name.
    pub name_part: Option<&'a str>,
}

/// One page of an account's images that have an export, the latest export first, and how many there are in all.
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(
    tx: &mut Tx,
    owner: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ExportedImage>, i64)> {
    let rows = tx
        .query(
            "SELECT e.image_id, e.bucket, e.object, e.state, e.last_error, e.since_ms, \
             i.name, i.architecture, i.platform, i.created_ms, COUNT(*) OVER () \
             FROM exports e JOIN images i ON i.id = e.image_id AND i.deleted_ms IS NULL \
             WHERE i.owner = $1 AND ($2 IS NULL OR i.id = $2) \
             AND ($3 IS NULL OR REPLACE(i.name, $3, '') <> i.name) \
             ORDER BY e.since_ms DESC, e.image_id LIMIT $4 OFFSET $5",
            &[
                owner.as_str().into(),
                filter.image.into(),
                filter.name_part.into(),
                limit.into(),
                offset.into(),
            ],
        )
        .await?;
    if rows.is_empty() && offset > 0 {
        // A page beyond the end is empty, but says how many there are.
        let (_, total) = Box::pin(list(tx, owner, filter, 0, 1)).await?;
        return Ok((Vec::new(), total));
    }
    let total = rows.first().map_or(Ok(0), |row| row.integer(10))?;
    let exported = |row: &Row| {
        Ok(ExportedImage {
            export: export(row)?,
            name: row.text(6)?.to_owned(),
            architecture: row.text(7)?.to_owned(),
            platform: row.text(8)?.to_owned(),
            created: Timestamp::from_millis(row.integer(9)?),
        })
    };
    Ok((rows.iter().map(exported).collect::<Result<_>>()?, total))
}

fn export(row: &Row) -> Result<Export> {
    let reason = row.text_opt(4)?.unwrap_or_default().to_owned();
    Ok(Export {
        image: ImageId::trusted(row.text(0)?),
        target: target(row)?,
        state: match row.text(3)? {
            "exporting" => ExportState::Exporting,
            "exported" => ExportState::Exported,
            "failed" => ExportState::Failed { reason },
            other => return Err(StoreError::Corrupt(format!("unknown export state {other}"))),
        },
        since: Timestamp::from_millis(row.integer(5)?),
    })
}

fn task(row: &Row) -> Result<ExportTask> {
    let (attempt, tries) = (small(row, 3)? + 1, small(row, 4)? + 1);
    let origin = match (row.text_opt(5)?, row.text_opt(6)?, row.integer_opt(7)?, row.text_opt(8)?) {
        (Some(region), Some(key), Some(size), Some(sha256)) => Some(Origin {
            region: RegionId::trusted(region),
            key: ObjectKey::trusted(key),
            bytes: Bytes {
                size_bytes: size.unsigned_abs(),
                sha256: sha256.to_owned(),
                virtual_size_bytes: row.integer(9)?.unsigned_abs(),
            },
        }),
        _ => None,
    };
    let stale_attempts = (attempt + 1).saturating_sub(tries)..attempt;
    Ok(ExportTask {
        image: ImageId::trusted(row.text(0)?),
        target: target(row)?,
        origin,
        attempt,
        tries,
        stale_attempts,
    })
}

fn target(row: &Row) -> Result<ExportTarget> {
    Ok(ExportTarget { bucket: row.text(1)?.to_owned(), object: row.text(2)?.to_owned() })
}

fn small(row: &Row, column: usize) -> Result<u32> {
    u32::try_from(row.integer(column)?).map_err(|_| StoreError::Corrupt("count out of range".to_owned()))
}

//! Snapshots of disks.

use calotype_core::ids::{AccountId, DiskId, InstanceId, SnapshotId};
use calotype_core::image::ImageLabels;
use calotype_core::snapshot::{Snapshot, SnapshotState};
use calotype_core::time::Timestamp;

use crate::db::{Lock, Result, Row, StoreError, Tx, Value};
use crate::replicas;

macro_rules! columns {
    () => {
        "id, owner, state, name, description, disk_id, instance_id, ens_region, disk_category, size_gib, \
         created_ms, architecture, compute_type, platform, os_type, os_version"
    };
}

/// Writes a new snapshot.
///
/// # Errors
/// [`StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, snapshot: &Snapshot) -> Result<()> {
    tx.execute_one(
        "INSERT INTO snapshots (id, owner, state, name, description, disk_id, instance_id, ens_region, \
         disk_category, size_gib, created_ms, architecture, compute_type, platform, os_type, os_version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &[
            snapshot.id.as_str().into(),
            snapshot.owner.as_str().into(),
            state_to_text(snapshot.state).into(),
            (&snapshot.name).into(),
            (&snapshot.description).into(),
            snapshot.disk.as_str().into(),
            snapshot.instance.as_str().into(),
            (&snapshot.ens_region).into(),
            (&snapshot.disk_category).into(),
            snapshot.size_gib.into(),
            snapshot.created.as_millis().into(),
            (&snapshot.labels.architecture).into(),
            (&snapshot.labels.compute_type).into(),
            (&snapshot.labels.platform).into(),
            (&snapshot.labels.os_type).into(),
            (&snapshot.labels.os_version).into(),
        ],
    )
    .await
}

/// Locks a snapshot for the rest of the transaction: shared by those who copy it, alone by the one who deletes it.
pub fn lock(tx: &mut Tx, id: &SnapshotId, lock: Lock) {
    tx.lock("snapshots", id.as_str(), lock);
}

/// Reads a snapshot of `owner`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load(tx: &mut Tx, id: &SnapshotId, owner: &AccountId) -> Result<Option<Snapshot>> {
    let row = tx
        .query_opt(
            concat!("SELECT ", columns!(), " FROM snapshots WHERE id = $1 AND owner = $2"),
            &[id.as_str().into(), owner.as_str().into()],
        )
        .await?;
    row.as_ref().map(snapshot).transpose()
}

/// Gives a snapshot another name and description.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone.
pub async fn relabel(tx: &mut Tx, id: &SnapshotId, name: &str, description: &str) -> Result<()> {
    tx.execute_one(
        "UPDATE snapshots SET name = $2, description = $3 WHERE id = $1",
        &[id.as_str().into(), name.into(), description.into()],
    )
    .await
}

/// Deletes a snapshot: it is gone for every reader, its bytes are to be erased.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone already.
pub async fn delete(tx: &mut Tx, id: &SnapshotId, now: Timestamp) -> Result<()> {
    tx.execute_one("DELETE FROM snapshots WHERE id = $1", &[id.as_str().into()]).await?;
    replicas::erase_all(tx, id.as_str(), now).await
}

/// Ends the making of a snapshot; does nothing to one that is gone or done.
///
/// # Errors
/// Any [`StoreError`].
pub async fn record_state(tx: &mut Tx, id: &SnapshotId, state: SnapshotState) -> Result<()> {
    tx.execute(
        "UPDATE snapshots SET state = $2 WHERE id = $1 AND state = 'creating'",
        &[id.as_str().into(), state_to_text(state).into()],
    )
    .await?;
    Ok(())
}

/// Which snapshots a listing asks for; absent filters let everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The whole ids; empty for all.
    pub ids: Vec<&'a str>,
    /// Part of the name.
    pub name_part: Option<&'a str>,
    /// The disk.
    pub disk: Option<&'a str>,
    /// The instance.
    pub instance: Option<&'a str>,
    /// The nodes; empty for all.
    pub ens_regions: Vec<&'a str>,
}

/// One page of an account's snapshots, the newest first, and how many there are in all.
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(
    tx: &mut Tx,
    owner: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Snapshot>, i64)> {
    // Lists travel as one text with commas at both ends: no id or node has a comma in it.
    let ids = comma_set(&filter.ids);
    let ens_regions = comma_set(&filter.ens_regions);
    let values: &[Value<'_>] = &[
        owner.as_str().into(),
        ids.as_deref().into(),
        filter.name_part.into(),
        filter.disk.into(),
        filter.instance.into(),
        ens_regions.as_deref().into(),
        limit.into(),
        offset.into(),
    ];
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                ", COUNT(*) OVER () FROM snapshots WHERE owner = $1 \
                 AND ($2 IS NULL OR REPLACE($2, ',' || id || ',', '') <> $2) \
                 AND ($3 IS NULL OR REPLACE(name, $3, '') <> name) \
                 AND ($4 IS NULL OR disk_id = $4) \
                 AND ($5 IS NULL OR instance_id = $5) \
                 AND ($6 IS NULL OR REPLACE($6, ',' || ens_region || ',', '') <> $6) \
                 ORDER BY created_ms DESC, id LIMIT $7 OFFSET $8"
            ),
            values,
        )
        .await?;
    if rows.is_empty() && offset > 0 {
        // A page beyond the end is empty, but says how many there are.
        let (_, total) = Box::pin(list(tx, owner, filter, 0, 1)).await?;
        return Ok((Vec::new(), total));
    }
    let total = rows.first().map_or(Ok(0), |row| row.integer(16))?;
    Ok((rows.iter().map(snapshot).collect::<Result<_>>()?, total))
}

pub(crate) fn comma_set(values: &[&str]) -> Option<String> {
    // A value with a comma can match nothing; an empty one does not either.
    let whole = |value: &&str| if value.contains(',') { "" } else { *value }.to_owned();
    (!values.is_empty()).then(|| format!(",{},", values.iter().map(whole).collect::<Vec<_>>().join(",")))
}

fn snapshot(row: &Row) -> Result<Snapshot> {
    Ok(Snapshot {
        id: SnapshotId::trusted(row.text(0)?),
        owner: AccountId::trusted(row.text(1)?),
        state: match row.text(2)? {
            "creating" => SnapshotState::Creating,
            "available" => SnapshotState::Available,
            "error" => SnapshotState::Error,
            other => return Err(StoreError::Corrupt(format!("unknown snapshot state {other}"))),
        },
        name: row.text(3)?.to_owned(),
        description: row.text(4)?.to_owned(),
        disk: DiskId::trusted(row.text(5)?),
        instance: InstanceId::trusted(row.text(6)?),
        ens_region: row.text(7)?.to_owned(),
        disk_category: row.text(8)?.to_owned(),
        size_gib: row.integer(9)?,
        created: Timestamp::from_millis(row.integer(10)?),
        labels: ImageLabels {
            architecture: row.text(11)?.to_owned(),
            compute_type: row.text(12)?.to_owned(),
            platform: row.text(13)?.to_owned(),
            os_type: row.text(14)?.to_owned(),
            os_version: row.text(15)?.to_owned(),
            ..ImageLabels::default()
        },
    })
}

fn state_to_text(state: SnapshotState) -> &'static str {
    match state {
        SnapshotState::Creating => "creating",
        SnapshotState::Available => "available",
        SnapshotState::Error => "error",
    }
}

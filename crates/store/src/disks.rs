//! Disks of instances, as things of their own. They come and go with their instance.

use calotype_core::ids::{AccountId, InstanceId};
use calotype_core::instance::{ChargeType, Disk, DiskKind};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;

use crate::db::{Result, Row, Tx, Value};
use crate::instances::{charge_type_from_text, charge_type_to_text, disk, disk_kind_to_text};
use crate::snapshots::comma_set;
use crate::usages;

/// A disk and what there is to say about its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDisk {
    /// The disk.
    pub disk: Disk,
    /// The instance that it belongs to.
    pub instance: InstanceId,
    /// The name of the instance.
    pub instance_name: String,
    /// The node.
    pub ens_region: String,
    /// How it is paid for: as the instance is.
    pub charge_type: ChargeType,
    /// Whether its content is being replaced.
    pub is_reinitialised: bool,
    /// When the instance was asked for.
    pub created: Timestamp,
}

/// Which disks a listing asks for; absent filters let everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The whole ids; empty for all.
    pub ids: Vec<&'a str>,
    /// Part of the name, which is the id.
    pub name_part: Option<&'a str>,
    /// The instance.
    pub instance: Option<&'a str>,
    /// The nodes; empty for all.
    pub ens_regions: Vec<&'a str>,
    /// `cloud_efficiency` and the like.
    pub category: Option<&'a str>,
    /// What they are for.
    pub kind: Option<DiskKind>,
    /// How they are paid for.
    pub charge_type: Option<ChargeType>,
    /// Whether their content is being replaced.
    pub is_reinitialised: Option<bool>,
    /// The order of the nodes, `asc` or `desc`, before any other.
    pub region_order: Option<&'a str>,
    /// The order of the names, `asc` or `desc`; those of the newest instances first, if absent.
    pub name_order: Option<&'a str>,
}

/// One page of the disks of an account's ENS instances, and how many there are in all.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn list(
    tx: &mut Tx,
    owner: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ListedDisk>, i64)> {
    let (ids, ens_regions) = (comma_set(&filter.ids), comma_set(&filter.ens_regions));
    let values: &[Value<'_>] = &[
        owner.as_str().into(),
        usages::kind_to_text(ConsumerKind::Instance).into(),
        ids.as_deref().into(),
        filter.name_part.into(),
        filter.instance.into(),
        ens_regions.as_deref().into(),
        filter.category.into(),
        filter.kind.map(disk_kind_to_text).into(),
        filter.charge_type.map(charge_type_to_text).into(),
        filter.is_reinitialised.map(i64::from).into(),
        filter.region_order.into(),
        filter.name_order.into(),
        limit.into(),
        offset.into(),
    ];
    let rows = tx.query(LIST, values).await?;
    if rows.is_empty() && offset > 0 {
        // A page beyond the end is empty, but says how many there are.
        let (_, total) = Box::pin(list(tx, owner, filter, 0, 1)).await?;
        return Ok((Vec::new(), total));
    }
    let total = rows.first().map_or(Ok(0), |row| row.integer(10))?;
    Ok((rows.iter().map(listed).collect::<Result<_>>()?, total))
}

/// Only the system disk has content that is replaced.
const LIST: &str = "SELECT d.id, d.kind, d.category, d.size_gib, i.id, i.name, i.region, i.charge_type, \
     i.created_ms, CASE WHEN d.kind = 'system' AND i.reinit_image_id IS NOT NULL THEN 1 ELSE 0 END, \
     COUNT(*) OVER () FROM instances i JOIN disks d ON d.instance_id = i.id \
     WHERE i.owner = $1 AND i.kind = $2 \
     AND ($3 IS NULL OR REPLACE($3, ',' || d.id || ',', '') <> $3) \
     AND ($4 IS NULL OR REPLACE(d.id, $4, '') <> d.id) \
     AND ($5 IS NULL OR i.id = $5) \
     AND ($6 IS NULL OR REPLACE($6, ',' || i.region || ',', '') <> $6) \
     AND ($7 IS NULL OR d.category = $7) \
     AND ($8 IS NULL OR d.kind = $8) \
     AND ($9 IS NULL OR i.charge_type = $9) \
     AND (CAST($10 AS BIGINT) IS NULL \
     OR CAST($10 AS BIGINT) = CASE WHEN d.kind = 'system' AND i.reinit_image_id IS NOT NULL THEN 1 ELSE 0 END) \
     ORDER BY CASE WHEN $11 = 'asc' THEN i.region END, CASE WHEN $11 = 'desc' THEN i.region END DESC, \
     CASE WHEN $12 = 'asc' THEN d.id END, CASE WHEN $12 = 'desc' THEN d.id END DESC, \
     i.created_ms DESC, i.id, d.position LIMIT $13 OFFSET $14";

fn listed(row: &Row) -> Result<ListedDisk> {
    Ok(ListedDisk {
        disk: disk(row)?,
        instance: InstanceId::trusted(row.text(4)?),
        instance_name: row.text(5)?.to_owned(),
        ens_region: row.text(6)?.to_owned(),
        charge_type: charge_type_from_text(row.text(7)?)?,
        is_reinitialised: row.integer(9)? != 0,
        created: Timestamp::from_millis(row.integer(8)?),
    })
}

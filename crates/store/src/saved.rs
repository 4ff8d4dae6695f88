//! Accounts as a whole, saved and loaded again under other ids.

use std::collections::BTreeMap;

use calotype_core::ids::{AccountId, ImageId, RegionId};
use calotype_core::time::Timestamp;
use futures::TryStreamExt as _;

use crate::db::{Cell, Db, Row, StoreError, Tx, Value};
use crate::holds::HELD_UNTIL;
use crate::objects::{self, ObjectError, ObjectKey, Places};

/// A table whose rows can be an account's.
#[derive(Debug)]
struct Table {
    name: &'static str,
    /// The type of each column: `t` for a text, `i` for an integer.
    columns: &'static str,
    select: &'static str,
    insert: &'static str,
}

/// Rows of one table that are saved, at most.
pub const ROWS_MAX: usize = 10_000;

/// Bytes of objects that are saved, at most.
pub const OBJECT_BYTES_MAX: u64 = 16 << 20;

/// The rows of an account, by table, and its bytes, by the id of the replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedAccount {
    /// The rows, each with its cells in the order of the table's columns.
    pub rows: BTreeMap<String, Vec<Vec<Cell>>>,
    /// The bytes.
    pub objects: BTreeMap<String, Vec<u8>>,
}

/// Why an account cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum NotSaved {
    /// There is more of it than can be saved.
    #[error("there is too much of it: {0}")]
    TooMuch(&'static str),
    /// What was saved does not fit what is here.
    #[error("what was saved does not fit: {0}")]
    Unfit(String),
    /// The metadata failed.
    #[error("the metadata failed")]
    Store(#[from] StoreError),
    /// A store of objects failed.
    #[error("a store of objects failed")]
    Objects(#[from] ObjectError),
}

/// Everything that an account has, but what it has deleted.
///
/// # Errors
/// [`NotSaved`].
pub async fn save(db: &Db, places: &Places, account: &AccountId) -> Result<SavedAccount, NotSaved> {
    let mut saved = SavedAccount::default();
    let mut tx = db.read().await?;
    for table in TABLES {
        let limit = i64::try_from(ROWS_MAX + 1).unwrap_or(i64::MAX);
        let rows = tx.query(table.select, &[account.as_str().into(), limit.into()]).await?;
        if rows.len() > ROWS_MAX {
            return Err(NotSaved::TooMuch("rows"));
        }
        let rows: Vec<Vec<Cell>> = rows.iter().map(Row::cells).collect();
        saved.rows.insert(table.name.to_owned(), rows);
    }
    drop(tx);
    let mut bytes = 0;
    for row in saved.rows.get("replicas").into_iter().flatten() {
        let Some(replica) = replica(row) else { continue };
        bytes += replica.size;
        if bytes > OBJECT_BYTES_MAX {
            return Err(NotSaved::TooMuch("bytes of images"));
        }
        let objects = places.region(&replica.region).ok_or_else(|| unfit("a region"))?;
        let found = objects.open_replica(&replica.key).await?;
        let parts: Vec<_> = objects::pieces(found).try_collect().await?;
        saved.objects.insert(replica.id, parts.concat());
    }
    Ok(saved)
}

/// Writes what was saved as what an account has, with these names in the place of the old ones. What waits for a
/// worker is due now.
///
/// # Errors
/// [`NotSaved`]; then nothing is there of it.
pub async fn load(
    db: &Db,
    places: &Places,
    account: &AccountId,
    saved: &SavedAccount,
    names: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), NotSaved> {
    let mut written = Vec::new();
    let rename = |table: &Table, row: &Vec<Cell>| rename(table, row, account, names, now);
    let loaded = async {
        let renamed = TABLES
            .iter()
            .map(|table| {
                let rows = saved.rows.get(table.name).map(Vec::as_slice).unwrap_or_default();
                Ok((table, rows.iter().map(|row| rename(table, row)).collect::<Result<_, _>>()?))
            })
            .collect::<Result<Vec<_>, NotSaved>>()?;
        write(db, places, saved, &renamed, &mut written).await
    };
    let loaded = loaded.await;
    if loaded.is_err() {
        for (region, key) in written {
            if let Some(objects) = places.region(&region) {
                drop(objects.erase(&key).await);
            }
        }
    }
    loaded
}

async fn write(
    db: &Db,
    places: &Places,
    saved: &SavedAccount,
    renamed: &[(&Table, Vec<Vec<Cell>>)],
    written: &mut Vec<(RegionId, ObjectKey)>,
) -> Result<(), NotSaved> {
    let old = saved.rows.get("replicas").into_iter().flatten();
    let new = renamed.iter().filter(|(table, _)| table.name == "replicas").flat_map(|(_, rows)| rows);
    for (old, new) in old.zip(new) {
        let (Some(old), Some(new)) = (replica(old), replica(new)) else { continue };
        let bytes = saved.objects.get(&old.id).ok_or_else(|| unfit("bytes of a replica"))?;
        // No key but one of its own: keys become names of files.
        let number = new.key.as_str().strip_prefix(&format!("{}.", new.id));
        if number.is_none_or(|number| number.parse::<u32>().is_err()) {
            return Err(unfit("the key of a replica"));
        }
        let objects = places.region(&new.region).ok_or_else(|| unfit("a region"))?;
        let mut upload = objects.upload(&new.key, bytes.len() as u64).await?;
        written.push((new.region.clone(), new.key.clone()));
        upload.put(bytes::Bytes::copy_from_slice(bytes)).await?;
        upload.finish().await?;
    }
    let mut tx = db.begin().await?;
    for (table, rows) in renamed {
        for row in rows {
            let values: Vec<Value<'_>> =
                table.columns.chars().zip(row).map(|(kind, cell)| value(kind, cell)).collect();
            tx.execute_one(table.insert, &values).await?;
        }
    }
    require_images(&mut tx, renamed).await?;
    Ok(tx.commit().await?)
}

/// Whatever uses an image uses one that is there.
async fn require_images(tx: &mut Tx, tables: &[(&Table, Vec<Vec<Cell>>)]) -> Result<(), NotSaved> {
    for (_, rows) in tables.iter().filter(|(table, _)| table.name == "usages") {
        for row in rows {
            let Some(Cell::Text(id)) = row.first() else { return Err(unfit("a use of an image")) };
            let is_there = "SELECT 1 FROM images WHERE id = $1 AND deleted_ms IS NULL";
            let found = tx.query_opt(is_there, &[ImageId::trusted(id.clone()).as_str().into()]).await?;
            found.ok_or_else(|| unfit(&format!("the image {id}")))?;
        }
    }
    Ok(())
}

/// A replica whose bytes are there, also while it is held.
struct Whole {
    id: String,
    region: RegionId,
    key: ObjectKey,
    size: u64,
}

/// Reads the cells of a row of `replicas`, in the order of [`TABLES`].
fn replica(row: &[Cell]) -> Option<Whole> {
    match (row.first(), row.get(4), row.get(8), row.get(9), row.get(10)) {
        (
            Some(Cell::Text(id)),
            Some(Cell::Text(region)),
            Some(Cell::Text(key)),
            Some(Cell::Integer(size)),
            Some(Cell::Text(_)),
        ) => Some(Whole {
            id: id.clone(),
            region: RegionId::trusted(region.clone()),
            key: ObjectKey::trusted(key),
            size: size.unsigned_abs(),
        }),
        _ => None,
    }
}

fn unfit(what: &str) -> NotSaved {
    NotSaved::Unfit(what.to_owned())
}

/// A row with other names; nobody has a lease on it.
fn rename(
    table: &Table,
    row: &[Cell],
    account: &AccountId,
    names: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Vec<Cell>, NotSaved> {
    if row.len() != table.columns.len() {
        return Err(unfit(table.name));
    }
    let columns = table.select.split(" FROM ").next().unwrap_or_default().trim_start_matches("SELECT ");
    let cell = |((column, kind), cell): ((&str, char), &Cell)| match (column, kind, cell) {
        ("lease_owner" | "lease_until_ms", _, _) | (_, _, Cell::Null) => Ok(Cell::Null),
        ("due_ms", 'i', Cell::Integer(due))
            if *due != HELD_UNTIL.as_millis() && table.name != "instances" =>
        {
            Ok(Cell::Integer(now.as_millis()))
        }
        (_, 'i', Cell::Integer(number)) => Ok(Cell::Integer(*number)),
        (_, 't', Cell::Text(text)) => {
            let text = renamed(text, names);
            let is_owner = matches!(column, "owner" | "consumer_owner");
            if is_owner && text != account.as_str() { Err(unfit("an owner")) } else { Ok(Cell::Text(text)) }
        }
        _ => Err(unfit(table.name)),
    };
    columns.split(", ").zip(table.columns.chars()).zip(row).map(cell).collect()
}

/// A text with other names in the place of those in it.
fn renamed(text: &str, names: &BTreeMap<String, String>) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(length);
        result.push_str(names.get(token).map_or(token, String::as_str));
        let next = after.chars().next();
        result.extend(next);
        rest = &after[next.map_or(0, char::len_utf8)..];
    }
    result
}

fn value(kind: char, cell: &Cell) -> Value<'_> {
    match (kind, cell) {
        (_, Cell::Text(text)) => text.as_str().into(),
        (_, Cell::Integer(number)) => (*number).into(),
        ('t', Cell::Null) => Value::Text(None),
        (_, Cell::Null) => Value::Integer(None),
    }
}

impl SavedAccount {
    /// The ids of its own things: they need other names where it is loaded.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        const WITH_IDS: [&str; 8] =
            ["images", "versions", "replicas", "instances", "disks", "snapshots", "templates", "bundles"];
        let rows = WITH_IDS.into_iter().flat_map(|table| self.rows.get(table).into_iter().flatten());
        rows.filter_map(|row| if let Some(Cell::Text(id)) = row.first() { Some(id.as_str()) } else { None })
            .collect()
    }
}

/// The tables, in an order in which their rows can be written.
const TABLES: &[Table] = &[
    Table {
        name: "images",
        columns: "ttttttttttttttiittttttiiii",
        select: "SELECT id, product, owner, kind, state, stage, reason, name, architecture, compute_type, \
         platform, os_type, os_version, region, virtual_size_bytes, stored_size_bytes, source_instance, \
         source_snapshot, product_type, details, parent_id, base_id, published_ms, created_ms, \
         modified_ms, deleted_ms FROM images WHERE owner = $1 AND deleted_ms IS NULL ORDER BY 1, 2 LIMIT \
         $2",
        insert: "INSERT INTO images (id, product, owner, kind, state, stage, reason, name, architecture, \
         compute_type, platform, os_type, os_version, region, virtual_size_bytes, stored_size_bytes, \
         source_instance, source_snapshot, product_type, details, parent_id, base_id, published_ms, \
         created_ms, modified_ms, deleted_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)",
    },
    Table {
        name: "versions",
        columns: "ttti",
        select: "SELECT id, image_id, name, created_ms FROM versions WHERE image_id IN (SELECT id FROM images \
         WHERE owner = $1 AND deleted_ms IS NULL) ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO versions (id, image_id, name, created_ms) VALUES ($1, $2, $3, $4)",
    },
    Table {
        name: "replicas",
        columns: "tttttttttitiiitiititi",
        select: "SELECT id, holder_kind, holder_id, version_id, region, state, source_kind, source, object_key, \
         size_bytes, sha256, virtual_size_bytes, copied_bytes, writes, unused_writes, attempt, tries, \
         last_error, due_ms, lease_owner, lease_until_ms FROM replicas WHERE state IN ('copying', \
         'available', 'failed') AND (holder_id IN (SELECT id FROM images WHERE owner = $1 AND deleted_ms \
         IS NULL) OR holder_id IN (SELECT id FROM snapshots WHERE owner = $1)) ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO replicas (id, holder_kind, holder_id, version_id, region, state, source_kind, \
         source, object_key, size_bytes, sha256, virtual_size_bytes, copied_bytes, writes, \
         unused_writes, attempt, tries, last_error, due_ms, lease_owner, lease_until_ms) VALUES ($1, $2, \
         $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
    },
    Table {
        name: "shares",
        columns: "tti",
        select: "SELECT image_id, account_id, since_ms FROM shares WHERE image_id IN (SELECT id FROM images \
         WHERE owner = $1 AND deleted_ms IS NULL) ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO shares (image_id, account_id, since_ms) VALUES ($1, $2, $3)",
    },
    Table {
        name: "instances",
        columns: "tttttttitittttii",
        select: "SELECT id, kind, owner, image_id, reinit_image_id, power, transition, settles_ms, charge_type, \
         deletion_protection, name, region, instance_type, echo, created_ms, due_ms FROM instances WHERE \
         owner = $1 ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO instances (id, kind, owner, image_id, reinit_image_id, power, transition, \
         settles_ms, charge_type, deletion_protection, name, region, instance_type, echo, created_ms, \
         due_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    },
    Table {
        name: "disks",
        columns: "ttitti",
        select: "SELECT id, instance_id, position, kind, category, size_gib FROM disks WHERE instance_id IN \
         (SELECT id FROM instances WHERE owner = $1) ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO disks (id, instance_id, position, kind, category, size_gib) VALUES ($1, $2, $3, $4, \
         $5, $6)",
    },
    Table {
        name: "usages",
        columns: "tttttii",
        select: "SELECT image_id, consumer_id, origin, consumer_kind, consumer_owner, in_progress, since_ms FROM \
         usages WHERE consumer_owner = $1 ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO usages (image_id, consumer_id, origin, consumer_kind, consumer_owner, in_progress, \
         since_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    },
    Table {
        name: "snapshots",
        columns: "tttttttttittttti",
        select: "SELECT id, owner, state, name, description, disk_id, instance_id, ens_region, disk_category, \
         size_gib, architecture, compute_type, platform, os_type, os_version, created_ms FROM snapshots \
         WHERE owner = $1 ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO snapshots (id, owner, state, name, description, disk_id, instance_id, ens_region, \
         disk_category, size_gib, architecture, compute_type, platform, os_type, os_version, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    },
    Table {
        name: "templates",
        columns: "tttttii",
        select: "SELECT id, owner, image_id, name, details, created_ms, modified_ms FROM templates WHERE owner = \
         $1 ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO templates (id, owner, image_id, name, details, created_ms, modified_ms) VALUES ($1, \
         $2, $3, $4, $5, $6, $7)",
    },
    Table {
        name: "bundles",
        columns: "tttttti",
        select: "SELECT id, owner, image_id, region, name, details, created_ms FROM bundles WHERE owner = $1 \
         ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO bundles (id, owner, image_id, region, name, details, created_ms) VALUES ($1, $2, \
         $3, $4, $5, $6, $7)",
    },
    Table {
        name: "exports",
        columns: "ttttiiititi",
        select: "SELECT image_id, bucket, object, state, since_ms, attempt, tries, last_error, due_ms, \
         lease_owner, lease_until_ms FROM exports WHERE image_id IN (SELECT id FROM images WHERE owner = \
         $1 AND deleted_ms IS NULL) ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO exports (image_id, bucket, object, state, since_ms, attempt, tries, last_error, \
         due_ms, lease_owner, lease_until_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    },
    Table {
        name: "tags",
        columns: "tttt",
        select: "SELECT resource_kind, resource_id, tag_key, tag_value FROM tags WHERE resource_id IN (SELECT id \
         FROM images WHERE owner = $1 AND deleted_ms IS NULL) OR resource_id IN (SELECT id FROM \
         instances WHERE owner = $1) ORDER BY 1, 2 LIMIT $2",
        insert: "INSERT INTO tags (resource_kind, resource_id, tag_key, tag_value) VALUES ($1, $2, $3, $4)",
    },
];

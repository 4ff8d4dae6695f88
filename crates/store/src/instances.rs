//! What runs images: ENS instances, delivery groups and workstations, and their disks.

use calotype_core::ids::{AccountId, DiskId, ImageId, InstanceId};
use calotype_core::instance::{
    Activity, ChargeType, Disk, DiskKind, Instance, InstanceLabels, PowerState, Transition,
};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;

use crate::db::{Lock, Result, Row, StoreError, Tx, Value};
use crate::snapshots::comma_set;
use crate::{members, tags, usages};

macro_rules! columns {
    () => {
        "i.id, i.owner, i.image_id, i.reinit_image_id, i.power, i.transition, i.settles_ms, i.charge_type, \
         i.deletion_protection, i.name, i.region, i.instance_type, i.echo, i.created_ms, i.kind"
    };
}

/// Writes a new instance and its disks. Its use of the image is written with [`usages::insert`].
///
/// # Errors
/// [`StoreError::Conflict`] if an id exists.
pub async fn insert(tx: &mut Tx, instance: &Instance) -> Result<()> {
    let echo = members::to_text(&instance.labels.echo);
    tx.send_one(
        "INSERT INTO instances (id, owner, image_id, power, transition, settles_ms, charge_type, \
         deletion_protection, name, region, instance_type, echo, created_ms, kind) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &[
            instance.id.as_str().into(),
            instance.owner.as_str().into(),
            instance.image.as_str().into(),
            power_to_text(instance.power).into(),
            transition_to_text(instance.transition).into(),
            instance.settles.as_millis().into(),
            charge_type_to_text(instance.charge_type).into(),
            instance.deletion_protection.into(),
            (&instance.labels.name).into(),
            (&instance.labels.region).into(),
            (&instance.labels.instance_type).into(),
            (&echo).into(),
            instance.created.as_millis().into(),
            usages::kind_to_text(instance.kind).into(),
        ],
        StoreError::Conflict,
    )
    .await?;
    for (position, disk) in (0_i64..).zip(&instance.disks) {
        tx.send_one(
            "INSERT INTO disks (id, instance_id, position, kind, category, size_gib) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                disk.id.as_str().into(),
                instance.id.as_str().into(),
                position.into(),
                disk_kind_to_text(disk.kind).into(),
                (&disk.category).into(),
                disk.size_gib.into(),
            ],
            StoreError::Conflict,
        )
        .await?;
    }
    Ok(())
}

/// Locks an instance for the rest of the transaction: what it runs stays as it is read after this. Locked before
/// the image.
pub fn lock(tx: &mut Tx, id: &InstanceId) {
    tx.lock("instances", id.as_str(), Lock::Alone);
}

/// Reads an instance of this kind of `owner`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load(
    tx: &mut Tx,
    kind: ConsumerKind,
    id: &InstanceId,
    owner: &AccountId,
) -> Result<Option<Instance>> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM instances i WHERE i.id = $1 AND i.owner = $2 AND i.kind = $3"
            ),
            &[id.as_str().into(), owner.as_str().into(), usages::kind_to_text(kind).into()],
        )
        .await?;
    match row {
        Some(row) => Ok(Some(with_disks(tx, &row).await?)),
        None => Ok(None),
    }
}

/// Reads the ENS instance of `owner` that has this disk.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load_by_disk(tx: &mut Tx, disk: &DiskId, owner: &AccountId) -> Result<Option<Instance>> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM disks d JOIN instances i ON i.id = d.instance_id \
                 WHERE d.id = $1 AND i.owner = $2 AND i.kind = $3"
            ),
            &[
                disk.as_str().into(),
                owner.as_str().into(),
                usages::kind_to_text(ConsumerKind::Instance).into(),
            ],
        )
        .await?;
    match row {
        Some(row) => Ok(Some(with_disks(tx, &row).await?)),
        None => Ok(None),
    }
}

/// The instances of this kind of `owner` whose launch was given this parameter with this value, the
/// oldest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn with_echo(
    tx: &mut Tx,
    kind: ConsumerKind,
    owner: &AccountId,
    name: &str,
    value: &str,
) -> Result<Vec<InstanceId>> {
    let part = members::part(name, value);
    let rows = tx
        .query(
            "SELECT id FROM instances WHERE owner = $1 AND kind = $2 AND REPLACE(echo, $3, '') <> echo \
             ORDER BY created_ms, id",
            &[owner.as_str().into(), usages::kind_to_text(kind).into(), part.as_str().into()],
        )
        .await?;
    rows.iter().map(|row| Ok(InstanceId::trusted(row.text(0)?))).collect()
}

/// Writes that an instance goes to a power state.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone or being reinitialised.
pub async fn set_power(
    tx: &mut Tx,
    id: &InstanceId,
    power: PowerState,
    transition: Transition,
    settles: Timestamp,
) -> Result<()> {
    tx.execute_one(
        "UPDATE instances SET power = $2, transition = $3, settles_ms = $4 \
         WHERE id = $1 AND reinit_image_id IS NULL",
        &[
            id.as_str().into(),
            power_to_text(power).into(),
            transition_to_text(transition).into(),
            settles.as_millis().into(),
        ],
    )
    .await
}

/// Writes what the owner says about an instance, and whether releasing it is refused.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone.
pub async fn relabel(tx: &mut Tx, instance: &Instance) -> Result<()> {
    let echo = members::to_text(&instance.labels.echo);
    tx.execute_one(
        "UPDATE instances SET name = $2, deletion_protection = $3, echo = $4 WHERE id = $1",
        &[
            instance.id.as_str().into(),
            (&instance.labels.name).into(),
            instance.deletion_protection.into(),
            (&echo).into(),
        ],
    )
    .await
}

/// Writes that an instance is being switched to an image, to be finished by the worker at `due`. The
/// use is written with [`usages::begin_switch`].
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone or being reinitialised already.
pub async fn begin_reinit(tx: &mut Tx, id: &InstanceId, image: &ImageId, due: Timestamp) -> Result<()> {
    tx.execute_one(
        "UPDATE instances SET reinit_image_id = $2, due_ms = $3 WHERE id = $1 AND reinit_image_id IS NULL",
        &[id.as_str().into(), image.as_str().into(), due.as_millis().into()],
    )
    .await
}

/// The instances whose reinitialisation is due, with the images that they leave and get.
///
/// # Errors
/// Any [`StoreError`].
pub async fn due_reinits(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(InstanceId, ImageId, ImageId)>> {
    let rows = tx
        .claim(
            "SELECT id, image_id, reinit_image_id FROM instances i \
             WHERE due_ms IS NOT NULL AND due_ms <= $1 ORDER BY due_ms LIMIT $2",
            "i",
            &[now.as_millis().into(), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let from = ImageId::trusted(row.text(1)?);
            Ok((InstanceId::trusted(row.text(0)?), from, ImageId::trusted(row.text(2)?)))
        })
        .collect()
}

/// When the next reinitialisation is due.
///
/// # Errors
/// Any [`StoreError`].
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let row = tx.query_opt("SELECT MIN(due_ms) FROM instances WHERE due_ms IS NOT NULL", &[]).await?;
    let due = row.map_or(Ok(None), |row| row.integer_opt(0))?;
    Ok(due.map(Timestamp::from_millis))
}

/// Writes that an instance has been switched: it uses the new image only.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone, or not being switched to this image.
pub async fn end_reinit(tx: &mut Tx, id: &InstanceId, image: &ImageId) -> Result<()> {
    tx.execute_one(
        "UPDATE instances SET image_id = $2, reinit_image_id = NULL, due_ms = NULL \
         WHERE id = $1 AND reinit_image_id = $2",
        &[id.as_str().into(), image.as_str().into()],
    )
    .await?;
    usages::end_switch(tx, id.as_str()).await
}

/// Releases an instance: it is gone, with its disks, its tags and its uses of images.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone already.
pub async fn release(tx: &mut Tx, kind: ConsumerKind, id: &InstanceId) -> Result<()> {
    let word = usages::kind_to_text(kind);
    let of_kind = &[id.as_str().into(), word.into()];
    tx.execute_one("DELETE FROM instances WHERE id = $1 AND kind = $2", of_kind).await?;
    tx.execute("DELETE FROM disks WHERE instance_id = $1", &[id.as_str().into()]).await?;
    tags::remove_all(tx, word, id.as_str()).await?;
    usages::end(tx, id.as_str()).await
}

/// Which instances a listing asks for; absent filters let everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The whole ids; empty for all.
    pub ids: Vec<&'a str>,
    /// The image.
    pub image: Option<&'a str>,
    /// Part of the name.
    pub name_part: Option<&'a str>,
    /// The nodes or regions; empty for all.
    pub regions: Vec<&'a str>,
    /// The specification.
    pub instance_type: Option<&'a str>,
    /// How they are paid for.
    pub charge_type: Option<ChargeType>,
    /// The settled state they are in.
    pub power: Option<PowerState>,
    /// What they may be doing, besides being in `power`; empty for anything.
    pub activities: Vec<Activity>,
    /// Part of the id or the name.
    pub search: Option<&'a str>,
    /// Parameters of the launch that they must have been given, names with values.
    pub echo: Vec<(&'a str, &'a str)>,
    /// The earliest and the latest time at which they were asked for, in milliseconds.
    pub created_ms: (Option<i64>, Option<i64>),
    /// The order of the names: `asc` or `desc`; the newest first, if absent.
    pub name_order: Option<&'a str>,
    /// Tags that they must have, each a key and, if given, a value.
    pub tags: Vec<(&'a str, Option<&'a str>)>,
    /// The time at which states are looked at.
    pub now: i64,
}

/// One page of an account's instances of one kind, the newest first, and how many there are in all. Of
/// the tags of the filter the statement looks at the first [`TAGS_IN_FILTER_MAX`], of the echoed
/// parameters the first [`ECHO_IN_FILTER_MAX`].
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(
    tx: &mut Tx,
    kind: ConsumerKind,
    owner: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Instance>, i64)> {
    let ids = comma_set(&filter.ids);
    let regions = comma_set(&filter.regions);
    let settled = filter.power.map(Activity::Settled);
    let activities = filter.activities.iter().copied().chain(settled).map(activity_to_text);
    let activities = comma_set(&activities.collect::<Vec<_>>());
    let tag = |place: usize| filter.tags.get(place);
    let mut values: Vec<Value<'_>> = vec![
        owner.as_str().into(),
        ids.as_deref().into(),
        filter.image.into(),
        filter.name_part.into(),
        regions.as_deref().into(),
        filter.instance_type.into(),
        filter.charge_type.map(charge_type_to_text).into(),
        activities.as_deref().into(),
        filter.search.into(),
        filter.now.into(),
        limit.into(),
        offset.into(),
    ];
    for place in 0..TAGS_IN_FILTER_MAX {
        values.push(tag(place).map(|(key, _)| *key).into());
        values.push(tag(place).and_then(|(_, value)| *value).into());
    }
    let echo: Vec<String> = filter.echo.iter().map(|(name, value)| members::part(name, value)).collect();
    for place in 0..ECHO_IN_FILTER_MAX {
        values.push(echo.get(place).map(String::as_str).into());
    }
    values.push(filter.name_order.into());
    values.push(usages::kind_to_text(kind).into());
    values.push(filter.created_ms.0.into());
    values.push(filter.created_ms.1.into());
    let rows = tx.query(LIST, &values).await?;
    if rows.is_empty() && offset > 0 {
        // A page beyond the end is empty, but says how many there are.
        let (_, total) = Box::pin(list(tx, kind, owner, filter, 0, 1)).await?;
        return Ok((Vec::new(), total));
    }
    let total = rows.first().map_or(Ok(0), |row| row.integer(15))?;
    let mut instances = Vec::with_capacity(rows.len());
    for row in &rows {
        instances.push(with_disks(tx, row).await?);
    }
    Ok((instances, total))
}

/// How many tags a listing can be filtered by.
pub const TAGS_IN_FILTER_MAX: usize = 3;

/// How many echoed parameters a listing can be filtered by.
pub const ECHO_IN_FILTER_MAX: usize = 4;

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    ", COUNT(*) OVER () FROM instances i WHERE i.owner = $1 AND i.kind = $24 \
     AND ($2 IS NULL OR REPLACE($2, ',' || i.id || ',', '') <> $2) \
     AND ($3 IS NULL OR i.image_id = $3) \
     AND ($4 IS NULL OR REPLACE(i.name, $4, '') <> i.name) \
     AND ($5 IS NULL OR REPLACE($5, ',' || i.region || ',', '') <> $5) \
     AND ($6 IS NULL OR i.instance_type = $6) \
     AND ($7 IS NULL OR i.charge_type = $7) \
     AND ($8 IS NULL OR REPLACE($8, ',' || CASE WHEN i.reinit_image_id IS NOT NULL THEN 'reinitialising' \
     WHEN i.settles_ms > $10 THEN i.transition ELSE i.power END || ',', '') <> $8) \
     AND ($9 IS NULL OR REPLACE(i.id, $9, '') <> i.id OR REPLACE(i.name, $9, '') <> i.name) \
     AND ($13 IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.resource_kind = i.kind \
     AND t.resource_id = i.id AND t.tag_key = $13 AND ($14 IS NULL OR t.tag_value = $14))) \
     AND ($15 IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.resource_kind = i.kind \
     AND t.resource_id = i.id AND t.tag_key = $15 AND ($16 IS NULL OR t.tag_value = $16))) \
     AND ($17 IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.resource_kind = i.kind \
     AND t.resource_id = i.id AND t.tag_key = $17 AND ($18 IS NULL OR t.tag_value = $18))) \
     AND ($19 IS NULL OR REPLACE(i.echo, $19, '') <> i.echo) \
     AND ($20 IS NULL OR REPLACE(i.echo, $20, '') <> i.echo) \
     AND ($21 IS NULL OR REPLACE(i.echo, $21, '') <> i.echo) \
     AND ($22 IS NULL OR REPLACE(i.echo, $22, '') <> i.echo) \
     AND ($25 IS NULL OR i.created_ms >= $25) \
     AND ($26 IS NULL OR i.created_ms <= $26) \
     ORDER BY CASE WHEN $23 = 'asc' THEN i.name END, CASE WHEN $23 = 'desc' THEN i.name END DESC, \
     i.created_ms DESC, i.id LIMIT $11 OFFSET $12"
);

async fn with_disks(tx: &mut Tx, row: &Row) -> Result<Instance> {
    let mut instance = instance(row)?;
    let rows = tx
        .query(
            "SELECT id, kind, category, size_gib FROM disks WHERE instance_id = $1 ORDER BY position",
            &[instance.id.as_str().into()],
        )
        .await?;
    instance.disks = rows.iter().map(disk).collect::<Result<_>>()?;
    Ok(instance)
}

pub(crate) fn disk(row: &Row) -> Result<Disk> {
    Ok(Disk {
        id: DiskId::trusted(row.text(0)?),
        kind: match row.text(1)? {
            "system" => DiskKind::System,
            "data" => DiskKind::Data,
            other => return Err(StoreError::Corrupt(format!("unknown disk kind {other}"))),
        },
        category: row.text(2)?.to_owned(),
        size_gib: row.integer(3)?,
    })
}

fn instance(row: &Row) -> Result<Instance> {
    Ok(Instance {
        id: InstanceId::trusted(row.text(0)?),
        kind: usages::kind_from_text(row.text(14)?)?,
        owner: AccountId::trusted(row.text(1)?),
        image: ImageId::trusted(row.text(2)?),
        reinit_image: row.text_opt(3)?.map(ImageId::trusted),
        power: match row.text(4)? {
            "running" => PowerState::Running,
            "stopped" => PowerState::Stopped,
            other => return Err(StoreError::Corrupt(format!("unknown power state {other}"))),
        },
        transition: match row.text(5)? {
            "pending" => Transition::Pending,
            "starting" => Transition::Starting,
            "stopping" => Transition::Stopping,
            other => return Err(StoreError::Corrupt(format!("unknown transition {other}"))),
        },
        settles: Timestamp::from_millis(row.integer(6)?),
        charge_type: charge_type_from_text(row.text(7)?)?,
        deletion_protection: row.integer(8)? != 0,
        labels: InstanceLabels {
            name: row.text(9)?.to_owned(),
            region: row.text(10)?.to_owned(),
            instance_type: row.text(11)?.to_owned(),
            echo: members::from_text(row.text(12)?)?,
        },
        disks: Vec::new(),
        created: Timestamp::from_millis(row.integer(13)?),
    })
}

/// The word for what an instance does, as [`LIST`] makes it of the columns.
fn activity_to_text(activity: Activity) -> &'static str {
    match activity {
        Activity::Settled(power) => power_to_text(power),
        Activity::Moving(transition) => transition_to_text(transition),
        Activity::Reinitialising => "reinitialising",
    }
}

fn power_to_text(power: PowerState) -> &'static str {
    match power {
        PowerState::Running => "running",
        PowerState::Stopped => "stopped",
    }
}

fn transition_to_text(transition: Transition) -> &'static str {
    match transition {
        Transition::Pending => "pending",
        Transition::Starting => "starting",
        Transition::Stopping => "stopping",
    }
}

pub(crate) fn charge_type_from_text(text: &str) -> Result<ChargeType> {
    match text {
        "prepaid" => Ok(ChargeType::PrePaid),
        "postpaid" => Ok(ChargeType::PostPaid),
        other => Err(StoreError::Corrupt(format!("unknown charge type {other}"))),
    }
}

pub(crate) fn charge_type_to_text(charge_type: ChargeType) -> &'static str {
    match charge_type {
        ChargeType::PrePaid => "prepaid",
        ChargeType::PostPaid => "postpaid",
    }
}

pub(crate) fn disk_kind_to_text(kind: DiskKind) -> &'static str {
    match kind {
        DiskKind::System => "system",
        DiskKind::Data => "data",
    }
}

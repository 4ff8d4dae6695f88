//! Images: their rows, and the views that decisions are made of.

use std::collections::BTreeMap;

use calotype_core::delete_image::{DeletePlan, DeleteView};
use calotype_core::export_image::Export;
use calotype_core::ids::{AccountId, ImageId, InstanceId, RegionId, ReplicaId, SnapshotId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, ImageView, Product, Stage, Standing};
use calotype_core::replica::Bytes;
use calotype_core::template::Template;
use calotype_core::time::Timestamp;

use crate::db::{Lock, Query, Result, Row, StoreError, Tx};
use crate::deletions::DeletionAct;
use crate::{deletions, exports, members, replicas, shares, templates, usages};

/// The columns of an image, in the order that [`image`] reads them.
macro_rules! columns {
    () => {
        "i.id, i.product, i.owner, i.kind, i.state, i.stage, i.reason, i.name, i.architecture, \
         i.compute_type, i.platform, i.os_type, i.os_version, i.region, i.virtual_size_bytes, \
         i.stored_size_bytes, i.source_instance, i.source_snapshot, i.created_ms, \
         i.product_type, i.details, i.parent_id, i.base_id, i.published_ms, i.modified_ms"
    };
}

mod lists;

pub use lists::{DETAILS_IN_FILTER_MAX, Filter, PRODUCT_TYPES_IN_FILTER_MAX, TAGS_IN_FILTER_MAX, list};

const COLUMNS: usize = 25;

/// The account that system images belong to.
pub const SYSTEM_OWNER: &str = "system";

/// Writes a new image.
///
/// # Errors
/// [`StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, image: &Image) -> Result<()> {
    let (state, stage, reason) = state_to_text(&image.state);
    let details = members::to_text(&image.labels.details);
    tx.execute_one(
        "INSERT INTO images (id, product, owner, kind, state, stage, reason, name, architecture, \
         compute_type, platform, os_type, os_version, region, virtual_size_bytes, stored_size_bytes, \
         source_instance, source_snapshot, created_ms, product_type, details, parent_id, base_id, \
         published_ms, modified_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
         $21, $22, $23, $24, $25)",
        &[
            image.id.as_str().into(),
            product_to_text(image.product).into(),
            image.owner.as_str().into(),
            kind_to_text(image.kind).into(),
            state.into(),
            stage.into(),
            reason.into(),
            (&image.name).into(),
            (&image.labels.architecture).into(),
            (&image.labels.compute_type).into(),
            (&image.labels.platform).into(),
            (&image.labels.os_type).into(),
            (&image.labels.os_version).into(),
            image.region.as_str().into(),
            size(image.virtual_size_bytes).into(),
            size(image.stored_size_bytes).into(),
            image.source_instance.as_ref().map(InstanceId::as_str).into(),
            image.source_snapshot.as_ref().map(SnapshotId::as_str).into(),
            image.created.as_millis().into(),
            (&image.labels.product_type).into(),
            (&details).into(),
            image.parent.as_ref().map(ImageId::as_str).into(),
            image.base.as_ref().map(ImageId::as_str).into(),
            image.published.map(Timestamp::as_millis).into(),
            image.modified.as_millis().into(),
        ],
    )
    .await
}

/// Locks an image for the rest of the transaction: shared by those who start or end a use, share or
/// replica of it, alone by the one who deletes it. Facts are read after this (the fence).
pub fn lock(tx: &mut Tx, id: &ImageId, lock: Lock) {
    tx.lock("images", id.as_str(), lock);
}

/// An image as `account` sees it; `None` if no live image of the product has that id.
pub fn load<'a>(product: Product, id: &'a ImageId, account: &'a AccountId) -> Query<'a, Option<ImageView>> {
    Query::new(
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id AND s.account_id = $3) \
             FROM images i WHERE i.id = $1 AND i.product = $2 AND i.deleted_ms IS NULL"
        ),
        &[id.as_str().into(), product_to_text(product).into(), account.as_str().into()],
        |rows| rows.first().map(|row| view(row, account)).transpose(),
    )
}

/// What goes with an image, read with the facts of its delete.
#[derive(Debug)]
pub struct Companions {
    /// The accounts that it is shared with, and since when.
    pub shares: Vec<(AccountId, Timestamp)>,
    /// The templates that reference it, if they were asked for; why they could not be read.
    pub templates: Result<Vec<Template>>,
}

impl Companions {
    /// Whether no template goes.
    #[must_use]
    pub fn has_no_templates(&self) -> bool {
        self.templates.as_ref().is_ok_and(Vec::is_empty)
    }
}

/// Reads every fact that a delete may ask for, under the fence, and what goes with the image: its templates only
/// where `templates_go`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load_delete_view(
    tx: &mut Tx,
    product: Product,
    id: &ImageId,
    account: &AccountId,
    templates_go: bool,
) -> Result<(DeleteView, Companions)> {
    lock(tx, id, Lock::Alone);
    let (facts, templates) = tx
        .ask((delete_facts(product, id, account), templates_go.then(|| templates::of_image(id).attempt())))
        .await?;
    let has = |mark: i64| facts.marks & mark != 0;
    let (shares, community_children, usages, export) = tx
        .ask((
            has(HAS_SHARES).then(|| shares::since(id)),
            has(HAS_CHILDREN).then(|| published_children(id)),
            has(HAS_USAGES).then(|| usages::of_image(id)),
            has(HAS_EXPORT).then(|| exports::latest(id)),
        ))
        .await?;
    let shares = shares.unwrap_or_default();
    let view = DeleteView {
        image: facts.image,
        shares: shares.iter().map(|(account, _)| account.clone()).collect(),
        community_children: community_children.unwrap_or_default(),
        usages: usages.unwrap_or_default(),
        replicas: facts.replicas,
        copying: facts.copying,
        exporting: export.flatten().filter(Export::is_running).map(|export| export.target),
    };
    Ok((view, Companions { shares, templates: templates.unwrap_or_else(|| Ok(Vec::new())) }))
}

/// What of an image is somewhere else, if there is any of it.
const HAS_SHARES: i64 = 1;
const HAS_CHILDREN: i64 = 2;
const HAS_USAGES: i64 = 4;
const HAS_EXPORT: i64 = 8;

/// What one statement tells about an image that is to be deleted.
#[derive(Debug, Default)]
struct DeleteFacts {
    image: Option<ImageView>,
    /// Which of [`HAS_SHARES`] and the like there are.
    marks: i64,
    /// Its replicas, in the order of their ids.
    replicas: Vec<ReplicaId>,
    /// The regions that it is being copied to, in the same order.
    copying: Vec<RegionId>,
}

/// Everything that a decision needs to know first. What is only asked to be there is counted: of a table whose
/// contents it does not know, a database would hope to come across the first row soon, and read it to the end where
/// there is none.
fn delete_facts<'a>(product: Product, id: &'a ImageId, account: &'a AccountId) -> Query<'a, DeleteFacts> {
    Query::new(
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id AND s.account_id = $3), \
             CAST(CASE WHEN (SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id) > 0 THEN 1 ELSE 0 END \
             + CASE WHEN (SELECT COUNT(*) FROM images c WHERE c.parent_id = i.id AND c.published_ms IS NOT NULL \
             AND c.deleted_ms IS NULL) > 0 THEN 2 ELSE 0 END \
             + CASE WHEN (SELECT COUNT(*) FROM usages u WHERE u.image_id = i.id) > 0 THEN 4 ELSE 0 END \
             + CASE WHEN (SELECT COUNT(*) FROM exports e WHERE e.image_id = i.id) > 0 THEN 8 ELSE 0 END AS BIGINT), \
             r.id, r.region, r.state \
             FROM images i LEFT JOIN replicas r ON r.holder_id = i.id AND r.state <> 'erased' \
             WHERE i.id = $1 AND i.product = $2 AND i.deleted_ms IS NULL"
        ),
        &[id.as_str().into(), product_to_text(product).into(), account.as_str().into()],
        |rows| {
            let Some(first) = rows.first() else { return Ok(DeleteFacts::default()) };
            let mut replicas = Vec::with_capacity(rows.len());
            for row in rows {
                if let Some(id) = row.text_opt(COLUMNS + 2)? {
                    replicas.push((id, row.text(COLUMNS + 3)?, row.text(COLUMNS + 4)? == "copying"));
                }
            }
            replicas.sort_unstable();
            let copying = replicas.iter().filter(|(_, _, is_making)| *is_making);
            Ok(DeleteFacts {
                image: Some(view(first, account)?),
                marks: first.integer(COLUMNS + 1)?,
                copying: copying.map(|(_, region, _)| RegionId::trusted(*region)).collect(),
                replicas: replicas.into_iter().map(|(id, _, _)| ReplicaId::trusted(id)).collect(),
            })
        },
    )
}

/// Carries a plan out: the image is gone for every reader, its shares are removed, its replicas are
/// to be erased. All or nothing, with the rest of the transaction.
///
/// # Errors
/// [`StoreError::Conflict`] if the image is not as the plan found it; any other [`StoreError`].
pub async fn apply_delete(tx: &mut Tx, plan: &DeletePlan, act: &DeletionAct<'_>) -> Result<()> {
    let (state, _, _) = state_to_text(&plan.image.state);
    tx.send_one(
        // The owner is compared in a way that no index serves: a database that knows nothing of the table yet would
        // look through all images of the owner instead.
        "UPDATE images SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL AND state = $3 \
         AND owner || '' = $4",
        &[
            plan.image.id.as_str().into(),
            plan.accepted.as_millis().into(),
            state.into(),
            plan.image.owner.as_str().into(),
        ],
        StoreError::Conflict,
    )
    .await?;
    if !plan.shares.is_empty() {
        shares::remove_all(tx, &plan.image.id).await?;
    }
    replicas::erase_all(tx, plan.image.id.as_str(), plan.erase_from).await?;
    deletions::insert(tx, plan, act).await
}

/// Reads a deleted image; `None` if no deleted image has that id.
///
/// # Errors
/// Any [`StoreError`].
pub(crate) async fn tombstone(tx: &mut Tx, id: &ImageId) -> Result<Option<Image>> {
    let row = tx
        .query_opt(
            concat!("SELECT ", columns!(), " FROM images i WHERE i.id = $1 AND i.deleted_ms IS NOT NULL"),
            &[id.as_str().into()],
        )
        .await?;
    row.as_ref().map(image).transpose()
}

/// Takes the mark of a deleted image away.
///
/// # Errors
/// [`StoreError::Conflict`] if it is not deleted.
pub(crate) async fn restore(tx: &mut Tx, id: &ImageId) -> Result<()> {
    tx.execute_one(
        "UPDATE images SET deleted_ms = NULL WHERE id = $1 AND deleted_ms IS NOT NULL",
        &[id.as_str().into()],
    )
    .await
}

/// The children of an image that are published as community images.
fn published_children(parent: &ImageId) -> Query<'_, Vec<ImageId>> {
    Query::new(
        "SELECT id FROM images WHERE parent_id = $1 AND published_ms IS NOT NULL AND deleted_ms IS NULL \
         ORDER BY id",
        &[parent.as_str().into()],
        |rows| rows.iter().map(|row| Ok(ImageId::trusted(row.text(0)?))).collect(),
    )
}

/// Who stands behind a share, a published child, a copy or an export of an image, by account, image, region or
/// object, and since when.
///
/// # Errors
/// Any [`StoreError`].
pub async fn blockers(tx: &mut Tx, image: &ImageId) -> Result<BTreeMap<String, (AccountId, Timestamp)>> {
    let rows = tx
        .query(
            "SELECT s.account_id, s.account_id, s.since_ms FROM shares s WHERE s.image_id = $1 \
             UNION ALL \
             SELECT c.id, c.owner, c.published_ms FROM images c \
             WHERE c.parent_id = $1 AND c.published_ms IS NOT NULL AND c.deleted_ms IS NULL \
             UNION ALL \
             SELECT r.region, i.owner, i.modified_ms FROM replicas r JOIN images i ON i.id = r.holder_id \
             WHERE r.holder_id = $1 AND r.state = 'copying' \
             UNION ALL \
             SELECT 'oss://' || e.bucket || '/' || e.object, i.owner, e.since_ms \
             FROM exports e JOIN images i ON i.id = e.image_id \
             WHERE e.image_id = $1 AND e.state = 'exporting'",
            &[image.as_str().into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let since = Timestamp::from_millis(row.integer(2)?);
            Ok((row.text(0)?.to_owned(), (AccountId::trusted(row.text(1)?), since)))
        })
        .collect()
}

/// Publishes an image for everybody, or withdraws it.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone.
pub async fn set_published(tx: &mut Tx, id: &ImageId, published: Option<Timestamp>) -> Result<()> {
    tx.execute_one(
        "UPDATE images SET published_ms = $2 WHERE id = $1 AND deleted_ms IS NULL",
        &[id.as_str().into(), published.map(Timestamp::as_millis).into()],
    )
    .await
}

/// Gives an image another name.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone.
pub async fn rename(tx: &mut Tx, id: &ImageId, name: &str, now: Timestamp) -> Result<()> {
    tx.execute_one(
        "UPDATE images SET name = $2, modified_ms = $3 WHERE id = $1 AND deleted_ms IS NULL",
        &[id.as_str().into(), name.into(), now.as_millis().into()],
    )
    .await
}

/// Gives an image another name and other details.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone.
pub async fn relabel(
    tx: &mut Tx,
    id: &ImageId,
    name: &str,
    details: &[(String, String)],
    now: Timestamp,
) -> Result<()> {
    let details = members::to_text(details);
    tx.execute_one(
        "UPDATE images SET name = $2, details = $3, modified_ms = $4 WHERE id = $1 AND deleted_ms IS NULL",
        &[id.as_str().into(), name.into(), (&details).into(), now.as_millis().into()],
    )
    .await
}

/// Ends the making of an image well: it is available, with these bytes. Does nothing to an image that
/// is not being made.
///
/// # Errors
/// Any [`StoreError`].
pub async fn record_made(tx: &mut Tx, id: &ImageId, bytes: &Bytes) -> Result<()> {
    tx.execute(
        "UPDATE images SET state = 'available', stage = NULL, virtual_size_bytes = $2, stored_size_bytes = $3 \
         WHERE id = $1 AND deleted_ms IS NULL AND state = 'making'",
        &[
            id.as_str().into(),
            size(Some(bytes.virtual_size_bytes)).into(),
            size(Some(bytes.size_bytes)).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Ends the making of an image badly. Does nothing to an image that is not being made.
///
/// # Errors
/// Any [`StoreError`].
pub async fn record_failed(tx: &mut Tx, id: &ImageId, stage: Stage, reason: &str) -> Result<()> {
    tx.execute(
        "UPDATE images SET state = 'failed', stage = $2, reason = $3 \
         WHERE id = $1 AND deleted_ms IS NULL AND state = 'making'",
        &[id.as_str().into(), stage_to_text(stage).into(), reason.into()],
    )
    .await?;
    Ok(())
}

fn view(row: &Row, account: &AccountId) -> Result<ImageView> {
    let image = image(row)?;
    let standing: Standing = image.standing(account, row.integer(COLUMNS)? > 0);
    Ok(ImageView { image, standing })
}

fn image(row: &Row) -> Result<Image> {
    Ok(Image {
        id: ImageId::trusted(row.text(0)?),
        product: product_from_text(row.text(1)?)?,
        owner: AccountId::trusted(row.text(2)?),
        kind: kind_from_text(row.text(3)?)?,
        state: state_from_text(row.text(4)?, row.text_opt(5)?, row.text_opt(6)?)?,
        name: row.text(7)?.to_owned(),
        labels: ImageLabels {
            architecture: row.text(8)?.to_owned(),
            compute_type: row.text(9)?.to_owned(),
            platform: row.text(10)?.to_owned(),
            os_type: row.text(11)?.to_owned(),
            os_version: row.text(12)?.to_owned(),
            product_type: row.text(19)?.to_owned(),
            details: members::from_text(row.text(20)?)?,
        },
        region: RegionId::trusted(row.text(13)?),
        virtual_size_bytes: row.integer_opt(14)?.map(i64::unsigned_abs),
        stored_size_bytes: row.integer_opt(15)?.map(i64::unsigned_abs),
        source_instance: row.text_opt(16)?.map(InstanceId::trusted),
        source_snapshot: row.text_opt(17)?.map(SnapshotId::trusted),
        parent: row.text_opt(21)?.map(ImageId::trusted),
        base: row.text_opt(22)?.map(ImageId::trusted),
        published: row.integer_opt(23)?.map(Timestamp::from_millis),
        created: Timestamp::from_millis(row.integer(18)?),
        modified: Timestamp::from_millis(row.integer(24)?),
    })
}

fn size(bytes: Option<u64>) -> Option<i64> {
    bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

pub(crate) fn product_to_text(product: Product) -> &'static str {
    match product {
        Product::Ens => "ens",
        Product::AppStreaming => "appstreaming",
    }
}

pub(crate) fn product_from_text(text: &str) -> Result<Product> {
    match text {
        "ens" => Ok(Product::Ens),
        "appstreaming" => Ok(Product::AppStreaming),
        _ => Err(StoreError::Corrupt(format!("unknown product {text}"))),
    }
}

fn kind_to_text(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::System => "system",
        ImageKind::Custom => "custom",
    }
}

fn kind_from_text(text: &str) -> Result<ImageKind> {
    match text {
        "system" => Ok(ImageKind::System),
        "custom" => Ok(ImageKind::Custom),
        _ => Err(StoreError::Corrupt(format!("unknown image kind {text}"))),
    }
}

pub(crate) fn stage_to_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Creating => "creating",
        Stage::Packing => "packing",
        Stage::Uploading => "uploading",
        Stage::Copying => "copying",
    }
}

fn state_to_text(state: &ImageState) -> (&'static str, Option<&'static str>, Option<&str>) {
    match state {
        ImageState::Making(stage) => ("making", Some(stage_to_text(*stage)), None),
        ImageState::Available => ("available", None, None),
        ImageState::Unavailable => ("unavailable", None, None),
        ImageState::Failed { stage, reason } => ("failed", Some(stage_to_text(*stage)), Some(reason)),
    }
}

fn state_from_text(state: &str, stage: Option<&str>, reason: Option<&str>) -> Result<ImageState> {
    let stage = match stage {
        Some("creating") => Some(Stage::Creating),
        Some("packing") => Some(Stage::Packing),
        Some("uploading") => Some(Stage::Uploading),
        Some("copying") => Some(Stage::Copying),
        Some(other) => return Err(StoreError::Corrupt(format!("unknown stage {other}"))),
        None => None,
    };
    match (state, stage) {
        ("making", Some(stage)) => Ok(ImageState::Making(stage)),
        ("available", None) => Ok(ImageState::Available),
        ("unavailable", None) => Ok(ImageState::Unavailable),
        ("failed", Some(stage)) => {
            Ok(ImageState::Failed { stage, reason: reason.unwrap_or_default().to_owned() })
        }
        (other, _) => Err(StoreError::Corrupt(format!("unknown image state {other}"))),
    }
}

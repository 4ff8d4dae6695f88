//! Images: their rows, and the views that decisions are made of.

use calotype_core::delete_image::{DeletePlan, DeleteView};
use calotype_core::ids::{AccountId, ImageId, InstanceId, RegionId, SnapshotId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, ImageView, Product, Stage, Standing};
use calotype_core::replica::Bytes;
use calotype_core::time::Timestamp;

use crate::db::{Lock, Result, Row, StoreError, Tx, Value};
use crate::{deletions, replicas, shares, usages};

/// The columns of an image, in the order that [`image`] reads them.
macro_rules! columns {
    () => {
        "i.id, i.product, i.owner, i.kind, i.state, i.stage, i.reason, i.name, i.architecture, \
         i.compute_type, i.platform, i.os_type, i.os_version, i.region, i.virtual_size_bytes, \
         i.stored_size_bytes, i.source_instance, i.source_snapshot, i.created_ms"
    };
}

const COLUMNS: usize = 19;

/// The account that system images belong to.
pub const SYSTEM_OWNER: &str = "system";

/// Writes a new image.
///
/// # Errors
/// [`StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, image: &Image) -> Result<()> {
    let (state, stage, reason) = state_to_text(&image.state);
    tx.execute_one(
        "INSERT INTO images (id, product, owner, kind, state, stage, reason, name, architecture, \
         compute_type, platform, os_type, os_version, region, virtual_size_bytes, stored_size_bytes, \
         source_instance, source_snapshot, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
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
        ],
    )
    .await
}

/// Locks an image for the rest of the transaction: shared by those who start or end a use, share or
/// replica of it, alone by the one who deletes it. Facts are read after this (the fence).
///
/// # Errors
/// Any [`StoreError`].
pub async fn lock(tx: &mut Tx, id: &ImageId, lock: Lock) -> Result<()> {
    tx.lock("images", id.as_str(), lock).await
}

/// Reads an image as `account` sees it; `None` if no live image of the product has that id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load(
    tx: &mut Tx,
    product: Product,
    id: &ImageId,
    account: &AccountId,
) -> Result<Option<ImageView>> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                columns!(),
                ", (SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id AND s.account_id = $3) \
                 FROM images i WHERE i.id = $1 AND i.product = $2 AND i.deleted_ms IS NULL"
            ),
            &[id.as_str().into(), product_to_text(product).into(), account.as_str().into()],
        )
        .await?;
    row.map(|row| view(&row, account)).transpose()
}

/// Reads every fact that a delete may ask for, under the fence.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load_delete_view(
    tx: &mut Tx,
    product: Product,
    id: &ImageId,
    account: &AccountId,
) -> Result<DeleteView> {
    lock(tx, id, Lock::Alone).await?;
    Ok(DeleteView {
        image: load(tx, product, id, account).await?,
        shares: shares::of_image(tx, id).await?,
        usages: usages::of_image(tx, id).await?,
        replicas: replicas::of_image(tx, id).await?,
    })
}

/// Carries a plan out: the image is gone for every reader, its shares are removed, its replicas are
/// to be erased. All or nothing, with the rest of the transaction.
///
/// # Errors
/// [`StoreError::Conflict`] if the image is not as the plan found it; any other [`StoreError`].
pub async fn apply_delete(tx: &mut Tx, plan: &DeletePlan, caller: &str, request_id: &str) -> Result<()> {
    let (state, _, _) = state_to_text(&plan.image.state);
    tx.execute_one(
        "UPDATE images SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL AND state = $3 AND owner = $4",
        &[
            plan.image.id.as_str().into(),
            plan.accepted.as_millis().into(),
            state.into(),
            plan.image.owner.as_str().into(),
        ],
    )
    .await?;
    if !plan.shares.is_empty() {
        shares::remove_all(tx, &plan.image.id).await?;
    }
    replicas::erase_all(tx, plan.image.id.as_str(), plan.erase_from).await?;
    deletions::insert(tx, plan, product_to_text(plan.image.product), caller, request_id).await
}

/// Gives an image another name.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone.
pub async fn rename(tx: &mut Tx, id: &ImageId, name: &str) -> Result<()> {
    tx.execute_one(
        "UPDATE images SET name = $2 WHERE id = $1 AND deleted_ms IS NULL",
        &[id.as_str().into(), name.into()],
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

/// Which images a listing asks for; absent filters let everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Part of the id.
    pub id_part: Option<&'a str>,
    /// The whole id.
    pub id: Option<&'a str>,
    /// Part of the name.
    pub name_part: Option<&'a str>,
    /// The whole name.
    pub name: Option<&'a str>,
    /// The snapshot it was made from.
    pub snapshot: Option<&'a str>,
    /// Whether to leave out images that are not available.
    pub available_only: bool,
    /// Whether system images are listed too.
    pub public: bool,
    /// Whether the account's own images and those shared to it are listed.
    pub own: bool,
}

/// One page of images that `account` sees, an exact match of the id part first, then the newest, and
/// how many there are in all.
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(
    tx: &mut Tx,
    product: Product,
    account: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ImageView>, i64)> {
    let values: &[Value<'_>] = &[
        account.as_str().into(),
        product_to_text(product).into(),
        filter.id.into(),
        filter.id_part.into(),
        filter.name.into(),
        filter.name_part.into(),
        filter.snapshot.into(),
        filter.available_only.into(),
        filter.public.into(),
        filter.own.into(),
        limit.into(),
        offset.into(),
    ];
    // Each arm of the union goes by an index: the owner's images, the system's, those shared in.
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                ", shared, COUNT(*) OVER () FROM (\
                 SELECT *, 0 AS shared FROM images WHERE CAST($10 AS BIGINT) = 1 AND owner = $1 AND product = $2 \
                 UNION ALL \
                 SELECT *, 0 FROM images WHERE CAST($9 AS BIGINT) = 1 AND owner = 'system' AND product = $2 \
                 UNION ALL \
                 SELECT m.*, 1 FROM shares s JOIN images m ON m.id = s.image_id \
                 WHERE CAST($10 AS BIGINT) = 1 AND s.account_id = $1 AND m.product = $2 AND m.owner <> $1) i \
                 WHERE i.deleted_ms IS NULL \
                 AND (CAST($8 AS BIGINT) = 0 OR i.state = 'available') \
                 AND ($3 IS NULL OR i.id = $3) \
                 AND ($4 IS NULL OR REPLACE(i.id, $4, '') <> i.id) \
                 AND ($5 IS NULL OR i.name = $5) \
                 AND ($6 IS NULL OR REPLACE(i.name, $6, '') <> i.name) \
                 AND ($7 IS NULL OR i.source_snapshot = $7) \
                 ORDER BY CASE WHEN i.id = $4 THEN 0 ELSE 1 END, i.created_ms DESC, i.id \
                 LIMIT $11 OFFSET $12"
            ),
            values,
        )
        .await?;
    let total = rows.first().map_or(Ok(0), |row| row.integer(COLUMNS + 1))?;
    if rows.is_empty() && offset > 0 {
        // A page beyond the end is empty, but says how many there are.
        let (_, total) = Box::pin(list(tx, product, account, filter, 0, 1)).await?;
        return Ok((Vec::new(), total));
    }
    let views = rows.iter().map(|row| view(row, account)).collect::<Result<_>>()?;
    Ok((views, total))
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
        },
        region: RegionId::trusted(row.text(13)?),
        virtual_size_bytes: row.integer_opt(14)?.map(i64::unsigned_abs),
        stored_size_bytes: row.integer_opt(15)?.map(i64::unsigned_abs),
        source_instance: row.text_opt(16)?.map(InstanceId::trusted),
        source_snapshot: row.text_opt(17)?.map(SnapshotId::trusted),
        created: Timestamp::from_millis(row.integer(18)?),
    })
}

fn size(bytes: Option<u64>) -> Option<i64> {
    bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn product_to_text(product: Product) -> &'static str {
    match product {
        Product::Ens => "ens",
    }
}

fn product_from_text(text: &str) -> Result<Product> {
    match text {
        "ens" => Ok(Product::Ens),
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

fn stage_to_text(stage: Stage) -> &'static str {
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

//! Deletions: one row for each accepted delete. It outlives the image.

use calotype_core::delete_image::DeletePlan;
use calotype_core::ids::{AccountId, DeletionId, ImageId, RegionId, VersionId};
use calotype_core::image::Product;
use calotype_core::restore_image::{DeletedImage, RestoreView};
use calotype_core::template::{Bundle, Template};
use calotype_core::time::Timestamp;
use serde_json::{Value as Json, json};

use crate::db::{Lock, Result, Row, StoreError, Tx};
use crate::images::{product_from_text, product_to_text};
use crate::{bundles, exports, images, replicas, shares, tags, templates, versions};

macro_rules! columns {
    () => {
        "id, image_id, image_name, product, owner, caller, request_id, reason, kept, accepted_ms, \
         erase_from_ms, completed_ms, restored_ms"
    };
}

/// Who deletes an image and why, and what goes with it.
#[derive(Clone, Copy, Debug)]
pub struct DeletionAct<'a> {
    /// The ARN of the caller.
    pub caller: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// What the caller gave as the reason.
    pub reason: Option<&'a str>,
    /// What goes with the image.
    pub kept: &'a Kept,
}

/// What went with an image, whole, so that it can come back with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The accounts that it was shared with, and since when.
    pub shares: Vec<(AccountId, Timestamp)>,
    /// The templates that referenced it.
    pub templates: Vec<Template>,
    /// The bundles of the caller that referenced it.
    pub bundles: Vec<Bundle>,
}

/// An accepted delete.
#[derive(Clone, Debug, PartialEq)]
pub struct Deletion {
    /// Its id.
    pub id: DeletionId,
    /// The image.
    pub image: ImageId,
    /// The name that the image had.
    pub image_name: String,
    /// The product it belonged to.
    pub product: Product,
    /// The account it belonged to.
    pub owner: AccountId,
    /// The ARN of who deleted it.
    pub caller: String,
    /// The id of the request.
    pub request_id: String,
    /// What the caller gave as the reason.
    pub reason: Option<String>,
    /// What went with it.
    pub kept: Kept,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When its bytes may be erased.
    pub erase_from: Timestamp,
    /// When the last byte was erased.
    pub completed: Option<Timestamp>,
    /// When the image was restored.
    pub restored: Option<Timestamp>,
}

/// How far the erasure of one replica is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The region.
    pub region: RegionId,
    /// The version of the image.
    pub version: Option<VersionId>,
    /// Whether the bytes are erased.
    pub erased: bool,
    /// How many bytes there were, if they were ever whole.
    pub size_bytes: Option<u64>,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it is tried next.
    pub due: Option<Timestamp>,
}

/// Writes the deletion of a plan. One that leaves nothing to erase is complete at once.
pub(crate) async fn insert(tx: &mut Tx, plan: &DeletePlan, act: &DeletionAct<'_>) -> Result<()> {
    let kept = act.kept.to_text();
    let completed = plan.replicas.is_empty().then(|| plan.accepted.as_millis());
    tx.send_one(
        "INSERT INTO deletions (id, image_id, image_name, product, owner, caller, request_id, reason, kept, \
         accepted_ms, erase_from_ms, completed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            plan.deletion.as_str().into(),
            plan.image.id.as_str().into(),
            (&plan.image.name).into(),
            product_to_text(plan.image.product).into(),
            plan.image.owner.as_str().into(),
            act.caller.into(),
            act.request_id.into(),
            act.reason.into(),
            (&kept).into(),
            plan.accepted.as_millis().into(),
            plan.erase_from.as_millis().into(),
            completed.into(),
        ],
        StoreError::Conflict,
    )
    .await
}

/// Completes the deletion of an image whose replicas are all erased, and removes what was kept for a
/// restore; `false` if a replica is not, or the image was not deleted.
///
/// # Errors
/// Any [`StoreError`].
pub async fn complete_if_erased(tx: &mut Tx, image: &ImageId, now: Timestamp) -> Result<bool> {
    let completed = tx
        .execute(
            "UPDATE deletions SET completed_ms = $2 WHERE image_id = $1 AND completed_ms IS NULL \
             AND restored_ms IS NULL AND NOT EXISTS \
             (SELECT 1 FROM replicas r WHERE r.holder_id = $1 AND r.state <> 'erased')",
            &[image.as_str().into(), now.as_millis().into()],
        )
        .await?;
    if completed == 0 {
        return Ok(false);
    }
    versions::remove_all(tx, image).await?;
    exports::remove(tx, image).await?;
    tags::remove_all(tx, tags::IMAGE_KIND, image.as_str()).await?;
    Ok(true)
}

/// Reads every fact that a restore of the image asks for, under the fence, and the deletion itself.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load_restore_view(tx: &mut Tx, image: &ImageId) -> Result<(RestoreView, Option<Deletion>)> {
    let tombstone = images::tombstone(tx, image).await?;
    let parent = tombstone.and_then(|image| image.published.and(image.parent));
    // In the order of their ids, so that two such transactions do not wait for each other.
    let mut locked = vec![image];
    locked.extend(&parent);
    locked.sort_unstable();
    for id in locked {
        images::lock(tx, id, Lock::Alone);
    }
    let deletion = latest(tx, image).await?;
    let parent = match parent {
        Some(parent) => Some((parent.clone(), images::tombstone(tx, &parent).await?.is_some())),
        None => None,
    };
    let view = RestoreView {
        deletion: deletion.as_ref().map(|deletion| DeletedImage {
            id: deletion.id.clone(),
            owner: deletion.owner.clone(),
            erase_from: deletion.erase_from,
            restored: deletion.restored.is_some(),
        }),
        regions: erasures(tx, image)
            .await?
            .into_iter()
            .map(|erasure| (erasure.region, erasure.erased || erasure.tries > 0))
            .collect(),
        parent,
    };
    Ok((view, deletion))
}

/// Takes a deletion back: the image is there again, with its shares, templates, bundles and replicas.
///
/// # Errors
/// [`StoreError::Conflict`] if it is not as the decision found it; any other [`StoreError`].
pub async fn apply_restore(tx: &mut Tx, deletion: &Deletion, now: Timestamp) -> Result<()> {
    tx.execute_one(
        "UPDATE deletions SET restored_ms = $2 \
         WHERE owner = $3 AND id = $1 AND completed_ms IS NULL AND restored_ms IS NULL AND erase_from_ms > $2",
        &[deletion.id.as_str().into(), now.as_millis().into(), deletion.owner.as_str().into()],
    )
    .await?;
    images::restore(tx, &deletion.image).await?;
    replicas::restore_all(tx, deletion.image.as_str()).await?;
    for (account, since) in &deletion.kept.shares {
        shares::add(tx, &deletion.image, account, *since).await?;
    }
    for template in &deletion.kept.templates {
        templates::insert(tx, template).await?;
    }
    for bundle in &deletion.kept.bundles {
        bundles::insert(tx, bundle).await?;
    }
    Ok(())
}

/// Reads a deletion of `owner`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load(tx: &mut Tx, id: &DeletionId, owner: &AccountId) -> Result<Option<Deletion>> {
    let row = tx
        .query_opt(
            concat!("SELECT ", columns!(), " FROM deletions WHERE id = $1 AND owner = $2"),
            &[id.as_str().into(), owner.as_str().into()],
        )
        .await?;
    row.as_ref().map(deletion).transpose()
}

/// Reads the latest deletion of an image.
///
/// # Errors
/// Any [`StoreError`].
pub async fn latest(tx: &mut Tx, image: &ImageId) -> Result<Option<Deletion>> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM deletions WHERE image_id = $1 ORDER BY accepted_ms DESC, id DESC LIMIT 1"
            ),
            &[image.as_str().into()],
        )
        .await?;
    row.as_ref().map(deletion).transpose()
}

/// How far the erasure of each replica of an image is, in the order of their ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn erasures(tx: &mut Tx, image: &ImageId) -> Result<Vec<Erasure>> {
    let rows = tx
        .query(
            "SELECT region, version_id, state, size_bytes, tries, last_error, due_ms FROM replicas \
             WHERE holder_id = $1 ORDER BY id",
            &[image.as_str().into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Erasure {
                region: RegionId::trusted(row.text(0)?),
                version: row.text_opt(1)?.map(VersionId::trusted),
                erased: row.text(2)? == "erased",
                size_bytes: row.integer_opt(3)?.map(i64::unsigned_abs),
                tries: u32::try_from(row.integer(4)?).unwrap_or(u32::MAX),
                last_error: row.text_opt(5)?.map(str::to_owned),
                due: row.integer_opt(6)?.map(Timestamp::from_millis),
            })
        })
        .collect()
}

/// Which deletions a listing asks for; absent filters let everything through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// The product.
    pub product: Option<Product>,
    /// Whether they are still to be completed, or not.
    pub open: Option<bool>,
    /// Whether they were taken back, or not.
    pub restored: Option<bool>,
    /// The id to go on after, downwards.
    pub before: Option<&'a str>,
}

/// Deletions of an account, the latest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(tx: &mut Tx, owner: &AccountId, filter: &Filter<'_>, limit: i64) -> Result<Vec<Deletion>> {
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM deletions WHERE owner = $1 AND ($2 IS NULL OR product = $2) \
                 AND (CAST($3 AS BIGINT) IS NULL OR CAST($3 AS BIGINT) = \
                 CASE WHEN completed_ms IS NULL AND restored_ms IS NULL THEN 1 ELSE 0 END) \
                 AND (CAST($4 AS BIGINT) IS NULL OR CAST($4 AS BIGINT) = \
                 CASE WHEN restored_ms IS NULL THEN 0 ELSE 1 END) \
                 AND ($5 IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
            ),
            &[
                owner.as_str().into(),
                filter.product.map(product_to_text).into(),
                filter.open.map(i64::from).into(),
                filter.restored.map(i64::from).into(),
                filter.before.into(),
                limit.into(),
            ],
        )
        .await?;
    rows.iter().map(deletion).collect()
}

/// The deletions that are still to be completed: how many, and when the oldest was accepted.
///
/// # Errors
/// Any [`StoreError`].
pub async fn pending(tx: &mut Tx) -> Result<(u64, Option<Timestamp>)> {
    let row = tx
        .query_opt(
            "SELECT COUNT(*), MIN(accepted_ms) FROM deletions \
             WHERE completed_ms IS NULL AND restored_ms IS NULL",
            &[],
        )
        .await?;
    let Some(row) = row else { return Ok((0, None)) };
    Ok((row.integer(0)?.unsigned_abs(), row.integer_opt(1)?.map(Timestamp::from_millis)))
}

fn deletion(row: &Row) -> Result<Deletion> {
    Ok(Deletion {
        id: DeletionId::trusted(row.text(0)?),
        image: ImageId::trusted(row.text(1)?),
        image_name: row.text(2)?.to_owned(),
        product: product_from_text(row.text(3)?)?,
        owner: AccountId::trusted(row.text(4)?),
        caller: row.text(5)?.to_owned(),
        request_id: row.text(6)?.to_owned(),
        reason: row.text_opt(7)?.map(str::to_owned),
        kept: Kept::from_text(row.text(8)?)?,
        accepted: Timestamp::from_millis(row.integer(9)?),
        erase_from: Timestamp::from_millis(row.integer(10)?),
        completed: row.integer_opt(11)?.map(Timestamp::from_millis),
        restored: row.integer_opt(12)?.map(Timestamp::from_millis),
    })
}

impl Kept {
    /// As text, one JSON object; empty if nothing went with the image.
    fn to_text(&self) -> String {
        if *self == Self::default() {
            return String::new();
        }
        let shares = self.shares.iter().map(|(account, since)| json!([account.as_str(), since.as_millis()]));
        json!({
            "shares": shares.collect::<Vec<_>>(),
            "templates": self.templates.iter().map(templates::to_json).collect::<Vec<_>>(),
            "bundles": self.bundles.iter().map(bundles::to_json).collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// What [`Kept::to_text`] wrote.
    fn from_text(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let corrupt = || StoreError::Corrupt("what a deletion keeps".to_owned());
        let json: Json = serde_json::from_str(text).map_err(|_| corrupt())?;
        let list = |name: &str| json[name].as_array().ok_or_else(corrupt);
        let share = |pair: &Json| {
            let (account, since) = (pair[0].as_str()?, pair[1].as_i64()?);
            Some((AccountId::trusted(account), Timestamp::from_millis(since)))
        };
        let shares = list("shares")?.iter().map(share).collect::<Option<_>>();
        let templates = list("templates")?.iter().map(templates::from_json).collect::<Option<_>>();
        let bundles = list("bundles")?.iter().map(bundles::from_json).collect::<Option<_>>();
        Ok(Self {
            shares: shares.ok_or_else(corrupt)?,
            templates: templates.ok_or_else(corrupt)?,
            bundles: bundles.ok_or_else(corrupt)?,
        })
    }
}

//! Bundles, the older kind of cloud-desktop template.

use calotype_core::ids::{AccountId, BundleId, ImageId};
use calotype_core::template::Bundle;
use calotype_core::time::Timestamp;

use crate::db::{Result, Row, Tx, Value};
use crate::snapshots::comma_set;
use crate::templates::{details_from_text, details_to_text};

macro_rules! columns {
    () => {
        "id, owner, image_id, region, name, details, created_ms"
    };
}

/// Writes a new bundle.
///
/// # Errors
/// [`crate::db::StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, bundle: &Bundle) -> Result<()> {
    let details = details_to_text(&bundle.details);
    tx.execute_one(
        "INSERT INTO bundles (id, owner, image_id, region, name, details, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            bundle.id.as_str().into(),
            bundle.owner.as_str().into(),
            bundle.image.as_str().into(),
            (&bundle.region).into(),
            (&bundle.name).into(),
            (&details).into(),
            bundle.created.as_millis().into(),
        ],
    )
    .await
}

/// Deletes a bundle of `owner` in a region; `false` if there is none.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn delete(tx: &mut Tx, id: &BundleId, region: &str, owner: &AccountId) -> Result<bool> {
    let changed = tx
        .execute(
            "DELETE FROM bundles WHERE id = $1 AND region = $2 AND owner = $3",
            &[id.as_str().into(), region.into(), owner.as_str().into()],
        )
        .await?;
    Ok(changed == 1)
}

/// The bundles of `owner` that reference an image, in the order of their ids.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn of_image(tx: &mut Tx, image: &ImageId, owner: &AccountId) -> Result<Vec<Bundle>> {
    let rows = tx
        .query(
            concat!("SELECT ", columns!(), " FROM bundles WHERE image_id = $1 AND owner = $2 ORDER BY id"),
            &[image.as_str().into(), owner.as_str().into()],
        )
        .await?;
    rows.iter().map(bundle).collect()
}

/// Deletes the bundles of `owner` that reference an image.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn delete_of_image(tx: &mut Tx, image: &ImageId, owner: &AccountId) -> Result<()> {
    tx.execute(
        "DELETE FROM bundles WHERE image_id = $1 AND owner = $2",
        &[image.as_str().into(), owner.as_str().into()],
    )
    .await?;
    Ok(())
}

/// Which bundles a listing asks for; absent filters let everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The region.
    pub region: &'a str,
    /// The whole ids; empty for all.
    pub ids: Vec<&'a str>,
    /// The images; empty for all.
    pub images: Vec<&'a str>,
    /// The id to go on after.
    pub after: Option<&'a str>,
}

/// Bundles of an account in a region, in the order of their ids.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn list(tx: &mut Tx, owner: &AccountId, filter: &Filter<'_>, limit: i64) -> Result<Vec<Bundle>> {
    let (ids, images) = (comma_set(&filter.ids), comma_set(&filter.images));
    let values: &[Value<'_>] = &[
        owner.as_str().into(),
        filter.region.into(),
        ids.as_deref().into(),
        images.as_deref().into(),
        filter.after.into(),
        limit.into(),
    ];
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM bundles WHERE owner = $1 AND region = $2 \
                 AND ($3 IS NULL OR REPLACE($3, ',' || id || ',', '') <> $3) \
                 AND ($4 IS NULL OR REPLACE($4, ',' || image_id || ',', '') <> $4) \
                 AND ($5 IS NULL OR id > $5) ORDER BY id LIMIT $6"
            ),
            values,
        )
        .await?;
    rows.iter().map(bundle).collect()
}

fn bundle(row: &Row) -> Result<Bundle> {
    Ok(Bundle {
        id: BundleId::trusted(row.text(0)?),
        owner: AccountId::trusted(row.text(1)?),
        image: ImageId::trusted(row.text(2)?),
        region: row.text(3)?.to_owned(),
        name: row.text(4)?.to_owned(),
        details: details_from_text(row.text(5)?)?,
        created: Timestamp::from_millis(row.integer(6)?),
    })
}

/// A bundle whole, as a deletion keeps it.
pub(crate) fn to_json(bundle: &Bundle) -> serde_json::Value {
    serde_json::json!({
        "id": bundle.id.as_str(),
        "owner": bundle.owner.as_str(),
        "image": bundle.image.as_str(),
        "region": bundle.region,
        "name": bundle.name,
        "details": bundle.details,
        "created_ms": bundle.created.as_millis(),
    })
}

/// What [`to_json`] made.
pub(crate) fn from_json(json: &serde_json::Value) -> Option<Bundle> {
    Some(Bundle {
        id: BundleId::trusted(json["id"].as_str()?),
        owner: AccountId::trusted(json["owner"].as_str()?),
        image: ImageId::trusted(json["image"].as_str()?),
        region: json["region"].as_str()?.to_owned(),
        name: json["name"].as_str()?.to_owned(),
        details: json["details"].as_object()?.clone(),
        created: Timestamp::from_millis(json["created_ms"].as_i64()?),
    })
}

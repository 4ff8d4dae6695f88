//! Cloud-desktop templates.

use calotype_core::ids::{AccountId, ImageId, TemplateId};
use calotype_core::template::{Details, Template};
use calotype_core::time::Timestamp;

use crate::db::{Query, Result, Row, StoreError, Tx, Value};
use crate::snapshots::comma_set;

macro_rules! columns {
    () => {
        "id, owner, image_id, name, details, created_ms, modified_ms"
    };
}

/// Writes a new template.
///
/// # Errors
/// [`StoreError::Conflict`] if the id exists.
pub async fn insert(tx: &mut Tx, template: &Template) -> Result<()> {
    let details = details_to_text(&template.details);
    tx.execute_one(
        "INSERT INTO templates (id, owner, image_id, name, details, created_ms, modified_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            template.id.as_str().into(),
            template.owner.as_str().into(),
            template.image.as_ref().map(ImageId::as_str).into(),
            (&template.name).into(),
            (&details).into(),
            template.created.as_millis().into(),
            template.modified.as_millis().into(),
        ],
    )
    .await
}

/// Reads a template of `owner`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn load(tx: &mut Tx, id: &TemplateId, owner: &AccountId) -> Result<Option<Template>> {
    let row = tx
        .query_opt(
            concat!("SELECT ", columns!(), " FROM templates WHERE id = $1 AND owner = $2"),
            &[id.as_str().into(), owner.as_str().into()],
        )
        .await?;
    row.as_ref().map(template).transpose()
}

/// Writes what changed of a template that was as `before`.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone or was changed since.
pub async fn update(tx: &mut Tx, before: &Template, template: &Template) -> Result<()> {
    let details = details_to_text(&template.details);
    tx.execute_one(
        "UPDATE templates SET image_id = $2, name = $3, details = $4, modified_ms = $5 \
         WHERE id = $1 AND modified_ms = $6 AND name = $7 AND details = $8",
        &[
            template.id.as_str().into(),
            template.image.as_ref().map(ImageId::as_str).into(),
            (&template.name).into(),
            (&details).into(),
            template.modified.as_millis().into(),
            before.modified.as_millis().into(),
            (&before.name).into(),
            (&details_to_text(&before.details)).into(),
        ],
    )
    .await
}

/// Deletes a template.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone already.
pub async fn delete(tx: &mut Tx, id: &TemplateId) -> Result<()> {
    tx.execute_one("DELETE FROM templates WHERE id = $1", &[id.as_str().into()]).await
}

/// The templates that reference an image, in the order of their ids.
pub fn of_image(image: &ImageId) -> Query<'_, Vec<Template>> {
    Query::new(
        concat!("SELECT ", columns!(), " FROM templates WHERE image_id = $1 ORDER BY id"),
        &[image.as_str().into()],
        |rows| rows.iter().map(template).collect(),
    )
}

/// Deletes the templates that reference an image; gives how many.
///
/// # Errors
/// Any [`StoreError`].
pub async fn delete_of_image(tx: &mut Tx, image: &ImageId) -> Result<u64> {
    tx.execute("DELETE FROM templates WHERE image_id = $1", &[image.as_str().into()]).await
}

/// Which templates a listing asks for; absent filters let everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The whole ids; empty for all.
    pub ids: Vec<&'a str>,
    /// The image.
    pub image: Option<&'a str>,
    /// Part of the id or the name.
    pub keyword: Option<&'a str>,
    /// Part of the name.
    pub name_part: Option<&'a str>,
}

/// One page of an account's templates, the newest first, and how many there are in all.
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(
    tx: &mut Tx,
    owner: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Template>, i64)> {
    let ids = comma_set(&filter.ids);
    let values: &[Value<'_>] = &[
        owner.as_str().into(),
        ids.as_deref().into(),
        filter.image.into(),
        filter.keyword.into(),
        filter.name_part.into(),
        limit.into(),
        offset.into(),
    ];
    let rows = tx
        .query(
            concat!(
                "SELECT ",
                columns!(),
                ", COUNT(*) OVER () FROM templates WHERE owner = $1 \
                 AND ($2 IS NULL OR REPLACE($2, ',' || id || ',', '') <> $2) \
                 AND ($3 IS NULL OR image_id = $3) \
                 AND ($4 IS NULL OR REPLACE(id, $4, '') <> id OR REPLACE(name, $4, '') <> name) \
                 AND ($5 IS NULL OR REPLACE(name, $5, '') <> name) \
                 ORDER BY created_ms DESC, id LIMIT $6 OFFSET $7"
            ),
            values,
        )
        .await?;
    if rows.is_empty() && offset > 0 {
        // A page beyond the end is empty, but says how many there are.
        let (_, total) = Box::pin(list(tx, owner, filter, 0, 1)).await?;
        return Ok((Vec::new(), total));
    }
    let total = rows.first().map_or(Ok(0), |row| row.integer(7))?;
    Ok((rows.iter().map(template).collect::<Result<_>>()?, total))
}

fn template(row: &Row) -> Result<Template> {
    Ok(Template {
        id: TemplateId::trusted(row.text(0)?),
        owner: AccountId::trusted(row.text(1)?),
        image: row.text_opt(2)?.map(ImageId::trusted),
        name: row.text(3)?.to_owned(),
        details: details_from_text(row.text(4)?)?,
        created: Timestamp::from_millis(row.integer(5)?),
        modified: Timestamp::from_millis(row.integer(6)?),
    })
}

/// A template whole, as a deletion keeps it.
pub(crate) fn to_json(template: &Template) -> serde_json::Value {
    serde_json::json!({
        "id": template.id.as_str(),
        "owner": template.owner.as_str(),
        "image": template.image.as_ref().map(ImageId::as_str),
        "name": template.name,
        "details": template.details,
        "created_ms": template.created.as_millis(),
        "modified_ms": template.modified.as_millis(),
    })
}

/// What [`to_json`] made.
pub(crate) fn from_json(json: &serde_json::Value) -> Option<Template> {
    Some(Template {
        id: TemplateId::trusted(json["id"].as_str()?),
        owner: AccountId::trusted(json["owner"].as_str()?),
        image: json["image"].as_str().map(ImageId::trusted),
        name: json["name"].as_str()?.to_owned(),
        details: json["details"].as_object()?.clone(),
        created: Timestamp::from_millis(json["created_ms"].as_i64()?),
        modified: Timestamp::from_millis(json["modified_ms"].as_i64()?),
    })
}

/// The details as text, one JSON object.
pub(crate) fn details_to_text(details: &Details) -> String {
    serde_json::Value::Object(details.clone()).to_string()
}

/// The details that [`details_to_text`] wrote.
pub(crate) fn details_from_text(text: &str) -> Result<Details> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("details: {error}")))
}

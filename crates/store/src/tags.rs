//! Tags on things.

use calotype_core::ids::AccountId;

use crate::db::{Result, Row, Tx, Value};
use crate::snapshots::comma_set;

/// The kind that tags of images are kept under.
pub const IMAGE_KIND: &str = "image";

/// One tag of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The id of the thing.
    pub resource: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Puts a tag on a thing; another value of the same key is replaced.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn put(tx: &mut Tx, kind: &'static str, tag: &Tag) -> Result<()> {
    tx.send(
        "INSERT INTO tags (resource_kind, resource_id, tag_key, tag_value) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (resource_kind, resource_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        &[kind.into(), (&tag.resource).into(), (&tag.key).into(), (&tag.value).into()],
    )
    .await
}

/// The tags of one thing, in the order of their keys.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn of(tx: &mut Tx, kind: &'static str, resource: &str) -> Result<Vec<Tag>> {
    let rows = tx
        .query(
            "SELECT resource_id, tag_key, tag_value FROM tags WHERE resource_kind = $1 AND resource_id = $2 \
             ORDER BY tag_key",
            &[kind.into(), resource.into()],
        )
        .await?;
    rows.iter().map(tag).collect()
}

/// Which tags a listing asks for.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The kind of thing.
    pub kind: &'a str,
    /// The things; empty for all.
    pub resources: Vec<&'a str>,
    /// Tags that the things must have, each a key and, if given, a value: the first
    /// [`TAGS_IN_FILTER_MAX`] count.
    pub tags: Vec<(&'a str, Option<&'a str>)>,
    /// The place to go on from, as [`place`] gives it.
    pub after: Option<&'a str>,
}

/// How many tags a listing can be filtered by.
pub const TAGS_IN_FILTER_MAX: usize = 3;

/// The place of a tag in a listing.
#[must_use]
pub fn place(tag: &Tag) -> String {
    format!("{}/{}", tag.resource, tag.key)
}

/// The tags of an account's instances, in the order of their places.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn list(tx: &mut Tx, owner: &AccountId, filter: &Filter<'_>, limit: i64) -> Result<Vec<Tag>> {
    let resources = comma_set(&filter.resources);
    let mut values: Vec<Value<'_>> = vec![
        owner.as_str().into(),
        filter.kind.into(),
        resources.as_deref().into(),
        filter.after.into(),
        limit.into(),
    ];
    for place in 0..TAGS_IN_FILTER_MAX {
        let tag = filter.tags.get(place);
        values.push(tag.map(|(key, _)| *key).into());
        values.push(tag.and_then(|(_, value)| *value).into());
    }
    let rows = tx
        .query(
            "SELECT t.resource_id, t.tag_key, t.tag_value FROM instances i JOIN tags t \
             ON t.resource_kind = 'instance' AND t.resource_id = i.id \
             WHERE i.owner = $1 AND t.resource_kind = $2 \
             AND ($3 IS NULL OR REPLACE($3, ',' || i.id || ',', '') <> $3) \
             AND ($4 IS NULL OR t.resource_id || '/' || t.tag_key > $4) \
             AND ($6 IS NULL OR EXISTS (SELECT 1 FROM tags f WHERE f.resource_kind = $2 \
             AND f.resource_id = i.id AND f.tag_key = $6 AND ($7 IS NULL OR f.tag_value = $7))) \
             AND ($8 IS NULL OR EXISTS (SELECT 1 FROM tags f WHERE f.resource_kind = $2 \
             AND f.resource_id = i.id AND f.tag_key = $8 AND ($9 IS NULL OR f.tag_value = $9))) \
             AND ($10 IS NULL OR EXISTS (SELECT 1 FROM tags f WHERE f.resource_kind = $2 \
             AND f.resource_id = i.id AND f.tag_key = $10 AND ($11 IS NULL OR f.tag_value = $11))) \
             ORDER BY t.resource_id || '/' || t.tag_key LIMIT $5",
            &values,
        )
        .await?;
    rows.iter().map(tag).collect()
}

/// Removes every tag of a thing.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn remove_all(tx: &mut Tx, kind: &'static str, resource: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM tags WHERE resource_kind = $1 AND resource_id = $2",
        &[kind.into(), resource.into()],
    )
    .await?;
    Ok(())
}

fn tag(row: &Row) -> Result<Tag> {
    Ok(Tag {
        resource: row.text(0)?.to_owned(),
        key: row.text(1)?.to_owned(),
        value: row.text(2)?.to_owned(),
    })
}

//! Usages: what uses an image now. In-use checks read this table and nothing else.

use calotype_core::ids::{AccountId, ImageId};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};

use crate::db::{Query, Result, Row, StoreError, Tx};

/// The live uses of an image, the oldest first.
pub fn of_image(image: &ImageId) -> Query<'_, Vec<Usage>> {
    Query::new(
        "SELECT image_id, consumer_kind, consumer_id, consumer_owner, origin, in_progress, since_ms \
         FROM usages WHERE image_id = $1",
        &[image.as_str().into()],
        |rows| {
            let mut usages = rows.iter().map(usage).collect::<Result<Vec<_>>>()?;
            // Most often there is one, for which a database would prepare to sort all the same.
            usages.sort_by(|one, other| (one.since, &one.consumer).cmp(&(other.since, &other.consumer)));
            Ok(usages)
        },
    )
}

/// Writes that a use begins.
///
/// # Errors
/// [`StoreError::Conflict`] if the consumer has such a use already.
pub async fn insert(tx: &mut Tx, usage: &Usage) -> Result<()> {
    tx.send_one(
        "INSERT INTO usages (image_id, consumer_id, origin, consumer_kind, consumer_owner, in_progress, \
         since_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            usage.image.as_str().into(),
            (&usage.consumer).into(),
            origin_to_text(usage.origin).into(),
            kind_to_text(usage.consumer_kind).into(),
            usage.consumer_owner.as_str().into(),
            usage.in_progress.into(),
            usage.since.as_millis().into(),
        ],
        StoreError::Conflict,
    )
    .await
}

/// Writes that a consumer is being switched to an image: a use in progress.
///
/// # Errors
/// Any [`StoreError`].
pub async fn begin_switch(tx: &mut Tx, usage: &Usage) -> Result<()> {
    // A consumer that was switched to this image before already has the row.
    tx.execute(
        "DELETE FROM usages WHERE image_id = $1 AND consumer_id = $2 AND origin = 'switched'",
        &[usage.image.as_str().into(), (&usage.consumer).into()],
    )
    .await?;
    insert(tx, usage).await
}

/// Writes that the switch of a consumer is done: the image it was switched to is its only one.
///
/// # Errors
/// [`StoreError::Conflict`] if no switch was in progress.
pub async fn end_switch(tx: &mut Tx, consumer: &str) -> Result<()> {
    tx.execute("DELETE FROM usages WHERE consumer_id = $1 AND in_progress = 0", &[consumer.into()]).await?;
    tx.execute_one("UPDATE usages SET in_progress = 0 WHERE consumer_id = $1", &[consumer.into()]).await
}

/// Writes that a consumer uses nothing any more.
///
/// # Errors
/// Any [`StoreError`].
pub async fn end(tx: &mut Tx, consumer: &str) -> Result<()> {
    tx.execute("DELETE FROM usages WHERE consumer_id = $1", &[consumer.into()]).await?;
    Ok(())
}

fn usage(row: &Row) -> Result<Usage> {
    Ok(Usage {
        image: ImageId::trusted(row.text(0)?),
        consumer_kind: kind_from_text(row.text(1)?)?,
        consumer: row.text(2)?.to_owned(),
        consumer_owner: AccountId::trusted(row.text(3)?),
        origin: match row.text(4)? {
            "created" => UsageOrigin::Created,
            "switched" => UsageOrigin::Switched,
            other => return Err(StoreError::Corrupt(format!("unknown usage origin {other}"))),
        },
        in_progress: row.integer(5)? != 0,
        since: Timestamp::from_millis(row.integer(6)?),
    })
}

fn origin_to_text(origin: UsageOrigin) -> &'static str {
    match origin {
        UsageOrigin::Created => "created",
        UsageOrigin::Switched => "switched",
    }
}

/// The word for a kind of consumer, which its tags are kept under too.
#[must_use]
pub fn kind_to_text(kind: ConsumerKind) -> &'static str {
    match kind {
        ConsumerKind::Instance => "instance",
        ConsumerKind::DeliveryGroup => "group",
        ConsumerKind::Workstation => "workstation",
    }
}

pub(crate) fn kind_from_text(text: &str) -> Result<ConsumerKind> {
    match text {
        "instance" => Ok(ConsumerKind::Instance),
        "group" => Ok(ConsumerKind::DeliveryGroup),
        "workstation" => Ok(ConsumerKind::Workstation),
        other => Err(StoreError::Corrupt(format!("unknown consumer kind {other}"))),
    }
}

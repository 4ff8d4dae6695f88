//! Holds: images, replicas, exports and instances that stay in a state of transition until somebody lets them go on.
//!
//! Whatever is held is due at [`HELD_UNTIL`], which no clock reaches. A worker that has the task loses it, so that it
//! cannot end what is held.

use calotype_core::ids::{AccountId, ImageId, InstanceId};
use calotype_core::image::Stage;
use calotype_core::instance::{PowerState, Transition};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;

use crate::db::{Lock, Result, StoreError, Tx};
use crate::{images, instances, usages};

/// When what is held is due: 9999-12-31, in the last second.
pub const HELD_UNTIL: Timestamp = Timestamp::from_millis(253_402_300_799_000);

/// Which replicas of an image are meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// The region; all, if absent.
    pub region: Option<&'a str>,
    /// The version; all, if absent.
    pub version: Option<&'a str>,
}

/// Holds an image, and its bytes everywhere, at a stage of being made. `begun` says whether work on it shows.
///
/// # Errors
/// [`StoreError::Conflict`] if there is no such image that is being made or available.
pub async fn hold_image(tx: &mut Tx, id: &ImageId, stage: Stage, begun: bool) -> Result<()> {
    images::lock(tx, id, Lock::Alone);
    tx.execute_one(
        "UPDATE images SET state = 'making', stage = $2, reason = NULL \
         WHERE id = $1 AND deleted_ms IS NULL AND state IN ('making', 'available')",
        &[id.as_str().into(), images::stage_to_text(stage).into()],
    )
    .await?;
    hold_rows(tx, id, Which::default(), begun).await.map(drop)
}

/// Holds the bytes of an image in a region in being copied there.
///
/// # Errors
/// [`StoreError::Conflict`] if there are none of that kind that are being copied or available.
pub async fn hold_replicas(tx: &mut Tx, id: &ImageId, which: Which<'_>, begun: bool) -> Result<()> {
    images::lock(tx, id, Lock::Alone);
    if !is_live(tx, id).await? {
        return Err(StoreError::Conflict);
    }
    match hold_rows(tx, id, which, begun).await? {
        0 => Err(StoreError::Conflict),
        _ => Ok(()),
    }
}

/// Tells whether there is such an image.
///
/// # Errors
/// Any [`StoreError`].
pub async fn is_live(tx: &mut Tx, id: &ImageId) -> Result<bool> {
    let sql = "SELECT 1 FROM images WHERE id = $1 AND deleted_ms IS NULL";
    Ok(tx.query_opt(sql, &[id.as_str().into()]).await?.is_some())
}

async fn hold_rows(tx: &mut Tx, id: &ImageId, which: Which<'_>, begun: bool) -> Result<u64> {
    tx.execute(
        "UPDATE replicas SET state = 'copying', due_ms = $2, attempt = attempt + 1, tries = $3, \
         lease_owner = NULL, lease_until_ms = NULL \
         WHERE holder_id = $1 AND state IN ('copying', 'available') \
         AND ($4 IS NULL OR region = $4) AND ($5 IS NULL OR version_id = $5)",
        &[
            id.as_str().into(),
            HELD_UNTIL.as_millis().into(),
            i64::from(begun).into(),
            which.region.into(),
            which.version.into(),
        ],
    )
    .await
}

/// Lets the bytes of an image go on, and the image with them: what was there before is there again, what was not is
/// due now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn release_image(tx: &mut Tx, id: &ImageId, which: Which<'_>, now: Timestamp) -> Result<()> {
    images::lock(tx, id, Lock::Alone);
    tx.execute(
        "UPDATE replicas SET state = 'available', due_ms = NULL, tries = 1 \
         WHERE holder_id = $1 AND state = 'copying' AND due_ms = $2 AND sha256 IS NOT NULL \
         AND ($3 IS NULL OR region = $3) AND ($4 IS NULL OR version_id = $4)",
        &[id.as_str().into(), HELD_UNTIL.as_millis().into(), which.region.into(), which.version.into()],
    )
    .await?;
    tx.execute(
        "UPDATE replicas SET due_ms = $3, tries = 0 WHERE holder_id = $1 AND state = 'copying' AND due_ms = $2 \
         AND ($4 IS NULL OR region = $4) AND ($5 IS NULL OR version_id = $5)",
        &[
            id.as_str().into(),
            HELD_UNTIL.as_millis().into(),
            now.as_millis().into(),
            which.region.into(),
            which.version.into(),
        ],
    )
    .await?;
    if which.region.is_none() {
        tx.execute(
            "UPDATE images SET state = 'available', stage = NULL \
             WHERE id = $1 AND deleted_ms IS NULL AND state = 'making' AND EXISTS \
             (SELECT 1 FROM replicas r WHERE r.holder_id = images.id AND r.state = 'available')",
            &[id.as_str().into()],
        )
        .await?;
    }
    Ok(())
}

/// Lets the bytes of an image fail, and with all of them the image, at its stage.
///
/// # Errors
/// Any [`StoreError`].
pub async fn fail_image(tx: &mut Tx, id: &ImageId, which: Which<'_>, reason: &str) -> Result<()> {
    images::lock(tx, id, Lock::Alone);
    tx.execute(
        // Those that were whole keep their length, which tells that there are bytes to be erased with the image.
        "UPDATE replicas SET state = 'failed', sha256 = NULL, last_error = $5, due_ms = NULL, tries = 1 \
         WHERE holder_id = $1 AND state = 'copying' AND due_ms = $2 \
         AND ($3 IS NULL OR region = $3) AND ($4 IS NULL OR version_id = $4)",
        &[
            id.as_str().into(),
            HELD_UNTIL.as_millis().into(),
            which.region.into(),
            which.version.into(),
            reason.into(),
        ],
    )
    .await?;
    if which.region.is_none() {
        tx.execute(
            "UPDATE images SET state = 'failed', reason = $2 \
             WHERE id = $1 AND deleted_ms IS NULL AND state = 'making'",
            &[id.as_str().into(), reason.into()],
        )
        .await?;
    }
    Ok(())
}

/// Holds the latest export of an image in being written.
///
/// # Errors
/// [`StoreError::Conflict`] if it has none that runs or has ended well.
pub async fn hold_export(tx: &mut Tx, image: &ImageId) -> Result<()> {
    images::lock(tx, image, Lock::Alone);
    tx.execute_one(
        "UPDATE exports SET state = 'exporting', due_ms = $2, attempt = attempt + 1, lease_owner = NULL, \
         lease_until_ms = NULL WHERE image_id = $1 AND state IN ('exporting', 'exported') AND EXISTS \
         (SELECT 1 FROM images i WHERE i.id = exports.image_id AND i.deleted_ms IS NULL)",
        &[image.as_str().into(), HELD_UNTIL.as_millis().into()],
    )
    .await
}

/// Lets an export go on, or fail for this reason.
///
/// # Errors
/// Any [`StoreError`].
pub async fn end_export(tx: &mut Tx, image: &ImageId, failed: Option<&str>, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE exports SET state = $3, last_error = $4, due_ms = $5 \
         WHERE image_id = $1 AND state = 'exporting' AND due_ms = $2",
        &[
            image.as_str().into(),
            HELD_UNTIL.as_millis().into(),
            failed.map_or("exporting", |_| "failed").into(),
            failed.into(),
            failed.map_or(Some(now.as_millis()), |_| None).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Kind and owner of whatever runs images under this id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn consumer(tx: &mut Tx, id: &InstanceId) -> Result<Option<(ConsumerKind, AccountId)>> {
    let row = tx.query_opt("SELECT kind, owner FROM instances WHERE id = $1", &[id.as_str().into()]).await?;
    row.map(|row| Ok((usages::kind_from_text(row.text(0)?)?, AccountId::trusted(row.text(1)?)))).transpose()
}

/// Holds an instance on the way to a power state.
///
/// # Errors
/// [`StoreError::Conflict`] if it is gone or being reinitialised.
pub async fn hold_power(tx: &mut Tx, id: &InstanceId, transition: Transition) -> Result<()> {
    let power = match transition {
        Transition::Pending | Transition::Starting => PowerState::Running,
        Transition::Stopping => PowerState::Stopped,
    };
    instances::set_power(tx, id, power, transition, HELD_UNTIL).await
}

/// Holds an instance in being reinitialised, which it must be.
///
/// # Errors
/// [`StoreError::Conflict`] if it is not.
pub async fn hold_reinit(tx: &mut Tx, id: &InstanceId) -> Result<()> {
    tx.execute_one(
        "UPDATE instances SET due_ms = $2 WHERE id = $1 AND reinit_image_id IS NOT NULL",
        &[id.as_str().into(), HELD_UNTIL.as_millis().into()],
    )
    .await
}

/// Lets an instance go on.
///
/// # Errors
/// Any [`StoreError`].
pub async fn release_instance(tx: &mut Tx, id: &InstanceId, now: Timestamp) -> Result<()> {
    let held = &[id.as_str().into(), HELD_UNTIL.as_millis().into(), now.as_millis().into()];
    tx.execute("UPDATE instances SET settles_ms = $3 WHERE id = $1 AND settles_ms = $2", held).await?;
    tx.execute("UPDATE instances SET due_ms = $3 WHERE id = $1 AND due_ms = $2", held).await?;
    Ok(())
}

/// Lets what an instance does come to nothing: it is as it was before.
///
/// # Errors
/// Any [`StoreError`].
pub async fn fail_instance(tx: &mut Tx, id: &InstanceId, now: Timestamp) -> Result<()> {
    let held = &[id.as_str().into(), HELD_UNTIL.as_millis().into()];
    let given_up = tx
        .execute(
            "UPDATE instances SET reinit_image_id = NULL, due_ms = NULL WHERE id = $1 AND due_ms = $2",
            held,
        )
        .await?;
    if given_up > 0 {
        tx.execute("DELETE FROM usages WHERE consumer_id = $1 AND in_progress = 1", &[id.as_str().into()])
            .await?;
    }
    tx.execute(
        "UPDATE instances SET settles_ms = $3, power = CASE WHEN power = 'running' THEN 'stopped' ELSE 'running' END \
         WHERE id = $1 AND settles_ms = $2",
        &[id.as_str().into(), HELD_UNTIL.as_millis().into(), now.as_millis().into()],
    )
    .await?;
    Ok(())
}

/// Makes what waits in a region after failures due now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn hurry(tx: &mut Tx, region: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE replicas SET due_ms = $2 WHERE region = $1 AND state IN ('copying', 'erasing') \
         AND lease_owner IS NULL AND last_error IS NOT NULL AND due_ms > $2 AND due_ms < $3",
        &[region.into(), now.as_millis().into(), HELD_UNTIL.as_millis().into()],
    )
    .await?;
    Ok(())
}

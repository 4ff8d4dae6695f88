//! What must hold between tables: for each rule a statement that finds what breaks it, and one that mends
//! it, where that is safe.
//!
//! A rule is about several tables and belongs to none of them. What mends repeats the rule, so that it does
//! nothing to what keeps it by now, and is run under the lock on the image.

mod rules;

use calotype_core::ids::ImageId;
use calotype_core::time::Timestamp;

use crate::db::{Db, Lock, Result, Row, Tx, Value};
use crate::{deletions, images};

/// A rule, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Whoever uses an image is there, and on that image.
    UsageHasConsumer,
    /// An instance uses the image that it is on.
    InstanceHasUsage,
    /// An instance uses the image that it is being switched to.
    SwitchHasUsage,
    /// The image of an instance is live.
    InstanceHasImage,
    /// A shared image is live.
    ShareHasImage,
    /// The image that a template references is live.
    TemplateHasImage,
    /// A replica that is not to be erased has a live image or snapshot.
    ReplicaHasHolder,
    /// A replica that is to be erased has none.
    ErasingHasNoHolder,
    /// A deletion with nothing left to erase is complete.
    DeletionIsComplete,
    /// A deleted image has a deletion.
    DeletedHasDeletion,
    /// A lease is renewed or given up.
    LeaseIsCurrent,
    /// A task is due at some time.
    TaskIsDue,
    /// An image that is being made has a replica that is being filled.
    MakingHasTask,
    /// A snapshot that is being made has a replica that is being filled.
    CreatingHasTask,
    /// An available image has an available replica.
    AvailableHasBytes,
    /// An available snapshot has an available replica.
    SnapshotHasBytes,
    /// An image that is being exported is live.
    ExportHasImage,
    /// An export is due at some time, and its lease renewed or given up.
    ExportIsDue,
}

impl Rule {
    /// Every rule, in their order.
    pub const ALL: [Self; 18] = [
        Self::UsageHasConsumer,
        Self::InstanceHasUsage,
        Self::SwitchHasUsage,
        Self::InstanceHasImage,
        Self::ShareHasImage,
        Self::TemplateHasImage,
        Self::ReplicaHasHolder,
        Self::ErasingHasNoHolder,
        Self::DeletionIsComplete,
        Self::DeletedHasDeletion,
        Self::LeaseIsCurrent,
        Self::TaskIsDue,
        Self::MakingHasTask,
        Self::CreatingHasTask,
        Self::AvailableHasBytes,
        Self::SnapshotHasBytes,
        Self::ExportHasImage,
        Self::ExportIsDue,
    ];
}

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// The rule.
    pub rule: Rule,
    /// The image that it is about, or the snapshot.
    pub image: String,
    /// What breaks it: the consumer, account, template, replica or deletion; or the image itself.
    pub subject: String,
    /// What else must be known of it to name it and to mend it.
    pub detail: String,
}

/// What breaks a rule, up to `limit`, in one snapshot of what is durable. Leases count as forgotten that ended
/// before `forgotten`.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn find(db: &Db, rule: Rule, forgotten: Timestamp, limit: i64) -> Result<Vec<Broken>> {
    let values: [Value<'_>; 2] = [limit.into(), forgotten.as_millis().into()];
    let taken = if matches!(rule, Rule::LeaseIsCurrent | Rule::ExportIsDue) { 2 } else { 1 };
    let rows = db.read().await?.query(rules::of(rule).find, &values[..taken]).await?;
    let broken = |row: &Row| {
        Ok(Broken {
            rule,
            image: row.text(0)?.to_owned(),
            subject: row.text(1)?.to_owned(),
            detail: row.text(2)?.to_owned(),
        })
    };
    rows.iter().map(broken).collect()
}

/// Whether what is broken can be mended.
#[must_use]
pub fn can_be_mended(broken: &Broken) -> bool {
    match broken.rule {
        // What runs on a deleted image cannot be stopped from here, and what deleted it is not known.
        Rule::InstanceHasImage | Rule::DeletedHasDeletion => false,
        // A worker that has begun may still be erasing.
        Rule::ErasingHasNoHolder => broken.detail == rules::UNTOUCHED,
        Rule::UsageHasConsumer
        | Rule::InstanceHasUsage
        | Rule::SwitchHasUsage
        | Rule::ShareHasImage
        | Rule::TemplateHasImage
        | Rule::ReplicaHasHolder
        | Rule::DeletionIsComplete
        | Rule::LeaseIsCurrent
        | Rule::TaskIsDue
        | Rule::MakingHasTask
        | Rule::CreatingHasTask
        | Rule::AvailableHasBytes
        | Rule::SnapshotHasBytes
        | Rule::ExportHasImage
        | Rule::ExportIsDue => true,
    }
}

/// Mends what is broken, if it still is; `false` if nothing was done.
///
/// # Errors
/// Any [`crate::db::StoreError`].
pub async fn mend(tx: &mut Tx, broken: &Broken, now: Timestamp) -> Result<bool> {
    let image = ImageId::trusted(broken.image.as_str());
    images::lock(tx, &image, Lock::Alone);
    if !can_be_mended(broken) {
        return Ok(false);
    }
    if broken.rule == Rule::DeletionIsComplete {
        return deletions::complete_if_erased(tx, &image, now).await;
    }
    let Some(mend) = rules::of(broken.rule).mend else { return Ok(false) };
    let values: Vec<Value<'_>> = mend
        .arguments
        .iter()
        .map(|argument| match argument {
            rules::Argument::Image => (&broken.image).into(),
            rules::Argument::Subject => (&broken.subject).into(),
            rules::Argument::Detail => (&broken.detail).into(),
            rules::Argument::Now => now.as_millis().into(),
        })
        .collect();
    Ok(tx.execute(mend.statement, &values).await? > 0)
}

//! Does what was planned. Each deed is decided anew, under the lock on the image.

use calotype_core::ids::RegionId;
use calotype_core::replica::Holder;
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, Lock, StoreError, Tx};
use calotype_store::invariants::{self, Broken, Rule};
use calotype_store::objects::{EntryName, ObjectError, Places};
use calotype_store::replicas::records::{self, Record};
use calotype_store::{images, snapshots};

use super::bytes::classify;
use super::finding::{Finding, Repair, Stray, Trouble};
use super::plan::{MAY_BE_LAST, may_be_last};
use super::{Entry, Outcome, Progress, Report};

/// How often the turn to write is asked for: a server that is busy keeps it for seconds.
const TURNS_MAX: u32 = 12;

/// Does what a report has planned, in its order, and writes down what became of it.
///
/// # Errors
/// [`StoreError`] if the metadata cannot be written; what was done until then is done.
pub async fn repair(
    db: &Db,
    places: &Places,
    now: Timestamp,
    report: &mut Report,
    progress: &Progress,
) -> Result<(), StoreError> {
    progress.begin(5, report.entries.len());
    let mut synced = Vec::new();
    for entry in &mut report.entries {
        let outcome = match &entry.repair {
            Repair::Nothing(_) => None,
            Repair::Erase => {
                synced.extend(entry.finding.region().cloned());
                Some(erase(db, places, &entry.finding).await?)
            }
            Repair::Copy { .. } | Repair::Make | Repair::Adopt(_) | Repair::GiveUp | Repair::Mend(_) => {
                Some(mend(db, entry, now).await?)
            }
        };
        entry.outcome = outcome;
        progress.step(1);
    }
    synced.sort();
    synced.dedup();
    for region in &synced {
        if let Some(error) = sync(places, region).await {
            fail_erasures(report, region, &error);
        }
    }
    Ok(())
}

/// Changes records: all of one finding, or nothing.
async fn mend(db: &Db, entry: &Entry, now: Timestamp) -> Result<Outcome, StoreError> {
    let mut tx = begin(db).await?;
    let done = match (&entry.finding, &entry.repair) {
        (Finding::Broken(broken), _) => invariants::mend(&mut tx, broken, now).await,
        (Finding::Lost { record, trouble }, repair) => {
            lock(&mut tx, &record.holder);
            mend_lost(&mut tx, record, *trouble, repair, now).await.map(|()| true)
        }
        (Finding::Damaged(_) | Finding::Stray { .. }, _) => Ok(false),
    };
    match done {
        Ok(true) => tx.commit().await.map(|()| Outcome::Done),
        Ok(false) | Err(StoreError::Conflict) => Ok(Outcome::Gone),
        Err(error) => Err(error),
    }
}

async fn mend_lost(
    tx: &mut Tx,
    record: &Record,
    trouble: Trouble,
    repair: &Repair,
    now: Timestamp,
) -> Result<(), StoreError> {
    match repair {
        Repair::Copy { from, .. } => records::copy_again(tx, record, from, now).await,
        Repair::Make => records::make_again(tx, record, now).await,
        Repair::Adopt(key) => records::adopt(tx, record, key).await,
        Repair::GiveUp => {
            let reason = match trouble {
                Trouble::Missing => "the bytes are lost",
                Trouble::Length(_) | Trouble::Hash | Trouble::Unreadable => "the bytes are damaged",
            };
            records::record_lost(tx, record, reason).await?;
            // Without other bytes nothing can be made of it any more.
            let (rule, holder) = match &record.holder {
                Holder::Image(id) => (Rule::AvailableHasBytes, id.as_str()),
                Holder::Snapshot(id) => (Rule::SnapshotHasBytes, id.as_str()),
            };
            let (image, subject) = (holder.to_owned(), holder.to_owned());
            let broken = Broken { rule, image, subject, detail: String::new() };
            invariants::mend(tx, &broken, now).await.map(drop)
        }
        Repair::Nothing(_) | Repair::Erase | Repair::Mend(_) => Err(StoreError::Conflict),
    }
}

/// Erases an object that is still what it was found to be. After that it can become nothing else: keys are
/// never used again. So no transaction is open while the store is asked.
async fn erase(db: &Db, places: &Places, finding: &Finding) -> Result<Outcome, StoreError> {
    let Finding::Stray { region, name, kind, .. } = finding else { return Ok(Outcome::Gone) };
    let (Some(parsed), Some(objects)) = (EntryName::parse(name), places.regions.get(region)) else {
        return Ok(Outcome::Gone);
    };
    let mut tx = begin(db).await?;
    let mut record = records::load(&mut tx, &parsed.replica).await?;
    let mut is_last = false;
    if let Some(found) = &record {
        lock(&mut tx, &found.holder);
        is_last = may_be_last(&mut tx, *kind, &found.holder).await?;
        record = records::load(&mut tx, &parsed.replica).await?;
    }
    let is_so = match (classify(region, &parsed, record.as_ref()), kind) {
        (Some(Stray::Unknown), kind) => *kind == Stray::Unknown,
        (Some(now), kind) => now != Stray::Foreign && *kind != Stray::Foreign,
        (None, _) => false,
    };
    drop(tx);
    if !is_so {
        return Ok(Outcome::Gone);
    }
    if is_last {
        return Ok(Outcome::Failed(MAY_BE_LAST.to_owned()));
    }
    // An empty mount point has nothing to erase, and nothing is erased by that.
    let erased = match objects.verify().await {
        Ok(()) => objects.erase_entry(name).await,
        Err(error) => Err(error),
    };
    Ok(match erased {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    })
}

async fn sync(places: &Places, region: &RegionId) -> Option<ObjectError> {
    places.regions.get(region)?.sync().await.err()
}

/// Nothing is erased in a region before that is durable.
fn fail_erasures(report: &mut Report, region: &RegionId, error: &ObjectError) {
    for entry in &mut report.entries {
        if entry.repair == Repair::Erase && entry.finding.region() == Some(region) {
            entry.outcome = Some(Outcome::Failed(error.to_string()));
        }
    }
}

fn lock(tx: &mut Tx, holder: &Holder) {
    match holder {
        Holder::Image(id) => images::lock(tx, id, Lock::Alone),
        Holder::Snapshot(id) => snapshots::lock(tx, id, Lock::Alone),
    }
}

/// Waits for the turn to write beside a server that may be busy.
async fn begin(db: &Db) -> Result<Tx, StoreError> {
    for _ in 1..TURNS_MAX {
        match db.begin().await {
            // Each try waits for seconds by itself.
            Err(StoreError::Unavailable(error)) => tracing::debug!(%error, "waiting for the turn to write"),
            begun => return begun,
        }
    }
    db.begin().await
}

//! What can be done about each finding.

use std::collections::{BTreeMap, BTreeSet};

use calotype_core::ids::{RegionId, ReplicaId};
use calotype_core::replica::Holder;
use calotype_store::db::{Db, StoreError, Tx};
use calotype_store::ingest;
use calotype_store::invariants;
use calotype_store::objects::{EntryName, ObjectKey, Places};
use calotype_store::replicas::records::{self, Record};

use super::finding::{Finding, Repair, Stray, Trouble, rule_mend};
use super::{Entry, Options, Region};

/// Plans. Reads bytes where they may be what another replica has lost.
pub(super) async fn plan(
    db: &Db,
    places: &Places,
    regions: &BTreeMap<RegionId, Region>,
    findings: Vec<Finding>,
    options: &Options,
) -> Result<Vec<Entry>, StoreError> {
    let lost: BTreeSet<ReplicaId> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::Lost { record, .. } => Some(record.id.clone()),
            Finding::Damaged(_) | Finding::Stray { .. } | Finding::Broken(_) => None,
        })
        .collect();
    let writes = other_writes(&findings, &lost);
    let mut entries = Vec::with_capacity(findings.len());
    let mut adopted = BTreeSet::new();
    for finding in findings {
        let repair = match &finding {
            Finding::Damaged(_) => Repair::Nothing(String::new()),
            Finding::Lost { record, trouble } => {
                let found = adoptable(places, record, writes.get(&record.id)).await;
                if let Some(key) = found {
                    adopted.insert(key.clone());
                    Repair::Adopt(key)
                } else {
                    replace(db, regions, &lost, record, *trouble).await?
                }
            }
            Finding::Stray { name, kind, holder, .. } => {
                let is_last = match holder {
                    Some(holder) => may_be_last(&mut db.read().await?, *kind, holder).await?,
                    None => false,
                };
                if is_last {
                    Repair::Nothing(MAY_BE_LAST.to_owned())
                } else {
                    plan_stray(name, *kind, &lost, options)
                }
            }
            Finding::Broken(broken) if invariants::can_be_mended(broken) => {
                Repair::Mend(rule_mend(broken.rule))
            }
            Finding::Broken(broken) => Repair::Nothing(rule_mend(broken.rule).to_owned()),
        };
        entries.push(Entry { finding, repair, outcome: None });
    }
    // Told with the replica that takes it.
    entries.retain(|entry| !is_adopted(&entry.finding, &adopted));
    Ok(entries)
}

/// Why an object is kept that no record has.
pub(super) const MAY_BE_LAST: &str = "nothing: it may be the last copy of the image";

/// Whether an object may be the last copy of a live image: one whose every recorded copy is lost.
pub(super) async fn may_be_last(tx: &mut Tx, kind: Stray, holder: &Holder) -> Result<bool, StoreError> {
    match (kind, holder) {
        (Stray::Stale, Holder::Image(image)) => records::are_all_lost(tx, image.as_str()).await,
        (Stray::Erased | Stray::Unfinished | Stray::Unknown | Stray::Foreign, _)
        | (Stray::Stale, Holder::Snapshot(_)) => Ok(false),
    }
}

/// The whole objects that were written for replicas that have lost theirs.
fn other_writes(
    findings: &[Finding],
    lost: &BTreeSet<ReplicaId>,
) -> BTreeMap<ReplicaId, Vec<(ObjectKey, Option<u64>)>> {
    let mut writes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for finding in findings {
        if let Finding::Stray { name, kind: Stray::Stale, size_bytes, .. } = finding
            && let Some(name) = EntryName::parse(name).filter(|name| lost.contains(&name.replica))
        {
            writes.entry(name.replica).or_default().push((name.key, *size_bytes));
        }
    }
    writes
}

/// Another object of the replica that has the recorded bytes. A restore of the metadata brings the record of an
/// earlier write back.
async fn adoptable(
    places: &Places,
    record: &Record,
    writes: Option<&Vec<(ObjectKey, Option<u64>)>>,
) -> Option<ObjectKey> {
    let objects = places.regions.get(&record.region)?;
    for (key, size_bytes) in writes? {
        if *size_bytes == record.size_bytes {
            let found = ingest::digest(objects, key, &ingest::Progress::default()).await;
            if found.is_ok_and(|(_, sha256)| Some(&sha256) == record.sha256.as_ref()) {
                return Some(key.clone());
            }
        }
    }
    None
}

/// Where the bytes of a replica can come from.
async fn replace(
    db: &Db,
    regions: &BTreeMap<RegionId, Region>,
    lost: &BTreeSet<ReplicaId>,
    record: &Record,
    trouble: Trouble,
) -> Result<Repair, StoreError> {
    let mut copies = records::copies(&mut db.read().await?, &record.id).await?;
    copies.retain(|copy| !lost.contains(&copy.id));
    let is_there = |copy: &&Record| matches!(regions.get(&copy.region), Some(Region::Compared { .. }));
    if let Some(copy) = copies.iter().find(is_there) {
        return Ok(Repair::Copy { from: copy.id.clone(), region: copy.region.clone() });
    }
    if let Some(copy) = copies.first() {
        return Ok(Repair::Nothing(format!("nothing yet: {} has them, and cannot be seen", copy.region)));
    }
    if records::can_be_made_again(&mut db.read().await?, &record.id).await? {
        return Ok(Repair::Make);
    }
    Ok(match trouble {
        Trouble::Unreadable => {
            Repair::Nothing("nothing: they are nowhere else, and may be read later".to_owned())
        }
        Trouble::Missing | Trouble::Length(_) | Trouble::Hash => Repair::GiveUp,
    })
}

fn plan_stray(name: &str, kind: Stray, lost: &BTreeSet<ReplicaId>, options: &Options) -> Repair {
    let nothing = |why: &str| Repair::Nothing(why.to_owned());
    match kind {
        Stray::Foreign => nothing("nothing: it is left alone"),
        Stray::Unknown if options.erase_unknown => Repair::Erase,
        Stray::Unknown => nothing("nothing: it may be the only copy; --erase-unknown erases it"),
        Stray::Erased | Stray::Stale | Stray::Unfinished => {
            let is_of_lost = EntryName::parse(name).is_none_or(|name| lost.contains(&name.replica));
            if is_of_lost { nothing("nothing yet: its replica comes first") } else { Repair::Erase }
        }
    }
}

fn is_adopted(finding: &Finding, adopted: &BTreeSet<ObjectKey>) -> bool {
    match finding {
        Finding::Stray { name, .. } => {
            EntryName::parse(name).is_some_and(|name| !name.unfinished && adopted.contains(&name.key))
        }
        Finding::Damaged(_) | Finding::Lost { .. } | Finding::Broken(_) => false,
    }
}

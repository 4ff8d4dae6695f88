//! The look at records and bytes, both ways.
//!
//! First everything that lies in the stores is listed, and a hash of each name kept with its length. Then the
//! records are read page by page: what is recorded and there is crossed out. What is left on either side is a
//! suspect, and looked at by itself.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};

use calotype_core::ids::RegionId;
use calotype_store::db::{Db, StoreError};
use calotype_store::ingest;
use calotype_store::objects::{Entry, EntryName, ObjectError, Objects, Places};
use calotype_store::replicas::records::{self, Record, RecordState};
use futures::StreamExt as _;

use super::finding::{Finding, Stray, Trouble};
use super::{FINDINGS_MAX, Options, Progress, Region};

/// Records that are read at once.
const PAGE: i64 = 500;

/// A look, as far as it is.
pub(super) struct Look<'a> {
    db: &'a Db,
    places: &'a Places,
    options: &'a Options,
    progress: &'a Progress,
    regions: BTreeMap<RegionId, Region>,
    /// The lengths of objects that no record was found for yet, by the hashes of their places. Two of one hash
    /// hide a finding, in this run; none is ever made up.
    unmatched: HashMap<u64, u64>,
    hasher: RandomState,
    suspects: Vec<Finding>,
    more: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(db: &'a Db, places: &'a Places, options: &'a Options, progress: &'a Progress) -> Self {
        let unseen = options.unseen.iter().map(|(region, why)| (region.clone(), Region::Unseen(why)));
        Self {
            db,
            places,
            options,
            progress,
            regions: unseen.collect(),
            unmatched: HashMap::new(),
            hasher: RandomState::new(),
            suspects: Vec::new(),
            more: false,
        }
    }

    /// Finds suspects.
    pub(super) async fn at_everything(&mut self) -> Result<(), StoreError> {
        self.progress.begin(2, 0);
        let places = self.places;
        for (id, objects) in &places.regions {
            if !self.regions.contains_key(id) {
                let seen = match self.list(id, objects).await {
                    Ok((objects, bytes)) => Region::Compared { objects, bytes },
                    Err(error) => Region::Away(away(&error)),
                };
                self.regions.insert(id.clone(), seen);
            }
        }
        self.compare_records().await?;
        for (id, objects) in &places.regions {
            if self.is_seen(id)
                && let Err(error) = self.list_unmatched(id, objects).await?
            {
                self.regions.insert(id.clone(), Region::Away(away(&error)));
            }
        }
        Ok(())
    }

    pub(super) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Looks at every suspect again, and keeps those that are as they were.
    pub(super) async fn again(&mut self) -> Result<(), StoreError> {
        self.progress.begin(4, self.suspects.len());
        let places = self.places;
        let mut confirmed = Vec::new();
        for suspect in std::mem::take(&mut self.suspects) {
            let region = suspect.region().filter(|id| self.is_seen(id));
            if let Some((id, objects)) = region.and_then(|id| places.regions.get_key_value(id)) {
                match self.look_again(suspect, objects).await? {
                    Ok(found) => confirmed.extend(found),
                    Err(error) => {
                        self.regions.insert(id.clone(), Region::Away(away(&error)));
                    }
                }
            }
            self.progress.step(1);
        }
        self.suspects = confirmed;
        Ok(())
    }

    /// The findings, what was seen of each region, and whether there are more findings than are kept. What was
    /// found in a region that is away by now does not count: it may never have been looked at.
    pub(super) async fn end(mut self) -> (Vec<Finding>, BTreeMap<RegionId, Region>, bool) {
        let places = self.places;
        for (id, objects) in &places.regions {
            if self.is_seen(id)
                && let Err(error) = objects.verify().await
            {
                self.regions.insert(id.clone(), Region::Away(away(&error)));
            }
        }
        let mut findings = std::mem::take(&mut self.suspects);
        findings.retain(|finding| finding.region().is_none_or(|id| self.is_seen(id)));
        (findings, self.regions, self.more)
    }

    fn is_seen(&self, id: &RegionId) -> bool {
        matches!(self.regions.get(id), Some(Region::Compared { .. }))
    }

    fn suspect(&mut self, finding: Finding) {
        if self.suspects.len() < FINDINGS_MAX {
            self.suspects.push(finding);
        } else {
            self.more = true;
        }
    }

    /// Lists a region, and keeps what is ours.
    async fn list(&mut self, id: &RegionId, objects: &Objects) -> Result<(u64, u64), ObjectError> {
        objects.verify().await?;
        let (mut count, mut bytes) = (0, 0);
        let mut batches = objects.entries().await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            self.progress.step(batch.len());
            for entry in batch {
                count += 1;
                bytes += entry.size_bytes.unwrap_or(0);
                match (EntryName::parse(&entry.name), entry.size_bytes) {
                    (Some(_), Some(size)) => {
                        self.unmatched.insert(self.hasher.hash_one((id.as_str(), &entry.name)), size);
                    }
                    (None, _) | (_, None) => self.suspect(stray(id, entry, None, Stray::Foreign)),
                }
            }
        }
        Ok((count, bytes))
    }

    /// Reads the records, and crosses out what they have.
    async fn compare_records(&mut self) -> Result<(), StoreError> {
        let (count, _) = records::totals(&mut self.db.read().await?).await?;
        self.progress.begin(3, usize::try_from(count).unwrap_or(usize::MAX));
        let mut after = String::new();
        loop {
            // Each page in a transaction of its own: a long one would hold the log back.
            let page = records::page(&mut self.db.read().await?, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id.as_str().to_owned();
            self.progress.step(page.len());
            for record in page {
                if !self.places.regions.contains_key(&record.region)
                    && !self.options.unseen.contains_key(&record.region)
                {
                    let why = Region::Away("it is not configured, and has records".to_owned());
                    self.regions.insert(record.region.clone(), why);
                }
                if record.state == RecordState::Available && self.is_seen(&record.region) {
                    self.compare(record).await;
                }
            }
        }
    }

    async fn compare(&mut self, record: Record) {
        let key = record.key.as_ref();
        let place = key.map(|key| self.hasher.hash_one((record.region.as_str(), key.as_str())));
        let found = place.and_then(|place| self.unmatched.remove(&place));
        let trouble = match found {
            None => Some(Trouble::Missing),
            Some(size) if Some(size) != record.size_bytes => Some(Trouble::Length(size)),
            Some(_) if self.options.deep => self.read(&record).await,
            Some(_) => None,
        };
        if let Some(trouble) = trouble {
            self.suspect(Finding::Lost { record, trouble });
        }
    }

    /// Reads and hashes the bytes of a record.
    async fn read(&self, record: &Record) -> Option<Trouble> {
        let (Some(key), Some(objects)) = (&record.key, self.places.regions.get(&record.region)) else {
            return Some(Trouble::Missing);
        };
        match ingest::digest(objects, key, &self.progress.read).await {
            Ok((size, _)) if Some(size) != record.size_bytes => Some(Trouble::Length(size)),
            Ok((_, sha256)) if Some(&sha256) != record.sha256.as_ref() => Some(Trouble::Hash),
            Ok(_) => None,
            Err(ObjectError::NotFound) => Some(Trouble::Missing),
            // Whether the store is away altogether shows in the end.
            Err(
                ObjectError::Failed(_)
                | ObjectError::Denied(_)
                | ObjectError::Unmarked
                | ObjectError::Foreign,
            ) => Some(Trouble::Unreadable),
        }
    }

    /// Lists a region once more, for the names of what no record was found for.
    async fn list_unmatched(
        &mut self,
        id: &RegionId,
        objects: &Objects,
    ) -> Result<Result<(), ObjectError>, StoreError> {
        let mut batches = match objects.entries().await {
            Ok(batches) => batches,
            Err(error) => return Ok(Err(error)),
        };
        while let Some(batch) = batches.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error)),
            };
            for entry in batch {
                let place = self.hasher.hash_one((id.as_str(), &entry.name));
                if let (true, Some(name)) =
                    (self.unmatched.contains_key(&place), EntryName::parse(&entry.name))
                {
                    let record = records::load(&mut self.db.read().await?, &name.replica).await?;
                    if let Some(kind) = classify(id, &name, record.as_ref()) {
                        self.suspect(stray(id, entry, record, kind));
                    }
                }
            }
        }
        Ok(Ok(()))
    }

    /// The second look at one suspect.
    async fn look_again(
        &self,
        suspect: Finding,
        objects: &Objects,
    ) -> Result<Result<Option<Finding>, ObjectError>, StoreError> {
        match suspect {
            Finding::Lost { record, .. } => {
                let trouble = match self.trouble(&record, objects).await {
                    Ok(trouble) => trouble,
                    Err(error) => return Ok(Err(error)),
                };
                let now = records::load(&mut self.db.read().await?, &record.id).await?;
                let is_same = now.as_ref() == Some(&record);
                Ok(Ok(trouble.filter(|_| is_same).map(|trouble| Finding::Lost { record, trouble })))
            }
            Finding::Stray { region, name, kind, size_bytes, .. } => {
                let parsed = EntryName::parse(&name).filter(|_| kind != Stray::Foreign);
                let (record, kind) = match &parsed {
                    Some(parsed) => {
                        let record = records::load(&mut self.db.read().await?, &parsed.replica).await?;
                        let kind = classify(&region, parsed, record.as_ref());
                        (record, kind)
                    }
                    None => (None, Some(Stray::Foreign)),
                };
                let is_there = match objects.length(&name).await {
                    Ok(length) => length.is_some(),
                    Err(error) => return Ok(Err(error)),
                };
                let entry = Entry { name, size_bytes };
                Ok(Ok(kind.filter(|_| is_there).map(|kind| stray(&region, entry, record, kind))))
            }
            Finding::Damaged(_) | Finding::Broken(_) => Ok(Ok(Some(suspect))),
        }
    }

    /// What is wrong with the bytes of a record now.
    async fn trouble(&self, record: &Record, objects: &Objects) -> Result<Option<Trouble>, ObjectError> {
        let Some(key) = &record.key else { return Ok(Some(Trouble::Missing)) };
        match objects.length(key.as_str()).await? {
            None => Ok(Some(Trouble::Missing)),
            Some(size) if Some(size) != record.size_bytes => Ok(Some(Trouble::Length(size))),
            Some(_) if self.options.deep => Ok(self.read(record).await),
            Some(_) => Ok(None),
        }
    }
}

/// What an object is that no available replica was found to have; `None` if it is as it must be.
pub(super) fn classify(region: &RegionId, name: &EntryName, record: Option<&Record>) -> Option<Stray> {
    let Some(record) = record.filter(|record| record.region == *region) else { return Some(Stray::Unknown) };
    let is_recorded = !name.unfinished && record.key.as_ref() == Some(&name.key);
    match record.state {
        // Its task erases what earlier attempts left.
        RecordState::Copying | RecordState::Erasing => None,
        RecordState::Available if is_recorded => None,
        // Bytes that were whole once, and are damaged: they go with the image.
        RecordState::Failed if is_recorded && record.size_bytes.is_some() => None,
        RecordState::Available | RecordState::Failed | RecordState::Erased if name.unfinished => {
            Some(Stray::Unfinished)
        }
        RecordState::Available | RecordState::Failed => Some(Stray::Stale),
        RecordState::Erased => Some(Stray::Erased),
    }
}

fn stray(region: &RegionId, entry: Entry, record: Option<Record>, kind: Stray) -> Finding {
    let holder = record.filter(|_| kind != Stray::Unknown).map(|record| record.holder);
    Finding::Stray { region: region.clone(), name: entry.name, size_bytes: entry.size_bytes, holder, kind }
}

fn away(error: &ObjectError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

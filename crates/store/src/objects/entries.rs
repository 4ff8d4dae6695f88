//! Everything that lies in a store, for comparing it with the records.

use std::io;
use std::path::{Path, PathBuf};

use calotype_core::ids::ReplicaId;
use futures::Stream;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;

use super::files::{Sender, from_thread};
use super::{ObjectError, ObjectKey, Objects, failed, identity, is_unfinished, remove_file, s3};
use crate::seam::ObjectAction;

/// Entries that come at once.
const BATCH: usize = 1_000;

/// Batches that are read ahead.
const BATCHES_AHEAD: usize = 4;

/// Something that lies in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name: the key of an object, or whatever somebody else called it.
    pub name: String,
    /// Its length; `None` for what is no file.
    pub size_bytes: Option<u64>,
}

/// What the name of an object tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    /// The replica that it was written for.
    pub replica: ReplicaId,
    /// The key that it was written under.
    pub key: ObjectKey,
    /// Whether it is an upload that was not finished.
    pub unfinished: bool,
}

/// Characters after the prefix of a replica's id.
const STEM_CHARS: usize = 25;

impl EntryName {
    /// Reads a name of the form that this service gives to objects; `None` for every other one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (key, unfinished) = match name.rsplit_once('#') {
            Some((key, _)) if is_unfinished(name) => (key, true),
            Some(_) => return None,
            None => (name, false),
        };
        let (replica, write) = key.rsplit_once('.')?;
        let stem = replica.strip_prefix("r-")?;
        let is_stem =
            stem.len() == STEM_CHARS && stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let is_number = write.parse::<u32>().is_ok_and(|number| number > 0 && number.to_string() == write);
        (is_stem && is_number).then(|| Self {
            replica: ReplicaId::trusted(replica),
            key: ObjectKey::trusted(key),
            unfinished,
        })
    }
}

impl Objects {
    /// Everything in the store, in no order, unfinished uploads included, the marker not.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn entries(&self) -> Result<BoxStream<'_, Result<Vec<Entry>, ObjectError>>, ObjectError> {
        self.meet(ObjectAction::List, "").await?;
        let batches = match self.folder().cloned() {
            Some(folder) => read_folder(folder),
            None => self
                .store()?
                .list(None)
                .map_ok(|object| Entry { name: object.location.to_string(), size_bytes: Some(object.size) })
                .map_err(ObjectError::writing)
                .try_chunks(BATCH)
                .map_err(|error| error.1)
                .chain(unfinished(self.uploads()?))
                .boxed(),
        };
        Ok(batches
            .map_ok(|mut batch| {
                batch.retain(|entry| !identity::is_marker(&entry.name));
                batch
            })
            .boxed())
    }

    /// The length of what has this name; `None` if the store is there and does not have it.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn length(&self, name: &str) -> Result<Option<u64>, ObjectError> {
        self.meet(ObjectAction::Read, name).await?;
        if let (Some(uploads), Some(EntryName { unfinished: true, key, .. })) =
            (self.uploads()?, EntryName::parse(name))
        {
            return Ok(uploads.is_any(key.as_str()).await?.then_some(0));
        }
        let found = if let Some(folder) = self.folder() {
            match tokio::fs::symlink_metadata(folder.join(name)).await {
                Ok(found) => Ok(found.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ObjectError::NotFound),
                Err(error) => Err(failed(error)),
            }
        } else {
            let path = ObjectKey::trusted(name).path();
            self.store()?.head(&path).await.map(|object| object.size).map_err(ObjectError::from)
        };
        match found {
            Ok(length) => Ok(Some(length)),
            Err(ObjectError::NotFound) => self.verify().await.map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Erases one entry: an object with what its upload left, or only what an unfinished upload left.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn erase_entry(&self, name: &str) -> Result<(), ObjectError> {
        let Some(EntryName { unfinished, key, .. }) = EntryName::parse(name) else { return Ok(()) };
        if !unfinished {
            return self.erase(&key).await;
        }
        self.meet(ObjectAction::Erase, name).await?;
        match (self.folder(), self.uploads()?) {
            (Some(folder), _) => remove_file(folder.join(name)).await,
            (None, Some(uploads)) => uploads.abort(key.as_str()).await.map(drop),
            // A store that has no such things.
            (None, None) => Ok(()),
        }
    }
}

/// What uploads left that were never ended, under the names that a folder has for them.
fn unfinished(uploads: Option<&s3::Uploads>) -> impl Stream<Item = Result<Vec<Entry>, ObjectError>> {
    stream::iter(uploads).then(async |uploads| {
        let mut names = uploads.names().await?;
        names.dedup();
        let entry = |name| Entry { name: format!("{name}#1"), size_bytes: Some(0) };
        Ok(names.into_iter().map(entry).collect())
    })
}

/// Reads a folder on a thread of its own, as far ahead as it is listened to.
fn read_folder(folder: PathBuf) -> BoxStream<'static, Result<Vec<Entry>, ObjectError>> {
    from_thread(BATCHES_AHEAD, move |batches| send_folder(&folder, batches))
}

fn send_folder(folder: &Path, batches: &Sender<Vec<Entry>>) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let size_bytes = match entry.metadata() {
            Ok(found) => found.is_file().then_some(found.len()),
            // It went while the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        batch.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), size_bytes });
        if batch.len() == BATCH && batches.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
            return Ok(());
        }
    }
    // Nobody listens any more if this fails.
    drop(batches.blocking_send(Ok(batch)));
    Ok(())
}

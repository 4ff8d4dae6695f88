//! Bytes: the stores of regions, and the buckets that images are imported from.

mod delivery;
mod entries;
mod identity;
mod places;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use calotype_core::ids::ReplicaId;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, WriteMultipart};

use crate::seam::{Effect, MaybeSeam, ObjectAction, Step, meet};

pub use entries::{Entry, EntryName};
pub use identity::MARKER;
pub use places::{Bucket, Places, is_bucket_name};

/// The key of an object in a region's store. Made by the server from ids, never from a request, and
/// never used twice: a late erase cannot hit new bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The key of the `write`th time that a replica is written, from 1.
    #[must_use]
    pub fn fresh(replica: &ReplicaId, write: u32) -> Self {
        Self(format!("{replica}.{write}"))
    }

    /// A key that this service wrote, from a row.
    #[must_use]
    pub fn trusted(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn path(&self) -> ObjectPath {
        ObjectPath::from(self.0.as_str())
    }
}

/// Where a store keeps its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    File(PathBuf),
    /// The memory of this process.
    Memory,
}

/// The text is not a location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place for objects is file:PATH or memory:")]
pub struct NotALocation;

impl std::str::FromStr for Location {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<Self, NotALocation> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("memory", "")) => Ok(Self::Memory),
            _ => Err(NotALocation),
        }
    }
}

/// A store of objects, of a region or a bucket.
#[derive(Clone)]
pub struct Objects {
    /// Opened when it is used first: a folder need not be there before.
    store: Arc<OnceLock<Arc<dyn ObjectStore>>>,
    folder: Option<PathBuf>,
    /// What the store must be marked with; see [`MARKER`].
    token: Option<Arc<str>>,
    place: Arc<str>,
    seam: MaybeSeam,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            Some(folder) => write!(f, "Folder({})", folder.display()),
            None => f.write_str("Memory"),
        }
    }
}

/// Whether the answer to a step is lost.
#[derive(Clone, Copy, Debug)]
struct Lost(bool);

impl Lost {
    fn or<T>(self, answer: T) -> Result<T, ObjectError> {
        if self.0 { Err(away()) } else { Ok(answer) }
    }
}

fn away() -> ObjectError {
    ObjectError::Failed(object_store::Error::Generic { store: "seam", source: "injected".into() })
}

/// A store refused or failed. The source may name paths: for logs only.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The store did not do it now; it may later.
    #[error("the store of objects failed")]
    Failed(#[source] object_store::Error),
    /// What is there now is not the store; it may be back later.
    #[error("the store of the region is away: it has no marker; is its disk mounted?")]
    Unmarked,
    /// What is there now is another store.
    #[error("the store of the region is away: what is there is marked as another one")]
    Foreign,
}

impl ObjectError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NotFound => false,
            Self::Failed(_) | Self::Unmarked | Self::Foreign => true,
        }
    }
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            Self::NotFound
        } else {
            Self::Failed(error)
        }
    }
}

impl Objects {
    /// Opens a region's store; a folder that does not exist is made.
    ///
    /// # Errors
    /// [`ObjectError::Failed`] if the folder cannot be made or read.
    pub fn open(location: &Location) -> Result<Self, ObjectError> {
        let objects = Self::at(location);
        objects.make()?;
        Ok(objects)
    }

    /// A region's store, which need not be there: each call finds out.
    #[must_use]
    pub fn at(location: &Location) -> Self {
        match location {
            Location::Memory => Self::over(Some(Arc::new(InMemory::new())), None),
            Location::File(folder) => Self::over(None, Some(folder.clone())),
        }
    }

    /// Makes the folder, if it does not exist, and opens it.
    ///
    /// # Errors
    /// [`ObjectError::Failed`] if that cannot be done.
    pub fn make(&self) -> Result<(), ObjectError> {
        if let Some(folder) = &self.folder {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        self.store().map(drop)
    }

    /// Opens a folder that must exist.
    ///
    /// # Errors
    /// [`ObjectError::Failed`] if it does not.
    pub fn open_existing(folder: &Path) -> Result<Self, ObjectError> {
        let objects = Self::over(None, Some(folder.to_owned()));
        objects.store()?;
        Ok(objects)
    }

    fn over(store: Option<Arc<dyn ObjectStore>>, folder: Option<PathBuf>) -> Self {
        let store = Arc::new(store.map_or_else(OnceLock::new, OnceLock::from));
        Self { store, folder, token: None, place: Arc::from(""), seam: None }
    }

    fn store(&self) -> Result<&dyn ObjectStore, ObjectError> {
        if let (None, Some(folder)) = (self.store.get(), &self.folder) {
            // Written objects are synced, so that a row never says more than the disk has.
            let opened: Arc<dyn ObjectStore> =
                Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true));
            self.store.get_or_init(|| opened);
        }
        self.store.get().map(AsRef::as_ref).ok_or_else(away)
    }

    /// The same store behind a seam, under the name that the seam hears.
    #[must_use]
    pub fn behind(&self, place: &str, seam: MaybeSeam) -> Self {
        Self { place: Arc::from(place), seam, ..self.clone() }
    }

    /// Asks the seam before something is done to an object; tells whether the answer will be lost, or
    /// nothing if it is not to be done although it succeeds.
    async fn meet(&self, action: ObjectAction, key: &str) -> Result<Option<Lost>, ObjectError> {
        match meet(&self.seam, Step::Object { place: &self.place, action, key }).await {
            Effect::Go | Effect::Early | Effect::Instead(_) => Ok(Some(Lost(false))),
            Effect::AnswerLost => Ok(Some(Lost(true))),
            Effect::Nothing => Ok(None),
            Effect::Unavailable | Effect::Corrupt => Err(away()),
        }
    }

    /// Opens an object of a bucket for reading, whole.
    ///
    /// # Errors
    /// [`ObjectError`]; a key that no store can hold is not found.
    pub async fn get(&self, object: &str) -> Result<GetResult, ObjectError> {
        self.meet(ObjectAction::Read, object).await?;
        let path = ObjectPath::parse(object).map_err(|_| ObjectError::NotFound)?;
        if let Some(folder) = &self.folder {
            // Such names are uploads that are not finished, which the store does not show.
            if is_unfinished(object) {
                return Err(ObjectError::NotFound);
            }
            // To open a pipe would wait for somebody to write into it.
            let found = tokio::fs::metadata(folder.join(path.as_ref())).await;
            if found.is_ok_and(|found| !found.is_file()) {
                return Err(ObjectError::NotFound);
            }
        }
        Ok(self.store()?.get(&path).await?)
    }

    /// Opens a replica's bytes for reading, whole.
    ///
    /// # Errors
    /// [`ObjectError`]; what is not found is not there although the store is.
    pub async fn open_replica(&self, key: &ObjectKey) -> Result<GetResult, ObjectError> {
        self.meet(ObjectAction::Read, &key.0).await?;
        match self.store()?.get(&key.path()).await.map_err(ObjectError::from) {
            Err(ObjectError::NotFound) => {
                self.verify().await?;
                Err(ObjectError::NotFound)
            }
            found => found,
        }
    }

    /// Reads a range of a replica's bytes.
    ///
    /// # Errors
    /// [`ObjectError`], also if the range is not within the object.
    pub async fn read_range(
        &self,
        key: &ObjectKey,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes, ObjectError> {
        self.meet(ObjectAction::Read, &key.0).await?;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        Ok(self.store()?.get_opts(&key.path(), options).await?.bytes().await?)
    }

    pub(crate) async fn upload(&self, key: &ObjectKey, part_bytes: usize) -> Result<Upload, ObjectError> {
        self.meet(ObjectAction::Write, &key.0).await?;
        self.verify().await?;
        let upload = self.store()?.put_multipart(&key.path()).await?;
        let parts = WriteMultipart::new_with_chunk_size(upload, part_bytes);
        Ok(Upload { objects: self.clone(), key: key.clone(), parts })
    }

    /// Erases an object and what an interrupted upload of it left; one that is not there is erased
    /// already.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn erase(&self, key: &ObjectKey) -> Result<(), ObjectError> {
        let Some(lost) = self.meet(ObjectAction::Erase, &key.0).await? else { return Ok(()) };
        match self.store()?.delete(&key.path()).await.map_err(ObjectError::from) {
            Ok(()) | Err(ObjectError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if let Some(folder) = &self.folder {
            // The store writes KEY#1 and renames it at the end; a killed process leaves it, and the
            // store hides it from every listing.
            remove_file(folder.join(format!("{}#1", key.0))).await?;
        }
        lost.or(())
    }

    /// Makes erasures durable, where the store does not do so by itself, and makes sure that it was the
    /// right store that did not have what was erased already.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn sync(&self) -> Result<(), ObjectError> {
        self.meet(ObjectAction::Sync, "").await?;
        if let Some(folder) = self.folder.clone() {
            let synced = tokio::task::spawn_blocking(move || std::fs::File::open(folder)?.sync_all()).await;
            synced.map_err(|source| object_store::Error::JoinError { source })?.map_err(failed)?;
        }
        self.verify().await
    }

    /// Counts the objects of a store and their bytes.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn measure(&self) -> Result<(u64, u64), ObjectError> {
        self.meet(ObjectAction::List, "").await?;
        let sum = self.store()?.list(None).try_fold((0, 0), |(count, bytes), object| async move {
            let counts = !identity::is_marker(object.location.as_ref());
            Ok(if counts { (count + 1, bytes + object.size) } else { (count, bytes) })
        });
        Ok(sum.await?)
    }
}

/// Removes a file; one that is not there is removed already.
async fn remove_file(path: PathBuf) -> Result<(), ObjectError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(source: std::io::Error) -> ObjectError {
    ObjectError::Failed(object_store::Error::Generic { store: "folder", source: source.into() })
}

/// An object that is being written, part by part.
pub(crate) struct Upload {
    objects: Objects,
    key: ObjectKey,
    parts: WriteMultipart,
}

impl Upload {
    /// Writes more bytes, as soon as no more than `parts_max` parts are on the way.
    pub(crate) async fn put(&mut self, bytes: bytes::Bytes, parts_max: usize) -> Result<(), ObjectError> {
        self.parts.wait_for_capacity(parts_max).await?;
        self.parts.put(bytes);
        Ok(())
    }

    /// Ends the object: it is there, whole, from now on.
    pub(crate) async fn finish(self) -> Result<(), ObjectError> {
        let Some(lost) = self.objects.meet(ObjectAction::Finish, &self.key.0).await? else { return Ok(()) };
        self.parts.finish().await?;
        // What was written beside the store would be gone when it is back.
        self.objects.verify().await?;
        lost.or(())
    }

    /// Gives the object up. What is left of it is erased with its key.
    pub(crate) async fn abort(self) {
        drop(self.parts.abort().await);
    }
}

/// Tells whether a name ends in `#` and digits.
fn is_unfinished(name: &str) -> bool {
    let suffix = name.rsplit_once('#').map(|(_, suffix)| suffix);
    suffix.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

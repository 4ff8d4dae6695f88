//! Bytes: the stores of regions, and the buckets that images are imported from.

mod entries;
mod erasing;
mod error;
mod files;
mod identity;
mod location;
mod parts;
mod places;
mod s3;
mod upload;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use calotype_core::ids::ReplicaId;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt as _};

use crate::seam::{Effect, MaybeSeam, ObjectAction, Step, meet};

pub use entries::{Entry, EntryName};
pub use error::ObjectError;
pub use identity::MARKER;
pub use location::{Location, NotALocation, S3Key, S3Location, S3Settings};
pub use places::{Bucket, Places, is_bucket_name};

pub(crate) use upload::Upload;

use erasing::remove_file;
use error::{away, failed};
use parts::Parts;

/// Bytes that are written at once where a store has no wish of its own.
const PART_BYTES: usize = 4 << 20;

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

/// A store of objects, of a region or a bucket.
#[derive(Clone)]
pub struct Objects {
    location: Location,
    /// Opened when it is used first: a folder need not be there before.
    opened: Arc<OnceLock<Opened>>,
    /// What the store must be marked with; see [`MARKER`].
    token: Option<Arc<str>>,
    place: Arc<str>,
    seam: MaybeSeam,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)
    }
}

/// What a store is used through.
struct Opened {
    store: Arc<dyn ObjectStore>,
    /// Where uploads that were never ended lie, if not among the objects.
    uploads: Option<s3::Uploads>,
}

impl Opened {
    fn at(location: &Location) -> Result<Self, ObjectError> {
        let store: Arc<dyn ObjectStore> = match location {
            Location::Memory => Arc::new(InMemory::new()),
            // Written objects are synced, so that a row never says more than the disk has.
            Location::File(folder) => Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)),
            Location::S3(location) => {
                let (store, uploads) = s3::open(location)?;
                return Ok(Self { store, uploads: Some(uploads) });
            }
        };
        Ok(Self { store, uploads: None })
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
        let opened = Arc::new(OnceLock::new());
        Self { location: location.clone(), opened, token: None, place: Arc::from(""), seam: None }
    }

    /// Makes the folder, if it does not exist, and opens it. A bucket of an S3 store is not made.
    ///
    /// # Errors
    /// [`ObjectError::Failed`] if that cannot be done.
    pub fn make(&self) -> Result<(), ObjectError> {
        if let Some(folder) = self.folder() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        self.opened().map(drop)
    }

    /// Opens a folder that must exist.
    ///
    /// # Errors
    /// [`ObjectError::Failed`] if it does not.
    pub fn open_existing(folder: &Path) -> Result<Self, ObjectError> {
        let objects = Self::at(&Location::File(folder.to_owned()));
        objects.opened()?;
        Ok(objects)
    }

    fn folder(&self) -> Option<&PathBuf> {
        match &self.location {
            Location::File(folder) => Some(folder),
            Location::Memory | Location::S3(_) => None,
        }
    }

    fn opened(&self) -> Result<&Opened, ObjectError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = Opened::at(&self.location)?;
        Ok(self.opened.get_or_init(|| opened))
    }

    fn store(&self) -> Result<&dyn ObjectStore, ObjectError> {
        Ok(&*self.opened()?.store)
    }

    /// The uploads that were never ended, if the store has such.
    fn uploads(&self) -> Result<Option<&s3::Uploads>, ObjectError> {
        Ok(self.opened()?.uploads.as_ref())
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
        if path.is_root() {
            // An S3 store would take this for a question about the bucket.
            return Err(ObjectError::NotFound);
        }
        if let Some(folder) = self.folder() {
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
        sum.await.map_err(ObjectError::writing)
    }
}

/// The bytes of an object, as they are read. To ask again after the end does no harm.
pub(crate) fn pieces(found: GetResult) -> BoxStream<'static, Result<bytes::Bytes, ObjectError>> {
    match found.payload {
        GetResultPayload::File(file, _) => files::read(file, found.range),
        GetResultPayload::Stream(stream) => stream.map_err(ObjectError::from).fuse().boxed(),
    }
}

/// Tells whether a name ends in `#` and digits.
fn is_unfinished(name: &str) -> bool {
    let suffix = name.rsplit_once('#').map(|(_, suffix)| suffix);
    suffix.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

//! Bytes: the stores of regions, and the buckets that images are imported from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use calotype_core::ids::{RegionId, ReplicaId};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt};

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
    store: Arc<dyn ObjectStore>,
    folder: Option<PathBuf>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store)
    }
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
        match location {
            Location::Memory => Ok(Self { store: Arc::new(InMemory::new()), folder: None }),
            Location::File(folder) => {
                std::fs::create_dir_all(folder).map_err(|source| object_store::Error::Generic {
                    store: "folder",
                    source: source.into(),
                })?;
                Self::open_existing(folder)
            }
        }
    }

    /// Opens a folder that must exist.
    ///
    /// # Errors
    /// [`ObjectError::Failed`] if it does not.
    pub fn open_existing(folder: &Path) -> Result<Self, ObjectError> {
        // Written objects are synced, so that a row never says more than the disk has.
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: Some(folder.to_owned()) })
    }

    /// Opens an object of a bucket for reading, whole.
    ///
    /// # Errors
    /// [`ObjectError`]; a key that no store can hold is not found.
    pub async fn get(&self, object: &str) -> Result<GetResult, ObjectError> {
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
        Ok(self.store.get(&path).await?)
    }

    /// Opens a replica's bytes for reading, whole.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn open_replica(&self, key: &ObjectKey) -> Result<GetResult, ObjectError> {
        Ok(self.store.get(&key.path()).await?)
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
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        Ok(self.store.get_opts(&key.path(), options).await?.bytes().await?)
    }

    pub(crate) async fn upload(
        &self,
        key: &ObjectKey,
        part_bytes: usize,
    ) -> Result<object_store::WriteMultipart, ObjectError> {
        let upload = self.store.put_multipart(&key.path()).await?;
        Ok(object_store::WriteMultipart::new_with_chunk_size(upload, part_bytes))
    }

    /// Erases an object and what an interrupted upload of it left; one that is not there is erased
    /// already.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn erase(&self, key: &ObjectKey) -> Result<(), ObjectError> {
        match self.store.delete(&key.path()).await.map_err(ObjectError::from) {
            Ok(()) | Err(ObjectError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if let Some(folder) = &self.folder {
            // The store writes KEY#1 and renames it at the end; a killed process leaves it, and the
            // store hides it from every listing.
            match tokio::fs::remove_file(folder.join(format!("{}#1", key.0))).await {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    let source = object_store::Error::Generic { store: "folder", source: source.into() };
                    return Err(ObjectError::Failed(source));
                }
            }
        }
        Ok(())
    }

    /// Makes erasures durable, where the store does not do so by itself.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn sync(&self) -> Result<(), ObjectError> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let synced = tokio::task::spawn_blocking(move || std::fs::File::open(folder)?.sync_all()).await;
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(ObjectError::Failed(object_store::Error::Generic {
                store: "folder",
                source: source.into(),
            })),
            Err(source) => Err(ObjectError::Failed(object_store::Error::JoinError { source })),
        }
    }

    /// Counts the objects of a store and their bytes.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn measure(&self) -> Result<(u64, u64), ObjectError> {
        let sum = self
            .store
            .list(None)
            .try_fold((0, 0), |(count, bytes), object| async move { Ok((count + 1, bytes + object.size)) });
        Ok(sum.await?)
    }
}

/// The stores of every region, and the buckets.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The store of each region.
    pub regions: BTreeMap<RegionId, Objects>,
    /// The named buckets.
    pub buckets: BTreeMap<String, Bucket>,
    /// A folder whose every folder is a bucket too.
    pub bucket_root: Option<PathBuf>,
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The region it says it is in.
    pub region: Option<RegionId>,
    /// Its objects.
    pub objects: Objects,
}

impl Places {
    /// The store of a region.
    #[must_use]
    pub fn region(&self, id: &RegionId) -> Option<&Objects> {
        self.regions.get(id)
    }

    /// The bucket of this name.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Option<Bucket> {
        if let Some(bucket) = self.buckets.get(name) {
            return Some(bucket.clone());
        }
        if !is_bucket_name(name) {
            return None;
        }
        let folder = self.bucket_root.as_ref()?.join(name);
        let objects = folder.is_dir().then(|| Objects::open_existing(&folder).ok())??;
        Some(Bucket { region: None, objects })
    }
}

/// Bucket names are 3 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter
/// or digit, so that none can name another folder.
#[must_use]
pub fn is_bucket_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Tells whether a name ends in `#` and digits.
fn is_unfinished(name: &str) -> bool {
    let suffix = name.rsplit_once('#').map(|(_, suffix)| suffix);
    suffix.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

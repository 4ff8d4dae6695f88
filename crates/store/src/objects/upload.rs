//! Objects that are written: others see them whole or not at all.

use object_store::ObjectStoreExt as _;
use object_store::path::Path as ObjectPath;

use super::files::{self, NewFile};
use super::{Location, ObjectError, ObjectKey, Objects, PART_BYTES, Parts, failed, remove_file, s3};
use crate::seam::ObjectAction;

/// The attempt that an upload to a region's store is: keys are never used again, so that it is the only one.
pub(super) const UPLOAD: u32 = 1;

/// An object that is being written.
pub(crate) struct Upload {
    objects: Objects,
    name: String,
    writing: Writing,
}

enum Writing {
    File(NewFile),
    Parts(Parts),
}

impl Objects {
    /// Begins to write an object of so many bytes.
    pub(crate) async fn upload(&self, key: &ObjectKey, size_bytes: u64) -> Result<Upload, ObjectError> {
        self.meet(ObjectAction::Write, &key.0).await?;
        self.verify().await?;
        self.begin(&key.path(), size_bytes, UPLOAD).await
    }

    /// Begins to write an object of a bucket that has so many bytes. In a folder it is written under a name of this
    /// attempt's own first: what an attempt writes that was given up never gets into another one's bytes.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub(crate) async fn deliver(
        &self,
        object: &str,
        size_bytes: u64,
        attempt: u32,
    ) -> Result<Upload, ObjectError> {
        self.meet(ObjectAction::Write, object).await?;
        let path = ObjectPath::parse(object).map_err(|_| ObjectError::NotFound)?;
        if let Some(folder) = self.folder() {
            // A bucket that is away must not be made anew where its disk is mounted otherwise.
            tokio::fs::metadata(folder).await.map_err(failed)?;
            if let Some(parent) = folder.join(path.as_ref()).parent() {
                tokio::fs::create_dir_all(parent).await.map_err(failed)?;
            }
        }
        self.begin(&path, size_bytes, attempt).await
    }

    async fn begin(&self, path: &ObjectPath, size_bytes: u64, attempt: u32) -> Result<Upload, ObjectError> {
        let writing = if let Some(folder) = self.folder() {
            Writing::File(NewFile::create(folder, path.as_ref(), attempt).await.map_err(failed)?)
        } else {
            let part_bytes = match &self.location {
                Location::S3(_) => usize::try_from(s3::part_bytes(size_bytes)).unwrap_or(usize::MAX),
                Location::File(_) | Location::Memory => PART_BYTES,
            };
            let upload = self.store()?.put_multipart(path).await.map_err(ObjectError::writing)?;
            Writing::Parts(Parts::new(upload, part_bytes))
        };
        Ok(Upload { objects: self.clone(), name: path.to_string(), writing })
    }

    /// Removes what an attempt at an object left that did not end. The object itself stays.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn forget_delivery(&self, object: &str, attempt: u32) -> Result<(), ObjectError> {
        match (self.folder(), ObjectPath::parse(object)) {
            (Some(folder), Ok(path)) => {
                remove_file(files::unfinished(&folder.join(path.as_ref()), attempt)).await
            }
            // An S3 store shows uploads of others under the same name, and forgets all of them by a rule of its
            // own.
            (Some(_), Err(_)) | (None, _) => Ok(()),
        }
    }
}

impl Upload {
    /// Writes more bytes, as soon as there is room for them.
    pub(crate) async fn put(&mut self, bytes: bytes::Bytes) -> Result<(), ObjectError> {
        match &mut self.writing {
            Writing::File(file) => file.put(bytes).await.map_err(failed),
            Writing::Parts(parts) => parts.put(bytes).await,
        }
    }

    /// Ends the object: it is there, whole and durable, from now on.
    pub(crate) async fn finish(self) -> Result<(), ObjectError> {
        let Some(lost) = self.objects.meet(ObjectAction::Finish, &self.name).await? else { return Ok(()) };
        match self.writing {
            Writing::File(file) => file.finish().await.map_err(failed)?,
            Writing::Parts(parts) => parts.finish().await?,
        }
        // What was written beside the store would be gone when it is back.
        self.objects.verify().await?;
        lost.or(())
    }

    /// Gives the object up. What is left of it is erased with its key.
    pub(crate) async fn abort(self) {
        match self.writing {
            Writing::File(file) => file.abort().await,
            Writing::Parts(parts) => parts.abort().await,
        }
    }
}

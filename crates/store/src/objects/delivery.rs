//! Objects that are written to buckets: other programs see them whole or not at all.

use std::path::{Path, PathBuf};

use object_store::path::Path as ObjectPath;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::{ObjectError, Objects, PART_BYTES, Parts, failed, remove_file};
use crate::seam::ObjectAction;

/// An object of a bucket that is being written.
pub(crate) struct Delivery {
    bucket: Objects,
    object: String,
    writing: Writing,
}

enum Writing {
    /// A file beside the one that it becomes, under a name that no listing shows.
    File { file: BufWriter<File>, unfinished: Unfinished, finished: PathBuf },
    /// Parts that the store keeps apart until it is told to put them together.
    Parts(Parts),
}

/// A file that goes with whoever is writing it, until it has got its name.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    async fn remove(mut self) {
        if let Some(path) = self.0.take() {
            drop(remove_file(path).await);
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(path), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            drop(runtime.spawn_blocking(move || std::fs::remove_file(path)));
        }
    }
}

impl Objects {
    /// Begins to write an object of a bucket that has so many bytes. In a folder it is written beside its place first,
    /// under a name of this attempt's own: what an attempt writes that was given up never gets into another one's
    /// bytes.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub(crate) async fn deliver(
        &self,
        object: &str,
        size_bytes: u64,
        attempt: u32,
    ) -> Result<Delivery, ObjectError> {
        self.meet(ObjectAction::Write, object).await?;
        let path = ObjectPath::parse(object).map_err(|_| ObjectError::NotFound)?;
        let writing = if let Some(folder) = self.folder() {
            // A bucket that is away must not be made anew where its disk is mounted otherwise.
            fs::metadata(folder).await.map_err(failed)?;
            let finished = folder.join(path.as_ref());
            let unfinished = Unfinished(Some(unfinished(&finished, attempt)));
            if let Some(parent) = finished.parent() {
                fs::create_dir_all(parent).await.map_err(failed)?;
            }
            let file = File::create(unfinished.path()).await.map_err(failed)?;
            Writing::File { file: BufWriter::with_capacity(PART_BYTES, file), unfinished, finished }
        } else {
            Writing::Parts(self.parts(&path, size_bytes).await?)
        };
        Ok(Delivery { bucket: self.clone(), object: object.to_owned(), writing })
    }

    /// Removes what an attempt at an object left that did not end. The object itself stays.
    ///
    /// # Errors
    /// [`ObjectError::Failed`].
    pub async fn forget_delivery(&self, object: &str, attempt: u32) -> Result<(), ObjectError> {
        match (self.folder(), ObjectPath::parse(object)) {
            (Some(folder), Ok(path)) => remove_file(unfinished(&folder.join(path.as_ref()), attempt)).await,
            // An S3 store shows uploads of others under the same name, and forgets all of them by a rule of its
            // own.
            (Some(_), Err(_)) | (None, _) => Ok(()),
        }
    }
}

/// Names that end in `#` and digits are hidden from every reader of a bucket.
fn unfinished(finished: &Path, attempt: u32) -> PathBuf {
    let mut name = finished.as_os_str().to_owned();
    name.push(format!("#{attempt}"));
    name.into()
}

impl Delivery {
    /// Writes more bytes.
    pub(crate) async fn put(&mut self, bytes: bytes::Bytes) -> Result<(), ObjectError> {
        match &mut self.writing {
            Writing::File { file, .. } => file.write_all(&bytes).await.map_err(failed),
            Writing::Parts(parts) => parts.put(bytes).await,
        }
    }

    /// Ends the object: it is there, whole and durable, from now on.
    pub(crate) async fn finish(self) -> Result<(), ObjectError> {
        let Some(lost) = self.bucket.meet(ObjectAction::Finish, &self.object).await? else { return Ok(()) };
        match self.writing {
            Writing::File { mut file, mut unfinished, finished } => {
                let renamed = async {
                    file.flush().await?;
                    file.get_ref().sync_all().await?;
                    fs::rename(unfinished.path(), &finished).await?;
                    unfinished.0 = None;
                    sync_folders(self.bucket.folder(), &finished).await
                };
                if let Err(error) = renamed.await {
                    unfinished.remove().await;
                    return Err(failed(error));
                }
            }
            Writing::Parts(parts) => parts.finish().await?,
        }
        lost.or(())
    }

    /// Gives the object up.
    pub(crate) async fn abort(self) {
        match self.writing {
            Writing::File { file, unfinished, .. } => {
                drop(file);
                unfinished.remove().await;
            }
            Writing::Parts(parts) => parts.abort().await,
        }
    }
}

/// Makes the names on the way to a file durable, from the inside out.
async fn sync_folders(bucket: Option<&PathBuf>, file: &Path) -> std::io::Result<()> {
    for folder in file.ancestors().skip(1) {
        File::open(folder).await?.sync_all().await?;
        if Some(folder) == bucket.map(PathBuf::as_path) {
            break;
        }
    }
    Ok(())
}

//! Objects that go, one by one or many in one call, for good.

use std::io;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use tokio::task::spawn_blocking;

use super::upload::UPLOAD;
use super::{Location, ObjectError, ObjectKey, Objects, failed, files, s3};
use crate::seam::ObjectAction;

/// Files that a thread removes, and threads that do so at once.
const REMOVALS_OF_THREAD: usize = 16;
const REMOVING_THREADS: usize = 16;

/// Erasures in one call, where a call takes several: what S3 allows.
const ERASURES_OF_CALL_MAX: usize = 1_000;

impl Objects {
    /// Erases an object and what an interrupted upload of it left; one that is not there is erased
    /// already.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn erase(&self, key: &ObjectKey) -> Result<(), ObjectError> {
        let Some(lost) = self.meet(ObjectAction::Erase, &key.0).await? else { return Ok(()) };
        let store = self.store()?;
        if let Some(folder) = self.folder() {
            let removed = remove_files(folder, vec![key.clone()]).await;
            removed.into_iter().collect::<Result<(), _>>()?;
            return lost.or(());
        }
        match store.delete(&key.path()).await.map_err(ObjectError::from) {
            Ok(()) | Err(ObjectError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if let Some(uploads) = self.uploads()? {
            uploads.abort(&key.0).await?;
        }
        lost.or(())
    }

    /// Erases objects, in as few calls as the store allows. The results stand in the order of the keys. What
    /// an interrupted upload left is erased where that costs no call; whoever writes again erases all of it.
    pub async fn erase_all(&self, keys: &[ObjectKey]) -> Vec<Result<(), ObjectError>> {
        if matches!(self.location, Location::Memory) {
            return stream::iter(keys).then(|key| self.erase(key)).collect().await;
        }
        let mut results = Vec::with_capacity(keys.len());
        for keys in keys.chunks(ERASURES_OF_CALL_MAX) {
            results.extend(self.erase_at_once(keys).await);
        }
        results
    }

    /// Erases objects in one call.
    async fn erase_at_once(&self, keys: &[ObjectKey]) -> Vec<Result<(), ObjectError>> {
        let (mut met, mut taken) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        for key in keys {
            met.push(self.meet(ObjectAction::Erase, &key.0).await);
            if let Some(Ok(Some(_))) = met.last() {
                taken.push(key.clone());
            }
        }
        let mut answers = self.erase_taken(taken).await.into_iter();
        let mut results = Vec::with_capacity(keys.len());
        for met in met {
            results.push(match met {
                Ok(Some(lost)) => match answers.next() {
                    Some(answer) => answer.and_then(|()| lost.or(())),
                    // Of a call that failed as a whole the first one tells why.
                    None => Err(s3::failed("the call that erases several objects failed")),
                },
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            });
        }
        results
    }

    /// The answers, in the order of the keys; fewer of them if the call failed as a whole.
    async fn erase_taken(&self, keys: Vec<ObjectKey>) -> Vec<Result<(), ObjectError>> {
        // A folder that was never there is none whose files are gone.
        let Ok(store) = self.store() else { return Vec::new() };
        if let Some(folder) = self.folder() {
            return remove_files(folder, keys).await;
        }
        let paths: Vec<_> = keys.iter().map(|key| Ok(key.path())).collect();
        let answers = store.delete_stream(stream::iter(paths).boxed());
        answers.map(|answer| answer.map(drop).map_err(ObjectError::writing)).collect().await
    }

    /// Makes erasures durable, where the store does not do so by itself, and makes sure that it was the
    /// right store that did not have what was erased already.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn sync(&self) -> Result<(), ObjectError> {
        self.meet(ObjectAction::Sync, "").await?;
        if let Some(folder) = self.folder().cloned() {
            let synced = spawn_blocking(move || std::fs::File::open(folder)?.sync_all()).await;
            synced.map_err(|source| object_store::Error::JoinError { source })?.map_err(failed)?;
        }
        self.verify().await
    }
}

/// Removes objects with what their uploads left; the results stand in the order of the keys. Several threads do
/// it, because each removal waits for the disk now and then; each has several to do, because handing one over costs as
/// much as removing it.
async fn remove_files(folder: &Path, keys: Vec<ObjectKey>) -> Vec<Result<(), ObjectError>> {
    let shares: Vec<_> = keys.chunks(REMOVALS_OF_THREAD).map(|keys| remove_share(folder, keys)).collect();
    stream::iter(shares).buffered(REMOVING_THREADS).concat().await
}

fn remove_share(
    folder: &Path,
    keys: &[ObjectKey],
) -> impl Future<Output = Vec<Result<(), ObjectError>>> + use<> {
    let paths: Vec<_> = keys.iter().map(|key| folder.join(&key.0)).collect();
    let one = |path: &PathBuf| {
        remove(path)?;
        // A killed process leaves the file that becomes the object, which every listing hides.
        remove(&files::unfinished(path, UPLOAD))
    };
    async move {
        let count = paths.len();
        let removing = spawn_blocking(move || paths.iter().map(one).collect::<Vec<_>>());
        let ended = |_| (0..count).map(|_| Err(io::Error::other("the thread has ended"))).collect();
        removing.await.unwrap_or_else(ended).into_iter().map(|one| one.map_err(failed)).collect()
    }
}

/// Removes a file; one that is not there is removed already.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes a file beside the threads that serve requests; one that is not there is removed already.
pub(super) async fn remove_file(path: PathBuf) -> Result<(), ObjectError> {
    let removed = spawn_blocking(move || remove(&path)).await;
    removed.map_err(|source| object_store::Error::JoinError { source })?.map_err(failed)
}

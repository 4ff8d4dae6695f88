//! Objects that go, one by one or many in one call, for good.

use std::path::PathBuf;

use futures::{StreamExt as _, stream};
use object_store::ObjectStoreExt as _;

use super::{Location, ObjectError, ObjectKey, Objects, failed, s3};
use crate::seam::ObjectAction;

/// Erasures that are on the way to one store at once, where each is a call of its own.
const ERASURES_MAX: usize = 16;

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
        match self.store()?.delete(&key.path()).await.map_err(ObjectError::from) {
            Ok(()) | Err(ObjectError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if let Some(folder) = self.folder() {
            // The store writes KEY#1 and renames it at the end; a killed process leaves it, and the
            // store hides it from every listing.
            remove_file(folder.join(format!("{}#1", key.0))).await?;
        }
        if let Some(uploads) = self.uploads()? {
            uploads.abort(&key.0).await?;
        }
        lost.or(())
    }

    /// Erases objects, in as few calls as the store allows. The results stand in the order of the keys. What
    /// an interrupted upload left is erased where that costs no call; whoever writes again erases all of it.
    pub async fn erase_all(&self, keys: &[ObjectKey]) -> Vec<Result<(), ObjectError>> {
        if !matches!(self.location, Location::S3(_)) {
            let erasures: Vec<_> = keys.iter().map(|key| self.erase(key)).collect();
            return stream::iter(erasures).buffered(ERASURES_MAX).collect().await;
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
                taken.push(Ok(key.path()));
            }
        }
        let mut answers = match self.store() {
            Ok(store) => store.delete_stream(stream::iter(taken).boxed()),
            Err(_) => stream::empty().boxed(),
        };
        let mut results = Vec::with_capacity(keys.len());
        for met in met {
            results.push(match met {
                Ok(Some(lost)) => match answers.next().await {
                    Some(answer) => answer.map_err(ObjectError::writing).and_then(|_| lost.or(())),
                    // Of a call that failed as a whole the first one tells why.
                    None => Err(s3::failed("the call that erases several objects failed")),
                },
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            });
        }
        results
    }

    /// Makes erasures durable, where the store does not do so by itself, and makes sure that it was the
    /// right store that did not have what was erased already.
    ///
    /// # Errors
    /// [`ObjectError`], never [`ObjectError::NotFound`].
    pub async fn sync(&self) -> Result<(), ObjectError> {
        self.meet(ObjectAction::Sync, "").await?;
        if let Some(folder) = self.folder().cloned() {
            let synced = tokio::task::spawn_blocking(move || std::fs::File::open(folder)?.sync_all()).await;
            synced.map_err(|source| object_store::Error::JoinError { source })?.map_err(failed)?;
        }
        self.verify().await
    }
}

/// Removes a file; one that is not there is removed already.
pub(super) async fn remove_file(path: PathBuf) -> Result<(), ObjectError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

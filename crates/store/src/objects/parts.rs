//! Uploads in parts: bounded in memory, and given up by whoever drops them.

use bytes::Bytes;
use object_store::{MultipartUpload, WriteMultipart};
use tokio::runtime::Handle;

use super::ObjectError;

/// Parts of one upload that are on the way at once; one more is being filled.
const PARTS_MAX: usize = 2;

/// An object that is being written, part by part. The store keeps the parts of one that never ends, so
/// they are thrown away if this is dropped.
pub(super) struct Parts(Option<WriteMultipart>);

impl Parts {
    pub(super) fn new(upload: Box<dyn MultipartUpload>, part_bytes: usize) -> Self {
        Self(Some(WriteMultipart::new_with_chunk_size(upload, part_bytes)))
    }

    /// Writes more bytes, as soon as there is room for them.
    pub(super) async fn put(&mut self, bytes: Bytes) -> Result<(), ObjectError> {
        let Some(parts) = &mut self.0 else { return Ok(()) };
        parts.wait_for_capacity(PARTS_MAX).await.map_err(ObjectError::writing)?;
        parts.put(bytes);
        Ok(())
    }

    /// Puts the parts together: the object is there, whole, from now on.
    pub(super) async fn finish(mut self) -> Result<(), ObjectError> {
        match self.0.take() {
            Some(parts) => parts.finish().await.map(drop).map_err(ObjectError::writing),
            None => Ok(()),
        }
    }

    /// Throws the parts away.
    pub(super) async fn abort(mut self) {
        if let Some(parts) = self.0.take() {
            drop(parts.abort().await);
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let (Some(parts), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(parts.abort());
        }
    }
}

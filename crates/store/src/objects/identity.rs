//! The marker that tells a region's store from an empty folder where its disk is not mounted, from a bucket that
//! was made anew, and from every other store.
//!
//! What is not found counts as erased. Without the marker an empty mount point would count as a region whose
//! every byte is erased, and the bytes would come back with the disk.

use std::sync::Arc;

use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStoreExt as _};

use super::{Location, ObjectError, Objects};
use crate::seam::ObjectAction;

/// The name of the marker among the objects. It is none of them: no listing shows it.
pub const MARKER: &str = "calotype-store";

/// More than a marker has.
const MARKER_BYTES_MAX: u64 = 512;

const EXPLANATION: &str = "Calotype knows its store of this region by this file. Leave it here.";

/// Tells whether this is the marker, or what an interrupted attempt to write it left.
pub(super) fn is_marker(name: &str) -> bool {
    name.strip_prefix(MARKER).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

impl Objects {
    /// Whether one store can be taken for another. The memory of a process cannot.
    #[must_use]
    pub fn needs_marker(&self) -> bool {
        !matches!(self.location, Location::Memory)
    }

    /// The same store, which from now on must be marked with this token.
    #[must_use]
    pub fn marked(&self, token: &str) -> Self {
        Self { token: Some(Arc::from(token)), ..self.clone() }
    }

    /// Makes sure that this is the store that it was, with one small read.
    ///
    /// # Errors
    /// [`ObjectError::Unmarked`], [`ObjectError::Foreign`] or [`ObjectError::Failed`].
    pub async fn verify(&self) -> Result<(), ObjectError> {
        let Some(token) = &self.token else { return Ok(()) };
        match self.read_marker().await? {
            Some(found) if found == **token => Ok(()),
            Some(_) => Err(ObjectError::Foreign),
            None => Err(ObjectError::Unmarked),
        }
    }

    /// Marks a store that has no marker, and makes sure that the marker is the one it must have.
    ///
    /// # Errors
    /// [`ObjectError::Foreign`] if it had another one, [`ObjectError::Failed`].
    pub(crate) async fn mark(&self) -> Result<(), ObjectError> {
        if let (Some(token), None) = (&self.token, self.read_marker().await?) {
            let content = format!("{token}\n{EXPLANATION}\n");
            let put = self.store()?.put(&ObjectPath::from(MARKER), content.into()).await;
            put.map_err(ObjectError::writing)?;
        }
        self.verify().await
    }

    /// The first line of the marker.
    async fn read_marker(&self) -> Result<Option<String>, ObjectError> {
        self.meet(ObjectAction::Read, MARKER).await?;
        let range = Some(GetRange::Bounded(0..MARKER_BYTES_MAX));
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.store()?.get_opts(&ObjectPath::from(MARKER), options).await;
        match found.map_err(ObjectError::from) {
            Ok(found) => {
                let content = found.bytes().await?;
                let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
                Ok(Some(String::from_utf8_lossy(line).into_owned()))
            }
            Err(ObjectError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

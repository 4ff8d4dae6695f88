//! Why a store did not do what it was asked for.

use object_store::Error;

/// A store refused or failed. The source may name paths: for logs only.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The store did not do it now; it may later.
    #[error("the store of objects failed")]
    Failed(#[source] Error),
    /// The store does not let this key do it; it may when the operator has seen to it.
    #[error("the store of objects refused the access key, or what it may do")]
    Denied(#[source] Error),
    /// What is there now is not the store; it may be back later.
    #[error("the store of the region is away: it has no marker; is its disk mounted, is its bucket there?")]
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
            Self::Failed(_) | Self::Denied(_) | Self::Unmarked | Self::Foreign => true,
        }
    }

    /// A call failed that needs no object to be there: what was not found is the place of the objects.
    pub(super) fn writing(error: Error) -> Self {
        if let Error::NotFound { source, .. } = error { nowhere(source) } else { error.into() }
    }
}

impl From<Error> for ObjectError {
    fn from(error: Error) -> Self {
        if let Error::NotFound { source, .. } = error {
            // Where the whole bucket is gone, nothing is known of the object.
            if source.to_string().contains("NoSuchBucket") { nowhere(source) } else { Self::NotFound }
        } else if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) {
            Self::Denied(error)
        } else {
            Self::Failed(error)
        }
    }
}

fn nowhere(source: Box<dyn std::error::Error + Send + Sync>) -> ObjectError {
    ObjectError::Failed(Error::Generic { store: "objects", source })
}

/// A step that a seam does not let happen.
pub(super) fn away() -> ObjectError {
    ObjectError::Failed(Error::Generic { store: "seam", source: "injected".into() })
}

pub(super) fn failed(source: std::io::Error) -> ObjectError {
    ObjectError::Failed(Error::Generic { store: "folder", source: source.into() })
}

//! The one way out for bytes: from a region's store to an object of a bucket, hashed on the way.
//!
//! The object appears under its name when all its bytes are written and are the ones that were recorded, and not
//! before. Memory does not grow with the size of an image. Nothing here writes a row.

use futures::TryStreamExt as _;
use futures::future::join;

use crate::ingest::{Progress, Seen};
use crate::objects::{self, ObjectError, Objects};
use crate::replicas::Origin;

/// Why an object was not written.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// No region has the bytes now.
    #[error("no region has the bytes")]
    NoBytes,
    /// The region that has the bytes is not configured.
    #[error("the region that has the bytes is not configured")]
    NoRegion,
    /// The bucket is not configured, or its folder is away.
    #[error("there is no such bucket")]
    NoBucket,
    /// The bytes in the region are not the ones that were recorded.
    #[error("the bytes are not the ones that were recorded")]
    Damaged,
    /// The region's store did not do its part now.
    #[error("the read of the image failed")]
    Source(#[source] ObjectError),
    /// The bucket did not do its part now.
    #[error("the write to the bucket failed")]
    Bucket(#[source] ObjectError),
    /// No byte has moved for too long.
    #[error("the bytes stopped coming")]
    Stalled,
}

impl DeliveryError {
    /// Whether another attempt can end better.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Damaged => false,
            // What is missing may be mounted or repaired.
            Self::NoBytes
            | Self::NoRegion
            | Self::NoBucket
            | Self::Source(_)
            | Self::Bucket(_)
            | Self::Stalled => true,
        }
    }
}

/// Writes an image's bytes to an object of a bucket. `attempt` is a number that no other attempt at this object
/// ever has.
///
/// # Errors
/// [`DeliveryError`]; then what lies under the name of the object is what lay there before.
pub async fn deliver(
    region: &Objects,
    origin: &Origin,
    bucket: &Objects,
    object: &str,
    attempt: u32,
    progress: &Progress,
) -> Result<(), DeliveryError> {
    let source = region.open_replica(&origin.key).await.map_err(DeliveryError::Source)?;
    let size_bytes = origin.bytes.size_bytes;
    let mut delivery = bucket.deliver(object, size_bytes, attempt).await.map_err(DeliveryError::Bucket)?;
    let copied = async {
        let (mut parts, mut seen) = (objects::pieces(source), Seen::default());
        while let Some(part) = parts.try_next().await.map_err(DeliveryError::Source)? {
            progress.set(seen.bytes + part.len() as u64);
            let (hashed, put) = join(seen.take(part.clone()), delivery.put(part)).await;
            put.map_err(DeliveryError::Bucket)?;
            hashed.map_err(DeliveryError::Source)?;
        }
        let is_right = seen.bytes == size_bytes && seen.sha256() == origin.bytes.sha256;
        if is_right { Ok(()) } else { Err(DeliveryError::Damaged) }
    };
    match copied.await {
        Ok(()) => delivery.finish().await.map_err(DeliveryError::Bucket),
        Err(error) => {
            delivery.abort().await;
            Err(error)
        }
    }
}

//! The one way in for bytes: streamed, checked, hashed once, written under a fresh key.
//!
//! Memory does not grow with the size of an image. Nothing here writes a row.

use std::sync::atomic::{AtomicU64, Ordering};

use calotype_core::image::Stage;
use calotype_core::qcow2::{self, Header};
use calotype_core::replica::Bytes;
use futures::future::join;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use ring::digest::{Context, SHA256};

use crate::objects::{self, ObjectError, ObjectKey, Objects, Upload};

/// The largest object that is taken, in bytes.
pub const OBJECT_BYTES_MAX: u64 = 4 << 40;

/// Bytes in a GiB.
const GIB: u64 = 1 << 30;

/// Bytes that take long enough to hash that it is done on a thread of its own.
const HASHED_BESIDE_BYTES: usize = 128 << 10;

/// How many bytes have gone through, for whoever wants to show it.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// The bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// Why a replica could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The bytes will never do; the text says why, without paths or content.
    #[error("{0}")]
    Refused(String),
    /// A store did not do its part now.
    #[error("the {} failed", if *.0 == Stage::Uploading { "write to the store" } else { "read of the source" })]
    Failed(Stage, #[source] ObjectError),
    /// No byte has moved for too long.
    #[error("the bytes stopped coming")]
    Stalled,
}

impl FillError {
    /// The stage that failed.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Refused(_) | Self::Stalled => Stage::Packing,
            Self::Failed(stage, _) => *stage,
        }
    }

    /// Whether another attempt can end better.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Failed(_, error) => error.is_passing(),
            Self::Stalled => true,
        }
    }

    fn reading(error: impl Into<ObjectError>) -> Self {
        Self::Failed(Stage::Packing, error.into())
    }

    fn writing(error: impl Into<ObjectError>) -> Self {
        Self::Failed(Stage::Uploading, error.into())
    }
}

impl From<qcow2::Refusal> for FillError {
    fn from(refusal: qcow2::Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

/// Takes an object that nobody has checked: its header before a byte is written, its tables on the
/// copy, which nobody else can change.
///
/// # Errors
/// [`FillError`]; then nothing that counts was written under `key`, but something may lie there.
pub async fn import(
    bucket: &Objects,
    object: &str,
    target: &Objects,
    key: &ObjectKey,
    progress: &Progress,
) -> Result<Bytes, FillError> {
    let source = match bucket.get(object).await {
        Ok(source) => source,
        Err(ObjectError::NotFound) => return Err(FillError::Refused("the object does not exist".to_owned())),
        Err(error) => return Err(FillError::reading(error)),
    };
    let size_bytes = source.meta.size;
    if size_bytes > OBJECT_BYTES_MAX {
        return Err(FillError::Refused(format!("the object is larger than {OBJECT_BYTES_MAX} bytes")));
    }
    let mut parts = objects::pieces(source).map_err(FillError::reading);
    let prefix = read_prefix(&mut parts).await?;
    let header = Header::parse(&prefix)?;
    header.check_length(size_bytes)?;
    let all = stream::once(async { Ok(bytes::Bytes::from(prefix)) }).chain(parts);
    let sha256 = write(all, size_bytes, target, key, progress).await?;
    check_tables(&header, size_bytes, target, key).await?;
    Ok(Bytes { size_bytes, sha256, virtual_size_bytes: header.virtual_size_bytes() })
}

/// Copies a replica's bytes, and makes sure that they are the ones that were recorded.
///
/// # Errors
/// [`FillError`], as [`import`].
pub async fn copy(
    origin: &Objects,
    origin_key: &ObjectKey,
    expected: &Bytes,
    target: &Objects,
    key: &ObjectKey,
    progress: &Progress,
) -> Result<Bytes, FillError> {
    let source = origin.open_replica(origin_key).await.map_err(FillError::reading)?;
    let parts = objects::pieces(source).map_err(FillError::reading);
    let sha256 = write(parts, expected.size_bytes, target, key, progress).await?;
    if sha256 != expected.sha256 {
        return Err(FillError::Refused("the source's bytes are not the ones that were recorded".to_owned()));
    }
    Ok(expected.clone())
}

/// Reads a replica's bytes: how many there are, and their SHA-256.
///
/// # Errors
/// [`ObjectError`].
pub async fn digest(
    objects: &Objects,
    key: &ObjectKey,
    progress: &Progress,
) -> Result<(u64, String), ObjectError> {
    let mut parts = objects::pieces(objects.open_replica(key).await?);
    let mut seen = Seen::default();
    while let Some(part) = parts.next().await {
        let part = part?;
        progress.0.fetch_add(part.len() as u64, Ordering::Relaxed);
        seen.take(part).await?;
    }
    Ok((seen.bytes, seen.sha256()))
}

/// Makes an empty disk.
///
/// # Errors
/// [`FillError::Failed`].
pub async fn blank(size_gib: u64, target: &Objects, key: &ObjectKey) -> Result<Bytes, FillError> {
    let virtual_size_bytes = size_gib.saturating_mul(GIB);
    let whole = bytes::Bytes::from(qcow2::minimal(virtual_size_bytes));
    let size_bytes = whole.len() as u64;
    let sha256 = write(stream::iter([Ok(whole)]), size_bytes, target, key, &Progress::default()).await?;
    Ok(Bytes { size_bytes, sha256, virtual_size_bytes })
}

/// Reads until the header can be judged, or the object ends.
async fn read_prefix(
    parts: &mut (impl Stream<Item = Result<bytes::Bytes, FillError>> + Unpin),
) -> Result<Vec<u8>, FillError> {
    let mut prefix = Vec::new();
    while prefix.len() < qcow2::HEADER_BYTES {
        match parts.next().await {
            Some(part) => prefix.extend_from_slice(&part?),
            None => break,
        }
    }
    Ok(prefix)
}

/// Streams parts to the store and gives their SHA-256 in lower-case hexadecimal digits.
async fn write(
    parts: impl Stream<Item = Result<bytes::Bytes, FillError>>,
    size_bytes: u64,
    target: &Objects,
    key: &ObjectKey,
    progress: &Progress,
) -> Result<String, FillError> {
    let mut upload = target.upload(key, size_bytes).await.map_err(FillError::writing)?;
    match pump(parts, size_bytes, &mut upload, progress).await {
        Ok(sha256) => {
            upload.finish().await.map_err(FillError::writing)?;
            Ok(sha256)
        }
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

async fn pump(
    parts: impl Stream<Item = Result<bytes::Bytes, FillError>>,
    size_bytes: u64,
    upload: &mut Upload,
    progress: &Progress,
) -> Result<String, FillError> {
    let mut seen = Seen::default();
    let mut parts = std::pin::pin!(parts);
    while let Some(part) = parts.next().await {
        let part = part?;
        progress.set(seen.bytes + part.len() as u64);
        // The part is hashed while the one before it is written.
        let (hashed, put) = join(seen.take(part.clone()), upload.put(part)).await;
        put.map_err(FillError::writing)?;
        hashed.map_err(FillError::reading)?;
    }
    let seen_bytes = seen.bytes;
    if seen_bytes != size_bytes {
        return Err(FillError::Refused(format!(
            "the source gave {seen_bytes} bytes where {size_bytes} were announced"
        )));
    }
    Ok(seen.sha256())
}

/// What has gone through.
pub(crate) struct Seen {
    /// How many bytes.
    pub(crate) bytes: u64,
    digest: Context,
}

impl Default for Seen {
    fn default() -> Self {
        Self { bytes: 0, digest: Context::new(&SHA256) }
    }
}

impl Seen {
    /// Takes the next bytes; many of them on another thread than those that serve requests.
    pub(crate) async fn take(&mut self, bytes: bytes::Bytes) -> Result<(), ObjectError> {
        self.bytes += bytes.len() as u64;
        if bytes.len() < HASHED_BESIDE_BYTES {
            self.digest.update(&bytes);
            return Ok(());
        }
        let mut digest = self.digest.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            digest.update(&bytes);
            digest
        });
        self.digest = hashing.await.map_err(|source| object_store::Error::JoinError { source })?;
        Ok(())
    }

    /// Their SHA-256 in lower-case hexadecimal digits.
    pub(crate) fn sha256(self) -> String {
        hex(self.digest.finish().as_ref())
    }
}

/// Checks that every table and cluster that the image names lies within it, table by table.
async fn check_tables(
    header: &Header,
    size_bytes: u64,
    target: &Objects,
    key: &ObjectKey,
) -> Result<(), FillError> {
    let refcounts = target.read_range(key, header.refcount_range()).await.map_err(FillError::writing)?;
    header.check_refcounts(&refcounts, size_bytes)?;
    let l1 = target.read_range(key, header.l1_range()).await.map_err(FillError::writing)?;
    for offset in header.l2_offsets(&l1, size_bytes)? {
        let l2 = target.read_range(key, header.l2_range(offset)).await.map_err(FillError::writing)?;
        header.check_l2(&l2, size_bytes)?;
    }
    Ok(())
}

/// Bytes in lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

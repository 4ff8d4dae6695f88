//! The reasons to refuse a file.

use std::fmt;

use super::Format;

/// Why a file is refused, in the order in which it is checked.
///
/// [`Refusal::Encrypted`] and [`Refusal::DataFile`] are looked for a second time among the header
/// extensions. The text never repeats what the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file does not begin like a qcow2 file.
    #[error("declared qcow2, detected {detected}")]
    NotQcow2 {
        /// What it begins like.
        detected: Format,
    },
    /// The file ends within the header or its extensions.
    #[error("the qcow2 header is cut off")]
    TruncatedHeader,
    /// The version is neither 2 nor 3.
    #[error("the qcow2 version is neither 2 nor 3")]
    UnknownVersion,
    /// The header names a backing file, or leaves room for its name.
    #[error("the image names a backing file")]
    BackingFile,
    /// The guest data is encrypted.
    #[error("the image is encrypted")]
    Encrypted,
    /// The guest data is in another file.
    #[error("the image keeps its data in an external file")]
    DataFile,
    /// A writer has marked the file as damaged.
    #[error("the image is marked as corrupt")]
    Corrupt,
    /// An incompatible feature is in use that is not dirty, compression type or extended L2.
    #[error("the image needs a feature that is not known here")]
    UnknownFeature,
    /// The cluster size is not 512 bytes to 2 MiB, or is below 16 KiB with extended L2 entries.
    #[error("the cluster size is out of range")]
    ClusterSize,
    /// The header is shorter than its version needs, not a multiple of 8, or longer than its cluster.
    #[error("the header length is not valid")]
    HeaderLength,
    /// The compression is neither zlib nor zstd, or the field and the feature bit disagree.
    #[error("the compression type is not valid")]
    CompressionType,
    /// Reference counts are wider than 64 bits.
    #[error("the refcount width is out of range")]
    RefcountWidth,
    /// The header cluster bears the signature of another format as well.
    #[error("detected qcow2 and {also} in one file")]
    Ambiguous {
        /// The other format.
        also: Format,
    },
    /// A header extension is shorter than its kind needs, or reaches beyond what is looked at.
    #[error("a header extension has a length that is not valid")]
    ExtensionLength,
    /// There are more than [`super::EXTENSIONS_MAX`] header extensions.
    #[error("there are too many header extensions")]
    TooManyExtensions,
    /// The virtual disk is empty or larger than [`super::VIRTUAL_SIZE_BYTES_MAX`].
    #[error("the virtual size is out of range")]
    VirtualSize,
    /// The level 1 table is larger than [`super::L1_BYTES_MAX`].
    #[error("the level 1 table is too large")]
    L1TooLarge,
    /// The level 1 table does not cover the virtual disk.
    #[error("the level 1 table is too small for the virtual size")]
    L1TooSmall,
    /// The refcount table is empty or larger than [`super::REFCOUNT_TABLE_BYTES_MAX`].
    #[error("the refcount table size is out of range")]
    RefcountTableSize,
    /// There are more than [`super::SNAPSHOTS_MAX`] internal snapshots.
    #[error("there are too many internal snapshots")]
    TooManySnapshots,
    /// A reserved bit is set, or two bits contradict each other.
    #[error("an entry for a {part} has reserved bits set")]
    ReservedBits {
        /// What the entry is for.
        part: Part,
    },
    /// An offset is zero, not at a cluster boundary, or beyond what the format can address.
    #[error("a {part} is not at a cluster boundary")]
    Misplaced {
        /// What lies there.
        part: Part,
    },
    /// Two things lie in the same place, one of them a table.
    #[error("a {part} overlaps the header or a table")]
    Overlap {
        /// The one that was looked at when it was noticed.
        part: Part,
    },
    /// The file ends before this, or within it.
    #[error("the file ends before the end of a {part}")]
    Truncated {
        /// What is missing.
        part: Part,
    },
}

/// A thing that has a place in a qcow2 file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The table of level 2 tables.
    L1Table,
    /// The table of refcount blocks.
    RefcountTable,
    /// The directory of internal snapshots.
    SnapshotTable,
    /// The directory of persistent bitmaps.
    BitmapDirectory,
    /// A cluster of reference counts.
    RefcountBlock,
    /// A cluster of references to guest data.
    L2Table,
    /// A cluster of guest data, compressed or not.
    DataCluster,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L1Table => "level 1 table",
            Self::RefcountTable => "refcount table",
            Self::SnapshotTable => "snapshot table",
            Self::BitmapDirectory => "bitmap directory",
            Self::RefcountBlock => "refcount block",
            Self::L2Table => "level 2 table",
            Self::DataCluster => "data cluster",
        })
    }
}

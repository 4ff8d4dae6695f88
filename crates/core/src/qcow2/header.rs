//! Parses the header: one ladder of refusals, in the order of [`Refusal`].

use std::ops::Range;

use super::extensions::{self, Bitmaps};
use super::tables::overlap;
use super::{
    Format, HEADER_BYTES, Header, L1_BYTES_MAX, Part, REFCOUNT_TABLE_BYTES_MAX, Refusal, SNAPSHOTS_MAX,
    VIRTUAL_SIZE_BYTES_MAX, u32_at, u64_at,
};

/// Length of a version 2 header; it has no field that says so.
const V2_BYTES: usize = 72;
/// Length of the shortest version 3 header.
const V3_BYTES: usize = 104;
/// The field behind the shortest version 3 header.
const COMPRESSION_TYPE_AT: usize = 104;

const CLUSTER_BITS_MIN: u32 = 9;
const CLUSTER_BITS_MIN_EXTENDED: u32 = 14;
const CLUSTER_BITS_MAX: u32 = 21;
const REFCOUNT_ORDER_MAX: u32 = 6;
/// The least that one entry of the snapshot table takes.
const SNAPSHOT_BYTES_MIN: u64 = 40;
/// Tables address 56 bits of a file, so nothing of use lies beyond. Also keeps the arithmetic in range.
const OFFSET_MAX: u64 = 1 << 56;

// Incompatible features. Dirty means that refcounts may be stale, which matters to writers only.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;
const KNOWN: u64 = DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2;

// Auto-clear features. A writer that does not know the others clears them, so they bind no reader.
const CONSISTENT_BITMAPS: u64 = 1;
const RAW_DATA_FILE: u64 = 1 << 1;

impl Header {
    /// Parses the header of a file that was declared to be qcow2.
    ///
    /// `prefix` is the first [`HEADER_BYTES`] of the file, or all of a shorter file.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies, from [`Refusal::NotQcow2`] to [`Refusal::Overlap`], save
    /// [`Refusal::ReservedBits`].
    ///
    /// Source: design.md section 6.
    pub fn parse(prefix: &[u8]) -> Result<Self, Refusal> {
        let prefix = prefix.get(..HEADER_BYTES).unwrap_or(prefix);
        let detected = Format::detect(prefix);
        if detected != Format::Qcow2 {
            return Err(Refusal::NotQcow2 { detected });
        }
        let fields = Fields::read(prefix)?;
        fields.check_references()?;
        fields.check_shape()?;
        let bitmaps = fields.check_header_cluster(prefix)?;
        fields.check_sizes()?;
        fields.into_header(&bitmaps)
    }
}

/// The fields of a header as they stand in the file; what version 2 lacks has the value it stands for.
struct Fields {
    version: u32,
    backing_file_offset: u64,
    backing_file_bytes: u32,
    cluster_bits: u32,
    virtual_size_bytes: u64,
    crypt_method: u32,
    l1_entries: u32,
    l1_offset: u64,
    refcount_offset: u64,
    refcount_clusters: u32,
    snapshots: u32,
    snapshots_offset: u64,
    incompatible: u64,
    auto_clear: u64,
    refcount_order: u32,
    header_bytes: usize,
    compression_type: u8,
}

impl Fields {
    fn read(prefix: &[u8]) -> Result<Self, Refusal> {
        let version = u32_at(prefix, 4).ok_or(Refusal::TruncatedHeader)?;
        let v3 = match version {
            2 => false,
            3 => true,
            _ => return Err(Refusal::UnknownVersion),
        };
        Self::read_version(prefix, version, v3).ok_or(Refusal::TruncatedHeader)
    }

    /// `None` where the bytes end before the fields do.
    fn read_version(prefix: &[u8], version: u32, v3: bool) -> Option<Self> {
        let header_bytes = if v3 { u32_at(prefix, 100)? as usize } else { V2_BYTES };
        let has_compression_type = v3 && header_bytes > V3_BYTES;
        Some(Self {
            version,
            backing_file_offset: u64_at(prefix, 8)?,
            backing_file_bytes: u32_at(prefix, 16)?,
            cluster_bits: u32_at(prefix, 20)?,
            virtual_size_bytes: u64_at(prefix, 24)?,
            crypt_method: u32_at(prefix, 32)?,
            l1_entries: u32_at(prefix, 36)?,
            l1_offset: u64_at(prefix, 40)?,
            refcount_offset: u64_at(prefix, 48)?,
            refcount_clusters: u32_at(prefix, 56)?,
            snapshots: u32_at(prefix, 60)?,
            snapshots_offset: u64_at(prefix, 64)?,
            incompatible: if v3 { u64_at(prefix, 72)? } else { 0 },
            auto_clear: if v3 { u64_at(prefix, 88)? } else { 0 },
            refcount_order: if v3 { u32_at(prefix, 96)? } else { 4 },
            header_bytes,
            compression_type: if has_compression_type { *prefix.get(COMPRESSION_TYPE_AT)? } else { 0 },
        })
    }

    /// Refuses what would lead a reader out of the file, or into the dark.
    fn check_references(&self) -> Result<(), Refusal> {
        if self.backing_file_offset != 0 || self.backing_file_bytes != 0 {
            return Err(Refusal::BackingFile);
        }
        if self.crypt_method != 0 {
            return Err(Refusal::Encrypted);
        }
        if self.incompatible & DATA_FILE != 0 || self.auto_clear & RAW_DATA_FILE != 0 {
            return Err(Refusal::DataFile);
        }
        if self.incompatible & CORRUPT != 0 {
            return Err(Refusal::Corrupt);
        }
        if self.incompatible & !KNOWN != 0 {
            return Err(Refusal::UnknownFeature);
        }
        Ok(())
    }

    /// Refuses what makes the rest of the file impossible to read; after this, sizes can be computed.
    fn check_shape(&self) -> Result<(), Refusal> {
        let bits_min = if self.extended_l2() { CLUSTER_BITS_MIN_EXTENDED } else { CLUSTER_BITS_MIN };
        if !(bits_min..=CLUSTER_BITS_MAX).contains(&self.cluster_bits) {
            return Err(Refusal::ClusterSize);
        }
        let shortest = if self.version == 2 { V2_BYTES } else { V3_BYTES };
        let fits = (shortest..=self.extensions_end()).contains(&self.header_bytes);
        if !fits || !self.header_bytes.is_multiple_of(8) {
            return Err(Refusal::HeaderLength);
        }
        let zstd = self.incompatible & COMPRESSION_TYPE != 0;
        if self.compression_type != u8::from(zstd) {
            return Err(Refusal::CompressionType);
        }
        if self.refcount_order > REFCOUNT_ORDER_MAX {
            return Err(Refusal::RefcountWidth);
        }
        Ok(())
    }

    /// Checks the rest of the header cluster; gives the bitmap directories that a reader may rely on.
    fn check_header_cluster(&self, prefix: &[u8]) -> Result<Vec<Bitmaps>, Refusal> {
        let end = self.extensions_end();
        // Only the header cluster: behind it there may be guest data, which may look like anything.
        if let Some(also) = Format::besides_qcow2(prefix.get(..end).unwrap_or(prefix)) {
            return Err(Refusal::Ambiguous { also });
        }
        let end_of_cluster = end as u64 == self.cluster_bytes();
        let bitmaps = extensions::read(prefix, self.header_bytes..end, end_of_cluster)?;
        let consistent = self.auto_clear & CONSISTENT_BITMAPS != 0;
        Ok(if consistent { bitmaps } else { Vec::new() })
    }

    fn check_sizes(&self) -> Result<(), Refusal> {
        if self.virtual_size_bytes == 0 || self.virtual_size_bytes > VIRTUAL_SIZE_BYTES_MAX {
            return Err(Refusal::VirtualSize);
        }
        let entry_bytes = if self.extended_l2() { 16 } else { 8 };
        let l2_covers_bytes = self.cluster_bytes() / entry_bytes * self.cluster_bytes();
        if self.l1_bytes() > L1_BYTES_MAX {
            return Err(Refusal::L1TooLarge);
        }
        if u64::from(self.l1_entries) < self.virtual_size_bytes.div_ceil(l2_covers_bytes) {
            return Err(Refusal::L1TooSmall);
        }
        if self.refcount_clusters == 0 || self.refcount_bytes() > REFCOUNT_TABLE_BYTES_MAX {
            return Err(Refusal::RefcountTableSize);
        }
        if self.snapshots > SNAPSHOTS_MAX {
            return Err(Refusal::TooManySnapshots);
        }
        Ok(())
    }

    /// Places every table; an offset can only be judged once all sizes are in bounds.
    fn into_header(self, bitmaps: &[Bitmaps]) -> Result<Header, Refusal> {
        let mut directories = Vec::new();
        if self.snapshots != 0 {
            let bytes = u64::from(self.snapshots) * SNAPSHOT_BYTES_MIN;
            let part = Part::SnapshotTable;
            directories.push((part, self.place(part, self.snapshots_offset, bytes)?));
        }
        for Bitmaps { offset, size_bytes } in bitmaps {
            let part = Part::BitmapDirectory;
            directories.push((part, self.place(part, *offset, *size_bytes)?));
        }
        let header = Header {
            version: self.version,
            virtual_size_bytes: self.virtual_size_bytes,
            cluster_bits: self.cluster_bits,
            extended_l2: self.extended_l2(),
            snapshots: self.snapshots,
            l1: self.place(Part::L1Table, self.l1_offset, self.l1_bytes())?,
            refcounts: self.place(Part::RefcountTable, self.refcount_offset, self.refcount_bytes())?,
            directories,
        };
        let cluster_bytes = header.cluster_bytes();
        for (index, (part, range)) in header.tables().enumerate() {
            if header.tables().take(index).any(|(_, earlier)| overlap(range, earlier, cluster_bytes)) {
                return Err(Refusal::Overlap { part });
            }
        }
        Ok(header)
    }

    /// A table at a cluster boundary; never in the first cluster, which is the header's.
    fn place(&self, part: Part, offset: u64, bytes: u64) -> Result<Range<u64>, Refusal> {
        let end = offset.checked_add(bytes).filter(|end| *end <= OFFSET_MAX);
        match end {
            Some(end) if offset != 0 && offset.is_multiple_of(self.cluster_bytes()) => Ok(offset..end),
            _ => Err(Refusal::Misplaced { part }),
        }
    }

    fn extended_l2(&self) -> bool {
        self.incompatible & EXTENDED_L2 != 0
    }

    fn cluster_bytes(&self) -> u64 {
        1 << self.cluster_bits
    }

    fn l1_bytes(&self) -> u64 {
        u64::from(self.l1_entries) * 8
    }

    fn refcount_bytes(&self) -> u64 {
        u64::from(self.refcount_clusters) << self.cluster_bits
    }

    /// Where the header cluster ends, or what is looked at of it.
    fn extensions_end(&self) -> usize {
        HEADER_BYTES.min(1 << self.cluster_bits)
    }
}

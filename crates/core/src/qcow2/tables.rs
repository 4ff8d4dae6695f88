//! Checks what the header's tables lead to, one table at a time.

use std::ops::Range;

use super::{Header, Part, Refusal};

/// The offset in an entry of the level 1 and level 2 tables.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// "Referred to once": of use to writers, and without meaning for readers.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
/// "Reads as zeros", in version 3 without extended entries; reserved otherwise.
const ZERO: u64 = 1;
const SECTOR_BYTES: u64 = 512;

impl Header {
    /// Checks that every table the header names lies within a file of `file_bytes`.
    ///
    /// # Errors
    /// [`Refusal::Truncated`].
    pub fn check_length(&self, file_bytes: u64) -> Result<(), Refusal> {
        match self.tables().find(|(_, range)| range.end > file_bytes) {
            Some((part, _)) => Err(Refusal::Truncated { part }),
            None => Ok(()),
        }
    }

    /// Checks that every refcount block lies within the file.
    ///
    /// `table` is the bytes at [`Header::refcount_range`].
    ///
    /// # Errors
    /// [`Refusal::Truncated`], [`Refusal::ReservedBits`], [`Refusal::Misplaced`], [`Refusal::Overlap`].
    pub fn check_refcounts(&self, table: &[u8], file_bytes: u64) -> Result<(), Refusal> {
        let part = Part::RefcountBlock;
        for entry in entries(Part::RefcountTable, table, self.refcounts.end - self.refcounts.start)? {
            if entry % SECTOR_BYTES != 0 {
                return Err(Refusal::ReservedBits { part });
            }
            if entry != 0 {
                self.check_cluster(part, entry, self.cluster_bytes(), file_bytes)?;
            }
        }
        Ok(())
    }

    /// Lists where the level 2 tables start, in ascending order, each within the file.
    ///
    /// `l1` is the bytes at [`Header::l1_range`]. No table is listed twice, so reading them all reads no
    /// more than the file is long. The list takes at most twice the memory of `l1`.
    ///
    /// # Errors
    /// [`Refusal::Truncated`], [`Refusal::ReservedBits`], [`Refusal::Misplaced`], [`Refusal::Overlap`].
    pub fn l2_offsets(&self, l1: &[u8], file_bytes: u64) -> Result<Vec<u64>, Refusal> {
        let part = Part::L2Table;
        let mut offsets = Vec::new();
        for entry in entries(Part::L1Table, l1, self.l1.end - self.l1.start)? {
            if entry & !(OFFSET | COPIED) != 0 {
                return Err(Refusal::ReservedBits { part });
            }
            if entry != 0 {
                self.check_cluster(part, entry & OFFSET, self.cluster_bytes(), file_bytes)?;
                offsets.push(entry & OFFSET);
            }
        }
        offsets.sort_unstable();
        if !offsets.is_sorted_by(|earlier, later| earlier < later) {
            return Err(Refusal::Overlap { part });
        }
        Ok(offsets)
    }

    /// Checks that every data cluster of one level 2 table begins within the file.
    ///
    /// `l2` is the bytes at [`Header::l2_range`]. A file may end within its last data cluster, as QEMU's
    /// do; of a compressed cluster the last sector must begin within the file. No data may lie where the
    /// header or one of its tables is, for a guest that writes there rewrites them.
    ///
    /// # Errors
    /// [`Refusal::Truncated`], [`Refusal::ReservedBits`], [`Refusal::Misplaced`], [`Refusal::Overlap`].
    pub fn check_l2(&self, l2: &[u8], file_bytes: u64) -> Result<(), Refusal> {
        let mut words = entries(Part::L2Table, l2, self.cluster_bytes())?;
        while let Some(entry) = words.next() {
            let subclusters = if self.extended_l2 { words.next().unwrap_or(0) } else { 0 };
            if entry & COMPRESSED == 0 {
                self.check_standard(entry, subclusters, file_bytes)?;
            } else {
                self.check_compressed(entry, subclusters, file_bytes)?;
            }
        }
        Ok(())
    }

    fn check_standard(&self, entry: u64, subclusters: u64, file_bytes: u64) -> Result<(), Refusal> {
        let part = Part::DataCluster;
        let zero = if self.version == 2 || self.extended_l2 { 0 } else { ZERO };
        // The lower half says which subclusters are allocated, the upper half which read as zeros.
        let allocated = subclusters & u64::from(u32::MAX);
        if entry & !(OFFSET | COPIED | zero) != 0 || allocated & (subclusters >> 32) != 0 {
            return Err(Refusal::ReservedBits { part });
        }
        if entry & (OFFSET | COPIED) == 0 && allocated == 0 {
            return Ok(());
        }
        self.check_cluster(part, entry & OFFSET, 1, file_bytes)
    }

    fn check_compressed(&self, entry: u64, subclusters: u64, file_bytes: u64) -> Result<(), Refusal> {
        let part = Part::DataCluster;
        // The format's x: below it the offset in bytes, from it on the number of further sectors.
        let offset_bits = 70 - self.cluster_bits;
        let descriptor = entry & !(COMPRESSED | COPIED);
        let offset = descriptor & ((1 << offset_bits) - 1);
        if offset & !(OFFSET | (SECTOR_BYTES - 1)) != 0 || subclusters != 0 {
            return Err(Refusal::ReservedBits { part });
        }
        let last_sector = offset / SECTOR_BYTES + (descriptor >> offset_bits);
        let last_byte = offset.max(last_sector * SECTOR_BYTES);
        self.check_span(part, offset..last_byte + 1, file_bytes)
    }

    /// Checks a cluster of which the first `needed_bytes` must be in the file.
    fn check_cluster(&self, part: Part, at: u64, needed_bytes: u64, file_bytes: u64) -> Result<(), Refusal> {
        if at == 0 || !at.is_multiple_of(self.cluster_bytes()) {
            return Err(Refusal::Misplaced { part });
        }
        // A refcount block may claim to lie at the very end of all addresses, hence no plain sum.
        self.check_span(part, at..at.saturating_add(needed_bytes), file_bytes)
    }

    fn check_span(&self, part: Part, span: Range<u64>, file_bytes: u64) -> Result<(), Refusal> {
        let cluster_bytes = self.cluster_bytes();
        let in_header = span.start < cluster_bytes;
        if in_header || self.tables().any(|(_, table)| overlap(&span, table, cluster_bytes)) {
            return Err(Refusal::Overlap { part });
        }
        if span.end > file_bytes {
            return Err(Refusal::Truncated { part });
        }
        Ok(())
    }
}

/// Whether `span` touches a cluster of `table`, which is known to end far below the last address.
pub fn overlap(span: &Range<u64>, table: &Range<u64>, cluster_bytes: u64) -> bool {
    span.start < table.end.next_multiple_of(cluster_bytes) && table.start < span.end
}

/// The entries of a table, given all of its bytes and no more.
fn entries(part: Part, table: &[u8], bytes: u64) -> Result<impl Iterator<Item = u64>, Refusal> {
    if table.len() as u64 != bytes {
        return Err(Refusal::Truncated { part });
    }
    Ok(table.as_chunks().0.iter().map(|entry| u64::from_be_bytes(*entry)))
}

//! What is refused, what is accepted, and that nothing panics.

mod properties;
mod real_files;
mod refusals;
mod tables;

use std::ops::Range;

use super::{HEADER_BYTES, Header, Refusal, write};

/// All checks on a whole file, as a caller makes them.
fn inspect(file: &[u8]) -> Result<Header, Refusal> {
    let file_bytes = file.len() as u64;
    let header = Header::parse(&file[..file.len().min(HEADER_BYTES)])?;
    header.check_length(file_bytes)?;
    header.check_refcounts(slice(file, &header.refcount_range()), file_bytes)?;
    for offset in header.l2_offsets(slice(file, &header.l1_range()), file_bytes)? {
        header.check_l2(slice(file, &header.l2_range(offset)), file_bytes)?;
    }
    Ok(header)
}

fn slice<'a>(file: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let at = |offset: u64| usize::try_from(offset).unwrap();
    &file[at(range.start)..at(range.end)]
}

/// A valid file with clusters of `1 << cluster_bits` bytes, under two level 2 tables.
///
/// Clusters: 0 header, 1 refcount table, 2 refcount block, 3 level 1 table, 4 and 5 level 2 tables, then
/// three of data.
fn small(cluster_bits: u32) -> Vec<u8> {
    let l2_entries = (1 << cluster_bits) / 8;
    let virtual_size_bytes = (1 << cluster_bits) * l2_entries * 2;
    write::write(cluster_bits, virtual_size_bytes, &[(0, b"first"), (7, b"eighth"), (l2_entries, b"other")])
}

/// Sets bits of the big-endian word at `at`.
fn or(file: &mut [u8], at: usize, bits: u64) {
    for (byte, bit) in file[at..].iter_mut().zip(bits.to_be_bytes()) {
        *byte |= bit;
    }
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

//! Reads the header extensions.

use std::ops::Range;

use super::{EXTENSIONS_MAX, Refusal, u32_at, u64_at};

const END: u32 = 0;
const ENCRYPTION: u32 = 0x0537_be77;
const DATA_FILE: u32 = 0x4441_5441;
const BITMAPS: u32 = 0x2385_2875;

/// Length of the bitmaps extension: count, reserved, size and offset of the directory.
const BITMAPS_BYTES: usize = 24;

/// A bitmap directory as its extension gives it.
pub struct Bitmaps {
    pub offset: u64,
    pub size_bytes: u64,
}

/// Walks the extensions from the end of the header to the end mark, or else to `area.end`.
///
/// `end_of_cluster` says whether the header cluster ends there too: then the end mark may be missing.
/// Unknown kinds are skipped, as the format demands; so is the name of a backing file's format, which
/// means nothing without a backing file.
///
/// # Errors
/// [`Refusal::TruncatedHeader`], [`Refusal::DataFile`], [`Refusal::Encrypted`],
/// [`Refusal::ExtensionLength`], [`Refusal::TooManyExtensions`].
pub fn read(prefix: &[u8], area: Range<usize>, end_of_cluster: bool) -> Result<Vec<Bitmaps>, Refusal> {
    let mut bitmaps = Vec::new();
    let mut at = area.start;
    for _ in 0..EXTENSIONS_MAX {
        if at >= area.end {
            return if end_of_cluster { Ok(bitmaps) } else { Err(Refusal::ExtensionLength) };
        }
        let kind = u32_at(prefix, at).ok_or(Refusal::TruncatedHeader)?;
        let length = u32_at(prefix, at + 4).ok_or(Refusal::TruncatedHeader)? as usize;
        match kind {
            END => return Ok(bitmaps),
            ENCRYPTION => return Err(Refusal::Encrypted),
            DATA_FILE => return Err(Refusal::DataFile),
            _ => {}
        }
        let data = at + 8;
        if length > area.end.saturating_sub(data) {
            return Err(Refusal::ExtensionLength);
        }
        if kind == BITMAPS {
            bitmaps.push(read_bitmaps(prefix, data, length)?);
        }
        at = data + length.next_multiple_of(8);
    }
    Err(Refusal::TooManyExtensions)
}

fn read_bitmaps(prefix: &[u8], data: usize, length: usize) -> Result<Bitmaps, Refusal> {
    if length < BITMAPS_BYTES {
        return Err(Refusal::ExtensionLength);
    }
    let size_bytes = u64_at(prefix, data + 8).ok_or(Refusal::TruncatedHeader)?;
    let offset = u64_at(prefix, data + 16).ok_or(Refusal::TruncatedHeader)?;
    Ok(Bitmaps { offset, size_bytes })
}

//! What is measured, a file for each group.

pub mod copy;
pub mod erase;
pub mod import;
pub mod latency;
pub mod list;
pub mod peers;
pub mod postgres;
pub mod profile;
pub mod requests;
pub mod sizes;
pub mod start;
pub mod updates;

use std::path::Path;

use crate::catalogue::mix;
use crate::machine::output;

/// The room that is left on the file system of a folder, in bytes.
fn free_bytes(folder: &Path) -> u64 {
    let told = output("df", &["--block-size=1", "--output=avail", &folder.to_string_lossy()]);
    told.lines().last().and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Fills bytes with what looks like chance; another number gives other bytes.
fn fill(bytes: &mut [u8], number: u64) {
    for (place, word) in (0..).zip(bytes.chunks_mut(8)) {
        word.copy_from_slice(&mix(number << 32 | place).to_le_bytes()[..word.len()]);
    }
}

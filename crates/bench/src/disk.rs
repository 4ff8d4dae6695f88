//! What a disk has written, told by the disk: a process is charged for more than it writes, because the kernel counts
//! the whole piece of its cache in which a byte changes, and a piece may be many pages.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::installation::failed;

/// How the operating system counts what a disk writes.
const SECTOR_BYTES: f64 = 512.0;

/// Brings everything to the disks that is still on its way.
///
/// # Errors
/// A text.
pub fn sync() -> Outcome {
    let status = Command::new("sync").status();
    if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err("sync fails".to_owned()) }
}

/// How many bytes the disk of a folder has written so far, whoever wanted it, with all that was still on its way; no
/// number if the folder is on none that counts.
///
/// # Errors
/// A text.
pub fn written_bytes(folder: &Path) -> Outcome<f64> {
    sync()?;
    let (major, minor) = numbers(fs::metadata(folder).map_err(|error| failed(folder, &error))?.dev());
    let counts = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).unwrap_or_default();
    Ok(sectors_written(&counts).map_or(f64::NAN, |sectors| sectors * SECTOR_BYTES))
}

/// The two numbers of a device.
fn numbers(device: u64) -> (u64, u64) {
    ((device >> 8) & 0xfff | (device >> 32) & !0xfff, device & 0xff | (device >> 12) & !0xff)
}

fn sectors_written(counts: &str) -> Option<f64> {
    counts.split_whitespace().nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_tells_how_many_sectors_it_has_written() {
        assert_eq!(sectors_written(" 10 1 200 3 40 5 6000 7 0 8 9 0 0 0 0 0 0"), Some(6000.0));
        assert_eq!(sectors_written(""), None);
    }

    #[test]
    fn a_device_has_two_numbers() {
        assert_eq!(numbers(0xfe01), (254, 1));
        assert_eq!(numbers(0x10_3010), (48, 256 + 16));
    }
}

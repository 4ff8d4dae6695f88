//! Folders that are away, and copies of folders.

use std::path::{Path, PathBuf};

/// A region whose folder is away, until this is dropped: a file lies in its place, so nothing below it
/// can be reached or made.
pub struct RegionAway {
    home: PathBuf,
    away: PathBuf,
}

impl RegionAway {
    /// Takes the folder away.
    pub fn take(home: &Path) -> Self {
        let away = home.with_extension("away");
        std::fs::rename(home, &away).unwrap();
        std::fs::write(home, b"not a folder").unwrap();
        Self { home: home.to_owned(), away }
    }
}

impl Drop for RegionAway {
    fn drop(&mut self) {
        std::fs::remove_file(&self.home).unwrap();
        std::fs::rename(&self.away, &self.home).unwrap();
    }
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

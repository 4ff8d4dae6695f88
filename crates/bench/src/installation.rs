//! Data folders for servers: catalogues that are kept from run to run, and fresh copies of them.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::catalogue::Size;
use crate::server::{Server, Setup};
use crate::work::quiet;

/// What a catalogue follows from, besides its size.
const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/src/migrations");
const WRITER: &str = include_str!("catalogue.rs");

/// The files of a database.
const DATABASE: &str = "metadata.db";
const LOG: &str = "metadata.db-wal";

/// A data folder, which is gone when this is dropped.
#[derive(Debug)]
pub struct Installation {
    /// The folder.
    pub data: PathBuf,
}

impl Installation {
    /// An empty data folder.
    ///
    /// # Errors
    /// A text.
    pub fn empty(data: PathBuf) -> Outcome<Self> {
        remove(&data)?;
        fs::create_dir_all(&data).map_err(|error| failed(&data, &error))?;
        Ok(Self { data })
    }

    /// Starts a server on it, and waits until it has made what a first start makes.
    ///
    /// # Errors
    /// A text.
    pub async fn server(&self, binary: &Path, processors: &str) -> Outcome<Server> {
        self.server_with(binary, processors, "1h").await
    }

    /// The same with another grace period.
    ///
    /// # Errors
    /// A text.
    pub async fn server_with(&self, binary: &Path, processors: &str, grace: &str) -> Outcome<Server> {
        let setup = Setup { binary, data: &self.data, processors, database: None, grace };
        let server = Server::start(&setup).await?;
        server.wait_for("calotype_tasks_waiting", "kind=\"fill\"", |waiting| waiting < 1.0).await?;
        quiet(&server).await?;
        Ok(server)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // What is left is removed by the next run.
        drop(fs::remove_dir_all(&self.data));
    }
}

/// The catalogues that are kept.
#[derive(Debug)]
pub struct Catalogues {
    kept: PathBuf,
    runs: PathBuf,
    prefix: String,
}

impl Catalogues {
    /// Those below this folder; what older tables were is removed.
    ///
    /// # Errors
    /// A text.
    pub fn below(folder: &Path) -> Outcome<Self> {
        let (kept, runs) = (folder.join("catalogues"), folder.join("run"));
        remove(&runs)?;
        for folder in [&kept, &runs] {
            fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        }
        let prefix = format!("{:016x}", tables()?);
        for entry in fs::read_dir(&kept).map_err(|error| failed(&kept, &error))?.flatten() {
            if !entry.file_name().to_string_lossy().starts_with(&prefix) {
                remove(&entry.path())?;
            }
        }
        Ok(Self { kept, runs, prefix })
    }

    /// The folder of a catalogue, which is written if it is not there.
    ///
    /// # Errors
    /// A text.
    pub fn kept(&self, size: Size) -> Outcome<PathBuf> {
        let folder = self.folder(size, "");
        if folder.exists() {
            return Ok(folder);
        }
        println!("writing a catalogue: {size:?}");
        let unfinished = self.kept.join(format!("{}-unfinished", self.prefix));
        remove(&unfinished)?;
        fs::create_dir_all(&unfinished).map_err(|error| failed(&unfinished, &error))?;
        write(&unfinished.join(DATABASE).to_string_lossy(), size)?;
        fs::rename(&unfinished, &folder).map_err(|error| failed(&folder, &error))?;
        Ok(folder)
    }

    /// A copy of a catalogue, on the disk.
    ///
    /// # Errors
    /// A text.
    pub fn fresh(&self, size: Size, name: &str) -> Outcome<Installation> {
        let catalogue = self.kept(size)?;
        let installation = self.empty(name)?;
        for file in [DATABASE, LOG] {
            let (from, to) = (catalogue.join(file), installation.data.join(file));
            if from.exists() {
                fs::copy(&from, &to).map_err(|error| failed(&to, &error))?;
                File::open(&to).and_then(|file| file.sync_all()).map_err(|error| failed(&to, &error))?;
            }
        }
        Ok(installation)
    }

    /// An empty data folder.
    ///
    /// # Errors
    /// A text.
    pub fn empty(&self, name: &str) -> Outcome<Installation> {
        Installation::empty(self.runs.join(name))
    }

    /// Where something beside a catalogue is kept.
    #[must_use]
    pub fn folder(&self, size: Size, what: &str) -> PathBuf {
        let Size { own, used, others } = size;
        self.kept.join(format!("{}-{own}-{used}-{others}{what}", self.prefix))
    }
}

/// Writes a catalogue, in a process of its own.
///
/// # Errors
/// A text.
pub fn write(place: &str, size: Size) -> Outcome {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let numbers = [size.own, size.used, size.others].map(|number| number.to_string());
    let status = Command::new(program).arg("catalogue").arg(place).args(numbers).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("no catalogue was written to {place}")),
    }
}

/// Removes a folder, if it is there.
///
/// # Errors
/// A text.
pub fn remove(folder: &Path) -> Outcome {
    if folder.exists() { fs::remove_dir_all(folder).map_err(|error| failed(folder, &error)) } else { Ok(()) }
}

/// What went wrong with a file or folder.
#[must_use]
pub fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A number that is another one when the tables are, or what is written to them.
fn tables() -> Outcome<u64> {
    let folder = Path::new(TABLES);
    let files = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut files: Vec<_> = files.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    WRITER.hash(&mut hasher);
    for file in files {
        fs::read(&file).map_err(|error| failed(&file, &error))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

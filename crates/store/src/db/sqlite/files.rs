//! Databases as files: copies of a whole one, and putting one in the place of another.
//!
//! What is made here is a single file without a log beside it. A log that lies beside another database than its
//! own is carried out on it, and destroys it: so a database that is put aside takes its log along.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::OTHERS_TIMEOUT;
use crate::migrations;

/// Why a database cannot be copied or put in the place of another. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Something is there already.
    #[error("{} exists already, and is left as it is", .0.display())]
    Exists(PathBuf),
    /// There is no such database.
    #[error("there is no database {}", .0.display())]
    Missing(PathBuf),
    /// It is damaged; the text says how.
    #[error("{} is damaged: {damage}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The first thing that is wrong.
        damage: String,
    },
    /// It is a database of another program, or no database.
    #[error("{} is not the metadata of an installation: {why}", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// How that is known.
        why: String,
    },
    /// A process uses it.
    #[error("another process uses {}", .0.display())]
    InUse(PathBuf),
    /// A file cannot be read, written or moved.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The database did not do it.
    #[error("cannot {what} {}", path.display())]
    Database {
        /// What was tried.
        what: &'static str,
        /// With which database.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: rusqlite::Error,
    },
}

/// The file beside a database that says that another one was about to take its place.
const RESTORING: &str = ".restoring";

/// How often somebody who is about to leave a database is looked for, and the pause in between.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// Copies a database, which may be in use, into a new file: all that was durable at one moment.
///
/// # Errors
/// [`FileError`]; then there is no such file.
pub fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    if to.exists() {
        return Err(FileError::Exists(to.to_owned()));
    }
    let unfinished = beside(to, &format!(".unfinished-{}", std::process::id()));
    let copied = copy_to(from, &unfinished).and_then(|()| publish(&unfinished, to));
    if copied.is_err() {
        // It may not be there at all.
        drop(fs::remove_file(&unfinished));
    }
    copied
}

fn copy_to(from: &Path, unfinished: &Path) -> Result<(), FileError> {
    // Who only reads leaves the files of the log behind.
    let source = open(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = database_error("copy", from);
    create(unfinished)?;
    source.execute("VACUUM INTO ?1", [&*unfinished.to_string_lossy()]).map_err(failed)?;
    drop(source);
    inspect(unfinished)?;
    sync(unfinished)
}

/// Gives a finished file its name, which nobody else has taken.
fn publish(unfinished: &Path, to: &Path) -> Result<(), FileError> {
    match fs::hard_link(unfinished, to) {
        Ok(()) => fs::remove_file(unfinished).map_err(io_error("remove", unfinished))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileError::Exists(to.to_owned()));
        }
        // Not every file system can do that.
        Err(_) => fs::rename(unfinished, to).map_err(io_error("write", to))?,
    }
    sync_folder(to)
}

/// Copies a backup to where it can be made ready, and makes sure that it can be used.
///
/// # Errors
/// [`FileError`]; then nothing is left of the copy.
pub(crate) fn prepare(backup: &Path, metadata: &Path) -> Result<PathBuf, FileError> {
    if fs::metadata(beside(backup, "-wal")).is_ok_and(|log| log.len() > 0) {
        let why = "a log lies beside it; a backup is one file".to_owned();
        return Err(FileError::Strange { path: backup.to_owned(), why });
    }
    let mut source = match File::open(backup) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FileError::Missing(backup.to_owned()));
        }
        Err(error) => return Err(io_error("read", backup)(error)),
    };
    let prepared = beside(metadata, &format!(".unfinished-{}", std::process::id()));
    let copied = create(&prepared)
        .and_then(|mut file| io::copy(&mut source, &mut file).map_err(io_error("copy", backup)))
        .and_then(|_| inspect(&prepared));
    match copied {
        Ok(()) => Ok(prepared),
        Err(error) => {
            abandon(&prepared);
            Err(named(error, backup))
        }
    }
}

/// Removes a copy that is not used.
pub(crate) fn abandon(prepared: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        // Some of them are not there.
        drop(fs::remove_file(beside(prepared, suffix)));
    }
}

/// Puts a prepared database in the place of the metadata. What was there is kept beside it; gives its name.
///
/// # Errors
/// [`FileError`]. After [`FileError::InUse`] everything is as before; after others the metadata may be missing,
/// and [`refuse_restoring`] refuses until this was done again.
pub(crate) fn replace(metadata: &Path, prepared: &Path) -> Result<Option<PathBuf>, FileError> {
    merge_log(prepared)?;
    sync(prepared)?;
    refuse_used(metadata)?;
    let restoring = beside(metadata, RESTORING);
    rename(prepared, &restoring)?;
    sync_folder(metadata)?;
    let kept = put_aside(metadata)?;
    rename(&restoring, metadata)?;
    sync_folder(metadata)?;
    Ok(kept)
}

/// Refuses to replace a database that somebody uses.
fn refuse_used(metadata: &Path) -> Result<(), FileError> {
    let alone = || {
        let database = open(metadata, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let failed = database_error("use", metadata);
        database.busy_timeout(Duration::ZERO).map_err(&failed)?;
        // It is kept as it is: the log is neither moved into it nor removed.
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(&failed)?;
        database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK").map_err(failed)
    };
    match alone() {
        Err(FileError::Database { source, .. }) if is_busy(&source) => {
            Err(FileError::InUse(metadata.to_owned()))
        }
        // One that is missing or damaged is what a restore is for.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Refuses to use metadata that a restore was about to replace when it was interrupted.
///
/// # Errors
/// A text for the operator.
pub(super) fn refuse_restoring(metadata: &Path) -> Result<(), String> {
    let restoring = beside(metadata, RESTORING);
    if restoring.exists() {
        let text = "a restore was interrupted, and is finished by `calotype restore` with the same backup";
        return Err(format!("{} is there: {text}", restoring.display()));
    }
    Ok(())
}

/// Refuses an empty file beside a log: the library would take it for a new database, and throw the log
/// away.
///
/// # Errors
/// A text for the operator.
pub(super) fn refuse_emptied(metadata: &Path) -> Result<(), String> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    if metadata.exists() && length(metadata) == 0 && length(&beside(metadata, "-wal")) > 0 {
        return Err(format!("{} is empty, but its log is not: restore a backup", metadata.display()));
    }
    Ok(())
}

/// Moves a database out of the way, with what lies beside it, under the first number that is free.
fn put_aside(metadata: &Path) -> Result<Option<PathBuf>, FileError> {
    let mut numbers = 1_u32..;
    let kept = loop {
        let number = numbers.next().unwrap_or(u32::MAX);
        let kept = beside(metadata, &format!(".replaced-{number}"));
        if !kept.exists() && !beside(&kept, "-wal").exists() {
            break kept;
        }
    };
    let was_there = metadata.exists();
    for suffix in ["", "-wal", "-journal"] {
        if beside(metadata, suffix).exists() {
            rename(&beside(metadata, suffix), &beside(&kept, suffix))?;
        }
    }
    // An index of the log, which is made anew when it is needed.
    drop(fs::remove_file(beside(metadata, "-shm")));
    Ok(was_there.then_some(kept))
}

/// Makes sure that a database is whole, and one that this program can use.
///
/// # Errors
/// [`FileError`].
fn inspect(path: &Path) -> Result<(), FileError> {
    merge_log(path)?;
    let database = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let strange = |why: String| FileError::Strange { path: path.to_owned(), why };
    let damage = |damage: String| FileError::Damaged { path: path.to_owned(), damage };
    let found: String = database
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| damage(error.to_string()))?;
    if found != "ok" {
        return Err(damage(found));
    }
    let version = database
        .query_row("SELECT COALESCE(MAX(number), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(|error| strange(error.to_string()))?;
    if version > migrations::newest() {
        return Err(strange(format!("its tables are of version {version}, made by a newer program")));
    }
    let found = columns(&database).map_err(|error| strange(error.to_string()))?;
    let missing = expected_columns(version).map_err(|error| strange(error.to_string()))?;
    match missing.difference(&found).next() {
        Some(missing) => Err(strange(format!("it has no {missing}"))),
        None => Ok(()),
    }
}

/// Every column of every table, as `table.column`.
fn columns(database: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = database.prepare(
        "SELECT t.name || '.' || c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The columns that the tables of this version have.
fn expected_columns(version: i64) -> rusqlite::Result<BTreeSet<String>> {
    columns(&empty(version)?)
}

/// The tables of this program, each with its columns, separated by commas.
pub(in crate::db) fn tables() -> rusqlite::Result<Vec<(String, String)>> {
    let empty = empty(migrations::newest())?;
    let mut statement = empty.prepare(
        "SELECT t.name, group_concat(c.name, ', ') FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' GROUP BY t.name",
    )?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn empty(version: i64) -> rusqlite::Result<Connection> {
    let empty = Connection::open_in_memory()?;
    for script in migrations::scripts(version) {
        empty.execute_batch(script)?;
    }
    Ok(empty)
}

/// Moves the log of a database into it, so that it is one file, and waits for processes that are about to leave it.
fn merge_log(path: &Path) -> Result<(), FileError> {
    let failed = database_error("move the log into", path);
    let database = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    for _ in 0..LOOKS {
        match database.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "delete" => return Ok(()),
            Ok(_) => {}
            Err(error) if is_busy(&error) => {}
            Err(error) => return Err(failed(error)),
        }
        std::thread::sleep(PAUSE);
    }
    Err(FileError::InUse(path.to_owned()))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, FileError> {
    let failed = database_error("open", path);
    if !path.exists() {
        return Err(FileError::Missing(path.to_owned()));
    }
    let database =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(&failed)?;
    database.busy_timeout(OTHERS_TIMEOUT).map_err(failed)?;
    Ok(database)
}

/// Makes a file that only its owner can read, and that was not there.
fn create(path: &Path) -> Result<File, FileError> {
    let created = File::options().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(io_error("write", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(io_error("move", from))
}

fn sync(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_error("write", path))
}

/// Makes the names in the folder of a file durable.
fn sync_folder(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync(folder)
}

/// The path with something after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The error under the name that the operator gave.
fn named(error: FileError, name: &Path) -> FileError {
    let path = name.to_owned();
    match error {
        FileError::Damaged { damage, .. } => FileError::Damaged { path, damage },
        FileError::Strange { why, .. } => FileError::Strange { path, why },
        FileError::Exists(_)
        | FileError::Missing(_)
        | FileError::InUse(_)
        | FileError::Io { .. }
        | FileError::Database { .. } => error,
    }
}

/// What an error of the library says about a database.
fn database_error(what: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> FileError {
    let path = path.to_owned();
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => {
            FileError::Damaged { path: path.clone(), damage: source.to_string() }
        }
        Some(ErrorCode::NotADatabase) => FileError::Strange { path: path.clone(), why: source.to_string() },
        _ => FileError::Database { what, path: path.clone(), source },
    }
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { what, path: path.clone(), source }
}

//! Backups: one moment of metadata that is in use, and what a restore does besides bringing it back.

mod keys;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use calotype_core::ids::RegionId;
use calotype_store::backup::{self, RestoreError};
use calotype_store::db::sqlite::files::FileError;
use calotype_store::db::{Db, StoreError};
use calotype_store::objects::ObjectKey;
use calotype_store::replicas::FillTask;
use calotype_store::{replicas, stores};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::objects::names;
use crate::replicas::{lease, put};
use crate::support::{TestDb, mark, marks, number, open};
use crate::things::{NOW, at, region, replica};

const DAY_MS: i64 = 86_400_000;

async fn put_mark(db: &Db, name: &str) {
    let mut tx = db.begin().await.unwrap();
    mark(&mut tx, name, 0).await.unwrap();
    tx.commit().await.unwrap();
}

fn backup_file(test: &TestDb) -> PathBuf {
    test.path().with_file_name("saved.db")
}

/// Waits until the threads of databases that were dropped are gone. Which connection is the last one is chance,
/// and only one that may write takes the log along.
async fn end_of(databases: &[&Path]) {
    for path in databases {
        let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap().to_str().unwrap()));
        for _ in 0..50 {
            if !log.exists() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// The names in a folder but those of logs that nobody took along.
fn kept_names(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| !name.ends_with("calotype.db-wal") && !name.ends_with("-shm"));
    names
}

/// Closes a database as the end of its process does; gives the file and the folder that it is in.
async fn closed(test: TestDb) -> (PathBuf, TempDir) {
    let path = test.path();
    let folder = test.close();
    end_of(&[&path]).await;
    (path, folder)
}

async fn restore(file: &Path, path: &Path) -> Option<PathBuf> {
    backup::restore(file, path, at(DAY_MS)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_one_moment_of_a_database_that_is_written_to() {
    let test = TestDb::embedded().await;
    let (db, stop) = (test.db.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let mut writing = JoinSet::new();
    writing.spawn(async move {
        for number in 0.. {
            // Two rows that are never seen without each other.
            let mut tx = db.begin().await.unwrap();
            mark(&mut tx, &format!("left {number}"), number).await.unwrap();
            mark(&mut tx, &format!("right {number}"), number).await.unwrap();
            tx.commit().await.unwrap();
            if stopped.load(Ordering::SeqCst) {
                return number + 1;
            }
        }
        0
    });
    let mut counts = Vec::new();
    for round in 0..5 {
        let file = test.path().with_file_name(format!("saved-{round}.db"));
        let (from, to) = (test.path(), file.clone());
        tokio::task::spawn_blocking(move || backup::save(&from, &to)).await.unwrap().unwrap();
        let saved = open(file.clone(), true).await.unwrap();
        let sql = "SELECT COUNT(*) FROM marks l WHERE name LIKE 'left%' AND NOT EXISTS \
                   (SELECT 1 FROM marks r WHERE r.place = l.place AND r.name LIKE 'right%')";
        assert_eq!(number(&saved, sql).await, 0);
        counts.push(number(&saved, "SELECT COUNT(*) FROM marks WHERE name LIKE 'right%'").await);
    }
    stop.store(true, Ordering::SeqCst);
    let written: i64 = writing.join_all().await[0];
    assert!(counts.is_sorted() && counts[0] < counts[4] && counts[4] <= written, "{counts:?} of {written}");
    assert_eq!(test.marks().await.len(), usize::try_from(2 * written).unwrap());
}

#[tokio::test]
async fn a_backup_is_one_file_for_its_owner_and_never_takes_the_place_of_another() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = TestDb::embedded().await;
    put_mark(&test.db, "kept").await;
    let (folder, file) = (test.path().with_file_name("backups"), backup_file(&test));
    fs::create_dir(&folder).unwrap();
    backup::save(&test.path(), &folder.join("one.db")).unwrap();
    assert_eq!(names(&folder), ["one.db"], "nothing beside it");
    assert_eq!(fs::metadata(folder.join("one.db")).unwrap().permissions().mode() & 0o777, 0o600);

    fs::write(&file, "somebody's").unwrap();
    assert!(matches!(backup::save(&test.path(), &file), Err(FileError::Exists(_))));
    assert_eq!(fs::read(&file).unwrap(), b"somebody's");
    let missing = backup::save(&test.path().with_file_name("none.db"), &folder.join("two.db"));
    assert!(matches!(missing, Err(FileError::Missing(_))), "{missing:?}");
    let nowhere = backup::save(&test.path(), &folder.join("none").join("two.db"));
    assert!(matches!(nowhere, Err(FileError::Io { .. })), "{nowhere:?}");
    assert_eq!(names(&folder), ["one.db"]);
}

/// Overwrites a page in the middle of a database.
fn damage(path: &Path) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::options().write(true).open(path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    assert!(pages > 20, "{pages} pages");
    for page in pages / 2..pages / 2 + 5 {
        file.write_all_at(&[0x5a; 4096], page * 4096).unwrap();
    }
}

#[tokio::test]
async fn what_is_damaged_is_not_saved_and_not_brought_back() {
    let test = TestDb::embedded().await;
    for number in 0..50 {
        put_mark(&test.db, &format!("{number} {}", "x".repeat(2_000))).await;
    }
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    let (path, _folder) = closed(test).await;
    damage(&path);
    let other = path.with_file_name("other.db");
    let saved = backup::save(&path, &other);
    assert!(matches!(saved, Err(FileError::Damaged { .. } | FileError::Database { .. })), "{saved:?}");
    assert!(!other.exists());
    let db = open(path.clone(), true).await;
    if let Ok(db) = &db {
        let damages = db.damages().await;
        assert!(damages.as_ref().is_err() || !damages.unwrap().is_empty());
    }
    drop(db);
    end_of(&[&path]).await;

    let before = fs::read(&path).unwrap();
    damage(&file);
    let refused = backup::restore(&file, &path, at(DAY_MS)).await;
    assert!(matches!(refused, Err(RestoreError::File(FileError::Damaged { .. }))), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before, "left as it was");
    assert_eq!(kept_names(path.parent().unwrap()), ["calotype.db", "saved.db"]);
}

#[tokio::test]
async fn a_restore_brings_the_moment_back_and_keeps_what_was_there() {
    let test = TestDb::embedded().await;
    put_mark(&test.db, "before").await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    put_mark(&test.db, "after").await;
    let (path, _folder) = closed(test).await;
    for round in 1..3 {
        let kept_as = restore(&file, &path).await.unwrap();
        assert_eq!(kept_as, path.with_file_name(format!("calotype.db.replaced-{round}")));
        let db = open(path.clone(), true).await.unwrap();
        assert_eq!(marks(&db).await, ["before"]);
        let kept = open(kept_as, true).await.unwrap();
        assert_eq!(marks(&kept).await, [&["before", "after"][..], &["before"]][round - 1]);
        drop(db);
        end_of(&[&path]).await;
    }
    // Where there is nothing, as on a new machine.
    let new = path.with_file_name("new.db");
    assert_eq!(restore(&file, &new).await, None);
    assert_eq!(marks(&open(new, true).await.unwrap()).await, ["before"]);
}

/// A killed process leaves a log with what it acknowledged last: that is part of what is kept, and not carried
/// out on what takes its place.
#[tokio::test]
async fn the_log_of_what_was_there_goes_with_it() {
    let test = TestDb::embedded().await;
    put_mark(&test.db, "before").await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    put_mark(&test.db, "in the log").await;
    // As it lies there when the process is killed.
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("calotype.db");
    for suffix in ["", "-wal"] {
        let from = test.path().with_file_name(format!("calotype.db{suffix}"));
        fs::copy(from, folder.path().join(format!("calotype.db{suffix}"))).unwrap();
    }
    assert!(fs::metadata(folder.path().join("calotype.db-wal")).unwrap().len() > 0);
    let kept = restore(&file, &path).await.unwrap();
    let all = ["calotype.db", "calotype.db.replaced-1", "calotype.db.replaced-1-wal"];
    assert_eq!(names(folder.path()), all);
    assert_eq!(marks(&open(path, true).await.unwrap()).await, ["before"]);
    assert_eq!(marks(&open(kept, true).await.unwrap()).await, ["before", "in the log"]);
}

#[tokio::test]
async fn what_cannot_be_opened_any_more_is_kept_with_its_log() {
    let test = TestDb::embedded().await;
    put_mark(&test.db, "before").await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("calotype.db");
    fs::write(&path, [0x5a; 9_000]).unwrap();
    fs::write(folder.path().join("calotype.db-wal"), "a log").unwrap();
    fs::write(folder.path().join("calotype.db-shm"), "an index").unwrap();
    restore(&file, &path).await.unwrap();
    let all = ["calotype.db", "calotype.db.replaced-1", "calotype.db.replaced-1-wal"];
    assert_eq!(names(folder.path()), all);
    assert_eq!(fs::read(folder.path().join("calotype.db.replaced-1")).unwrap(), [0x5a; 9_000]);
    assert_eq!(fs::read(folder.path().join("calotype.db.replaced-1-wal")).unwrap(), b"a log");
    assert_eq!(marks(&open(path, true).await.unwrap()).await, ["before"]);
}

#[tokio::test]
async fn what_somebody_uses_is_left_alone() {
    let test = TestDb::embedded().await;
    put_mark(&test.db, "before").await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    put_mark(&test.db, "after").await;
    let refused = backup::restore(&file, &test.path(), at(DAY_MS)).await;
    assert!(matches!(refused, Err(RestoreError::File(FileError::InUse(_)))), "{refused:?}");
    put_mark(&test.db, "and on").await;
    assert_eq!(test.marks().await, ["before", "after", "and on"]);
    let names = names(test.path().parent().unwrap());
    assert!(!names.iter().any(|name| name.contains("replaced") || name.contains("unfinished")), "{names:?}");
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let test = TestDb::embedded().await;
    let (path, _folder) = closed(test).await;
    let before = fs::read(&path).unwrap();
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("text"), "somebody's notes, long enough for a header. ".repeat(50)).unwrap();
    fs::write(file("empty"), "").unwrap();
    fs::create_dir(file("folder")).unwrap();
    for name in ["newer", "lacking", "logged"] {
        backup::save(&path, &file(name)).unwrap();
    }
    fs::write(file("logged-wal"), "a log").unwrap();
    for (name, sql) in [
        ("newer", "INSERT INTO schema_migrations (number, needs) VALUES (999, 999)"),
        ("lacking", "ALTER TABLE images DROP COLUMN reason"),
    ] {
        let db = open(file(name), true).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.execute(sql, &[]).await.unwrap();
        tx.commit().await.unwrap();
    }
    end_of(&[&file("newer"), &file("lacking")]).await;
    for (name, said) in [
        ("missing", "there is no database"),
        ("text", "is not the metadata of an installation"),
        ("empty", "is not the metadata of an installation"),
        ("folder", "cannot copy"),
        ("newer", "made by a newer program"),
        ("lacking", "it has no images.reason"),
        ("logged", "a backup is one file"),
    ] {
        let refused = backup::restore(&file(name), &path, at(DAY_MS)).await.unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(said) && text.contains(name), "{name}: {text}");
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(kept_names(path.parent().unwrap()), ["calotype.db"], "{name}");
    }
}

#[tokio::test]
async fn an_interrupted_restore_is_noticed_and_can_be_finished() {
    let test = TestDb::embedded().await;
    put_mark(&test.db, "before").await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    put_mark(&test.db, "after").await;
    let (path, _folder) = closed(test).await;
    // It ended after it had put the old metadata aside, and before the new one was in its place.
    for was_moved in [false, true] {
        fs::copy(&file, path.with_file_name("calotype.db.restoring")).unwrap();
        if was_moved {
            fs::rename(&path, path.with_file_name("calotype.db.replaced-9")).unwrap();
        }
        let Err(StoreError::Unavailable(error)) = open(path.clone(), true).await else { panic!("opened") };
        assert!(error.to_string().contains("calotype restore"), "{error}");
        restore(&file, &path).await;
        assert!(!path.with_file_name("calotype.db.restoring").exists());
        let db = open(path.clone(), true).await.unwrap();
        assert_eq!(marks(&db).await, ["before"]);
        drop(db);
        end_of(&[&path]).await;
    }
}

#[tokio::test]
async fn a_command_beside_a_server_makes_no_database_and_changes_no_tables() {
    let test = TestDb::embedded().await;
    let options = calotype_store::db::Options {
        commit: calotype_store::db::CommitMode::Alone,
        ..calotype_store::db::Options::new(test.path())
    };
    let beside = Db::attach(&options).await.unwrap();
    assert_eq!(beside.damages().await.unwrap(), [""; 0]);
    put_mark(&beside, "from beside").await;
    put_mark(&test.db, "from the server").await;
    assert_eq!(test.marks().await, ["from beside", "from the server"]);
    assert_eq!(marks(&beside).await, ["from beside", "from the server"]);

    let nowhere = test.path().with_file_name("none.db");
    let options = calotype_store::db::Options::new(nowhere.clone());
    assert!(matches!(Db::attach(&options).await, Err(StoreError::Unavailable(_))));
    assert!(!nowhere.exists());
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE schema_migrations SET number = number - 1", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let options = calotype_store::db::Options::new(test.path());
    assert!(matches!(Db::attach(&options).await, Err(StoreError::Unavailable(_))), "an older version's");
}

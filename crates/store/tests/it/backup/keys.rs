//! What a restore does to tasks: keys stay fresh, leases are free, nothing is forgotten.

use super::*;

async fn claim(db: &Db, now: i64) -> FillTask {
    let mut tx = db.begin().await.unwrap();
    let lease = lease("w", now + 1_000);
    let task = replicas::claim_fills(&mut tx, &region(), at(now), &lease, 1).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    task
}

fn keys(task: &FillTask) -> Vec<&str> {
    task.stale_keys.iter().map(ObjectKey::as_str).collect()
}

/// What was written after the backup used keys that the backup does not know of.
#[tokio::test]
async fn a_key_is_fresh_after_any_number_of_restores() {
    let test = TestDb::embedded().await;
    put(&test, &[replica("r-1", "m-1"), replica("r-gone", "m-2")]).await;
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE replicas SET state = 'erased', due_ms = NULL WHERE id = 'r-gone'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let start = NOW.as_millis();
    assert_eq!(claim(&test.db, start).await.key.as_str(), "r-1.1");
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    let mut used = vec!["r-1.1".to_owned()];
    for number in 1..4 {
        used.push(claim(&test.db, start + number * 1_000).await.key.as_str().to_owned());
    }
    assert_eq!(used, ["r-1.1", "r-1.2", "r-1.3", "r-1.4"]);
    let (path, _folder) = closed(test).await;

    let mut before = vec!["r-1.1".to_owned()];
    for day in 1..4 {
        // Each time the newest backup, but the first time, which is the oldest.
        backup::restore(&file, &path, at(day * DAY_MS)).await.unwrap();
        let db = open(path.clone(), true).await.unwrap();
        for attempt in 1..3 {
            let task = claim(&db, day * DAY_MS + attempt * 1_000).await;
            assert_eq!(keys(&task), before, "every key that this history knows of, and no other");
            assert!(!used.contains(&task.key.as_str().to_owned()), "{used:?}");
            used.push(task.key.as_str().to_owned());
            before.push(task.key.as_str().to_owned());
        }
        assert_eq!(number(&db, "SELECT writes FROM replicas WHERE id = 'r-gone'").await, 0);
        fs::remove_file(&file).unwrap();
        backup::save(&path, &file).unwrap();
        used.push(claim(&db, day * DAY_MS + 9_000).await.key.as_str().to_owned());
        drop(db);
        end_of(&[&path]).await;
    }
    let distinct: std::collections::BTreeSet<_> = used.iter().collect();
    assert_eq!(distinct.len(), used.len(), "{used:?}");
}

#[tokio::test]
async fn an_erasure_knows_every_key_from_before_and_after_a_restore() {
    let test = TestDb::embedded().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    claim(&test.db, NOW.as_millis()).await;
    claim(&test.db, NOW.as_millis() + 1_000).await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    let (path, _folder) = closed(test).await;
    restore(&file, &path).await;
    let db = open(path, true).await.unwrap();
    claim(&db, DAY_MS).await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE replicas SET state = 'erasing', due_ms = 0", &[]).await.unwrap();
    let task = replicas::claim_erasures(&mut tx, &region(), NOW, &lease("w", 1), 9).await.unwrap().remove(0);
    let keys: Vec<_> = task.keys.iter().map(ObjectKey::as_str).collect();
    assert_eq!(keys, ["r-1.1", "r-1.2", "r-1.86400"]);
}

#[tokio::test]
async fn a_restore_frees_leases_and_says_when_it_was() {
    let test = TestDb::embedded().await;
    put(&test, &[replica("r-1", "m-1")]).await;
    claim(&test.db, NOW.as_millis()).await;
    let file = backup_file(&test);
    backup::save(&test.path(), &file).unwrap();
    assert_eq!(stores::restored(&mut test.db.read().await.unwrap()).await.unwrap(), None);
    let (path, _folder) = closed(test).await;
    restore(&file, &path).await;
    let db = open(path, true).await.unwrap();
    assert_eq!(stores::restored(&mut db.read().await.unwrap()).await.unwrap(), Some(at(DAY_MS)));
    let held = "SELECT COUNT(*) FROM replicas WHERE lease_owner IS NOT NULL OR due_ms <> 86400000";
    assert_eq!(number(&db, held).await, 0);
    let other = RegionId::trusted("cn-wuxi");
    assert_eq!(stores::token(&mut db.read().await.unwrap(), &other).await.unwrap(), None);
}

//! Objects that no replica has as its bytes.

use std::fs;
use std::path::PathBuf;

use calotype::check::{Options, Outcome};
use calotype_store::replicas::{self, Lease};

use super::{assert_clean, check_and_repair, look_with, options, repair_with, replica, told};
use crate::support::app_streaming::{self, AS, HOME};
use crate::support::{REGION, World, disk};

fn put(world: &World, name: &str) -> PathBuf {
    let file = world.path(&format!("objects/{REGION}/{name}"));
    fs::write(&file, "left behind").unwrap();
    file
}

const NOBODY: &str = "r-0000000000000000000000000";

#[tokio::test]
async fn what_an_erased_replica_left_is_erased() {
    let world = World::new().await;
    let image = world.import().await;
    let (id, _) = replica(&world, &image, REGION).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    let files = ["1", "9"].map(|number| put(&world, &format!("{id}.{number}")));
    let plan = check_and_repair(&world, &options(), &["object-of-erased: erase"; 2]).await;
    assert!(plan.contains(&format!("{REGION}/{id}.1 of image {image}, 11 bytes")), "{plan}");
    assert!(files.iter().all(|file| !file.exists()));
    world.assert_sound().await;
}

#[tokio::test]
async fn what_earlier_writes_of_a_live_replica_left_is_erased_and_its_bytes_are_not() {
    let world = World::new().await;
    let image = world.import().await;
    let (id, file) = replica(&world, &image, REGION).await;
    put(&world, &format!("{id}.7"));
    put(&world, &format!("{id}.1#1"));
    put(&world, &format!("{id}.8#2"));
    let expected = ["object-stale: erase", "upload-unfinished: erase", "upload-unfinished: erase"];
    check_and_repair(&world, &options(), &expected).await;
    assert!(file.exists());
    world.assert_sound().await;
}

#[tokio::test]
async fn what_a_failed_import_left_is_erased() {
    let world = World::new().await;
    let image = world.begin_import(b"no qcow2").await;
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Pack_failed");
    let rows = world.rows("SELECT id FROM replicas WHERE holder_id = $1", &[image.as_str().into()]).await;
    let id = rows[0].text(0).unwrap();
    // Under the last key, which is the recorded one: it was never whole.
    put(&world, &format!("{id}.1"));
    put(&world, &format!("{id}.1#1"));
    check_and_repair(&world, &options(), &["object-stale: erase", "upload-unfinished: erase"]).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_is_being_written_or_erased_is_left_to_its_task() {
    let world = World::new().await;
    let image = world.begin_import(&disk("on the way")).await;
    let lease = Lease { owner: "another".to_owned(), until: world.clock.now().plus_millis(60_000) };
    let region = calotype_core::ids::RegionId::trusted(REGION);
    let mut tx = world.app.db.begin().await.unwrap();
    let tasks = replicas::claim_fills(&mut tx, &region, world.clock.now(), &lease, 64).await.unwrap();
    tx.commit().await.unwrap();
    let key = tasks[0].key.as_str();
    put(&world, &format!("{key}#1"));
    put(&world, key);
    assert_clean(&world, &options()).await;
    world.pass(60);
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Available");
    world.assert_sound().await;

    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    put(&world, &format!("{}.1#1", tasks[0].id));
    assert_clean(&world, &options()).await;
    world.drain().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_no_record_knows_is_kept_unless_that_is_asked_for() {
    let world = World::new().await;
    let image = world.import().await;
    let (id, _) = replica(&world, &image, REGION).await;
    let unknown = [put(&world, &format!("{NOBODY}.1")), put(&world, &format!("{NOBODY}.2#1"))];
    // Of a replica that is in another region.
    let elsewhere = world.path(&format!("objects/cn-shanghai/{id}.1"));
    fs::write(&elsewhere, "swapped").unwrap();
    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["object-unknown: nothing"; 3], "{}", report.plan_text());
    repair_with(&world, &mut report).await;
    assert_eq!((report.status(), report.remaining()), (1, 3));
    assert!(unknown.iter().chain([&elsewhere]).all(|file| file.exists()));
    let asked = Options { erase_unknown: true, ..options() };
    check_and_repair(&world, &asked, &["object-unknown: erase"; 3]).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched() {
    let world = World::new().await;
    let folder = world.path(&format!("objects/{REGION}/lost+found"));
    fs::create_dir_all(&folder).unwrap();
    let ours_but_a_folder = world.path(&format!("objects/{REGION}/{NOBODY}.1"));
    fs::create_dir_all(&ours_but_a_folder).unwrap();
    let files = ["notes.txt", "r-1.1", "calotype"].map(|name| put(&world, name));
    let mut report = look_with(&world, &Options { erase_unknown: true, ..options() }).await;
    assert_eq!(told(&report), ["object-foreign: nothing"; 5], "{}", report.plan_text());
    repair_with(&world, &mut report).await;
    assert_eq!(report.status(), 1);
    assert!(files.iter().chain([&folder, &ours_but_a_folder]).all(|file| file.exists()));
}

/// Between the look and the repair the record has come back, as after a restore of the metadata.
#[tokio::test]
async fn what_is_recorded_again_since_the_look_is_not_erased() {
    let world = World::new().await;
    let image = world.import().await;
    let (id, file) = replica(&world, &image, REGION).await;
    let one = &[id.as_str().into()];
    world.change("UPDATE replicas SET object_key = 'r-other.1' WHERE id = $1", one).await;
    let stale = put(&world, &format!("{id}.3"));
    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["bytes-missing: adopt", "object-stale: nothing"], "{}", report.plan_text());
    world.change("UPDATE replicas SET object_key = id || '.1' WHERE id = $1", one).await;
    repair_with(&world, &mut report).await;
    assert_eq!(report.entries[0].outcome, Some(Outcome::Gone));
    assert!(file.exists() && stale.exists());

    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["object-stale: erase"]);
    world.change("UPDATE replicas SET object_key = id || '.3', size_bytes = 11 WHERE id = $1", one).await;
    repair_with(&world, &mut report).await;
    assert_eq!(report.entries[0].outcome, Some(Outcome::Gone));
    assert!(stale.exists(), "it is the recorded one by now");
}

/// After a restore, a copy that is sound may belong to a replica that had failed at the time of the backup, and every
/// copy that the records know may be lost since.
#[tokio::test]
async fn what_may_be_the_last_copy_of_an_image_is_kept() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let params = [("ImageId", image.as_str()), ("DestinationRegionList.1", REGION)];
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
    let (id, sound) = replica(&world, &image, REGION).await;
    let renamed = sound.with_file_name(format!("{id}.9"));
    fs::rename(&sound, &renamed).unwrap();
    let sql = "UPDATE replicas SET state = 'failed', sha256 = NULL, size_bytes = NULL WHERE id = $1";
    world.change(sql, &[id.as_str().into()]).await;
    fs::remove_file(replica(&world, &image, HOME).await.1).unwrap();

    // The plan still counts on the other copy; the deed does not.
    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["bytes-missing: give up", "object-stale: erase"], "{}", report.plan_text());
    repair_with(&world, &mut report).await;
    let kept = "nothing: it may be the last copy of the image";
    assert_eq!(report.entries[1].outcome, Some(Outcome::Failed(kept.to_owned())));
    assert!(report.end_text().starts_with("not repaired: object-stale: "), "{}", report.end_text());
    assert_eq!((report.status(), report.remaining()), (1, 1));
    let report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["object-stale: nothing"]);
    assert!(renamed.exists());
    // It goes with the image, if not before then by a check.
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    check_and_repair(&world, &options(), &["object-of-erased: erase"]).await;
    assert!(!renamed.exists());
}

//! The same folder opened again at awkward moments: work goes on, and nothing stray or missing is left.

mod commits;

use calotype::app::{App, OpenError};
use calotype::config::{Config, Overrides};
use calotype::workers::LEASE_MS;
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::replicas::{self, FillTask, Lease};

use crate::support::print::sha256;
use crate::support::refusals::{NOT_EXIST, USED_TO_CREATE};
use crate::support::{OTHER, PUBLIC_IMAGE, Setup, World, disk};

fn lease(world: &World) -> Lease {
    Lease { owner: "a process that dies".to_owned(), until: world.clock.now().plus_millis(LEASE_MS) }
}

/// Takes every fill that is due, as a process does that then dies.
async fn claim_fills(world: &World) -> Vec<FillTask> {
    let mut tx = world.app.db.begin().await.unwrap();
    let (now, mut tasks) = (world.clock.now(), Vec::new());
    for region in world.app.wake.fills.regions() {
        tasks.extend(replicas::claim_fills(&mut tx, region, now, &lease(world), 64).await.unwrap());
    }
    tx.commit().await.unwrap();
    tasks
}

/// Takes every erasure that is due.
async fn claim_erasures(world: &World) -> Vec<replicas::EraseTask> {
    let mut tx = world.app.db.begin().await.unwrap();
    let (now, mut tasks) = (world.clock.now(), Vec::new());
    for region in world.app.wake.erasures.regions() {
        tasks.extend(replicas::claim_erasures(&mut tx, region, now, &lease(world), 64).await.unwrap());
    }
    tx.commit().await.unwrap();
    tasks
}

/// Leaves what a dead process has written: the object, or the file that becomes it.
fn leave(world: &World, task: &FillTask, suffix: &str, bytes: &[u8]) {
    let file = format!("objects/{}/{}{suffix}", task.region, task.key.as_str());
    std::fs::write(world.path(&file), bytes).unwrap();
}

#[tokio::test]
async fn d50_what_was_accepted_goes_on_and_what_was_deleted_stays_deleted() {
    let world = World::new().await;
    let bytes = disk("kept over the restart");
    let (source, doomed) = (world.import_disk(&bytes).await, world.import().await);
    let instance = world.owner.launch(&source).await;
    let switching = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.share(&source, OTHER).await;
    let imported = world.begin_import(&disk("begun")).await;
    let made = world.owner.create_image(&instance).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.owner.reinit(&switching, &source).await;
    world.owner.ok("DeleteImage", &[("ImageId", &doomed)]).await;
    let before = world.print().await;

    let world = world.reopen().await;
    assert_eq!(world.print().await, before, "opening changes nothing");
    world.owner.refused("DeleteImage", &[("ImageId", &doomed)], NOT_EXIST).await;
    world.owner.refused("DeleteImage", &[("ImageId", &source)], USED_TO_CREATE).await;
    world.drain().await;

    world.assert_erased(&doomed).await;
    for image in [&imported, &made] {
        assert_eq!(world.owner.image_status(image).await, "Available");
    }
    assert_eq!(world.owner.snapshot(&snapshot).await["Status"], "available");
    assert_eq!(world.owner.instance(&switching).await["ImageId"], source.as_str());
    for holder in [&made, &snapshot] {
        assert_eq!(world.files_of(holder).await.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
    }
    assert_eq!(world.other.image(&source).await["ImageOwnerAlias"], "others");
    world.assert_sound().await;
}

/// Not a restart but a power cut: the files as they are at the moment of the answer.
#[tokio::test]
async fn d50_an_answer_outlives_a_power_cut() {
    let world = World::open(Setup { embedded: true, ..Setup::default() }).await;
    let (image, used) = (world.import().await, world.import().await);
    let instance = world.owner.launch(&used).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let after_success = world.fork().await;
    world.owner.refused("DeleteImage", &[("ImageId", &used)], USED_TO_CREATE).await;
    let after_refusal = world.fork().await;
    for fork in [after_success, after_refusal] {
        fork.drain().await;
        fork.assert_erased(&image).await;
        assert_eq!(fork.owner.image_status(&used).await, "Available");
        assert_eq!(fork.owner.instance_status(&instance).await, "Running");
        fork.assert_sound().await;
    }
    assert!(!world.files_of(&image).await.is_empty(), "the forks had files of their own");
}

/// The process died while it was writing: with the file that becomes the object, with the object
/// itself, or with both, whole or in part.
#[tokio::test]
async fn a_fill_that_was_cut_short_begins_anew_and_leaves_nothing() {
    let bytes = disk("written in part");
    for (object, staging) in
        [(None, Some(100)), (Some(bytes.len()), None), (Some(0), Some(70_000)), (None, None)]
    {
        let world = World::new().await;
        let image = world.begin_import(&bytes).await;
        let tasks = claim_fills(&world).await;
        assert_eq!((tasks.len(), tasks[0].attempt), (1, 1));
        for (suffix, length) in [("", object), ("#1", staging)] {
            if let Some(length) = length {
                leave(&world, &tasks[0], suffix, &bytes[..length]);
            }
        }
        let world = world.reopen().await;
        world.outlive_leases();
        // The lease of the dead process is over with it: no time passes here.
        world.drain().await;
        assert_eq!(world.owner.image_status(&image).await, "Available");
        let files: Vec<_> = world.files_of(&image).await.into_iter().collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(files[0].0.ends_with(".2") && files[0].1 == sha256(&bytes), "{files:?}");
        world.assert_sound().await;
    }
}

/// The second process dies before it has looked at what the first one left.
#[tokio::test]
async fn a_fill_that_was_cut_short_twice_leaves_nothing() {
    let bytes = disk("written in part");
    let world = World::new().await;
    let image = world.begin_import(&bytes).await;
    let tasks = claim_fills(&world).await;
    leave(&world, &tasks[0], "", &bytes);
    leave(&world, &tasks[0], "#1", &bytes[..100]);
    let world = world.reopen().await;
    world.outlive_leases();
    assert_eq!(claim_fills(&world).await[0].attempt, 2);
    let world = world.reopen().await;
    world.outlive_leases();
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Available");
    world.assert_sound().await;
}

/// The same for a snapshot that is deleted before anybody has looked.
#[tokio::test]
async fn a_fill_that_was_cut_short_twice_and_is_deleted_leaves_nothing() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    let tasks = claim_fills(&world).await;
    leave(&world, &tasks[0], "", b"the whole copy");
    leave(&world, &tasks[0], "#1", b"half a copy");
    let world = world.reopen().await;
    world.outlive_leases();
    assert_eq!(claim_fills(&world).await[0].attempt, 2);
    let world = world.reopen().await;
    world.outlive_leases();
    world.owner.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    world.pass(LEASE_MS / 1000);
    world.drain().await;
    assert!(world.files_of(&snapshot).await.is_empty());
    world.assert_sound().await;
}

/// The same for an image that cannot be made in the end, and is deleted then.
#[tokio::test]
async fn a_fill_that_was_cut_short_and_then_fails_leaves_nothing() {
    let world = World::new().await;
    let files = world.files();
    let image = world.begin_import(b"no qcow2").await;
    let tasks = claim_fills(&world).await;
    leave(&world, &tasks[0], "#1", b"no qc");
    let world = world.reopen().await;
    world.outlive_leases();
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Pack_failed");
    assert_eq!(world.files(), files);
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    world.assert_erased(&image).await;
}

/// Another process holds the lease, and nobody knows whether it is alive: its tasks are left alone
/// until the lease is over, and then what it still writes is nobody's.
#[tokio::test]
async fn a_lease_is_respected_until_it_is_over() {
    let world = World::new().await;
    let bytes = disk("held");
    let image = world.begin_import(&bytes).await;
    let held = claim_fills(&world).await.remove(0);
    leave(&world, &held, "", &bytes);
    for seconds in [0, 59] {
        world.pass(seconds);
        world.drain().await;
        assert_eq!(world.owner.image_status(&image).await, "Creating");
    }
    world.pass(1);
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Available");
    world.assert_sound().await;

    let made = calotype_core::replica::Bytes { size_bytes: 1, sha256: "0".to_owned(), virtual_size_bytes: 1 };
    let mut tx = world.app.db.begin().await.unwrap();
    let late = replicas::record_filled(&mut tx, &held.id, held.attempt, "a process that dies", &made).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    drop(tx);
    let renewed = async {
        let mut tx = world.app.db.begin().await.unwrap();
        replicas::renew(&mut tx, &held.id, held.attempt, &lease(&world)).await.unwrap()
    };
    assert!(!renewed.await, "a lost lease cannot be held longer");
}

/// A snapshot that is deleted while its bytes are being written is erased when the writer is done.
#[tokio::test]
async fn bytes_that_are_being_written_are_erased_after_the_lease() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    let held = claim_fills(&world).await.remove(0);
    leave(&world, &held, "#1", b"half a copy");
    world.owner.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    world.drain().await;
    assert_eq!(world.files_of(&snapshot).await.len(), 1, "somebody may still be writing");
    leave(&world, &held, "", b"the whole copy");
    std::fs::remove_file(world.path(&format!("objects/{}/{}#1", held.region, held.key.as_str()))).unwrap();
    world.pass(LEASE_MS / 1000);
    world.drain().await;
    assert!(world.files_of(&snapshot).await.is_empty());
    world.assert_sound().await;
}

/// The process died while it was erasing: before, between and after the objects.
#[tokio::test]
async fn an_erasure_that_was_cut_short_is_done_again() {
    let world = World::new().await;
    let images = [world.import().await, world.import().await];
    for image in &images {
        world.owner.ok("DeleteImage", &[("ImageId", image)]).await;
    }
    let tasks = claim_erasures(&world).await;
    assert_eq!(tasks.len(), 2);
    let first = format!("objects/{}/{}", tasks[0].region, tasks[0].keys[0].as_str());
    std::fs::remove_file(world.path(&first)).unwrap();
    let world = world.reopen().await;
    world.outlive_leases();
    world.drain().await;
    for image in &images {
        world.assert_erased(image).await;
    }
    world.assert_sound().await;
}

/// The rest of a grace period goes on where it stopped.
#[tokio::test]
async fn a_grace_period_outlives_a_restart() {
    let world = World::open(Setup::with("[deletion]\ngrace = '1h'\n")).await;
    let image = world.import().await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let mut world = world;
    for seconds in [0, 1_800, 1_799] {
        world.pass(seconds);
        world = world.reopen().await;
        world.drain().await;
        assert_eq!(world.files_of(&image).await.len(), 1);
    }
    world.pass(1);
    world.drain().await;
    world.assert_erased(&image).await;
}

#[tokio::test]
async fn a_folder_belongs_to_one_process() {
    let world = World::new().await;
    let overrides = Overrides { data: Some(world.path("")), ..Overrides::default() };
    let config = Config::load(&overrides, |_| None).unwrap();
    let second = App::open(config, world.clock.clone()).await;
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
    assert_eq!(world.clock.now(), Timestamp::parse(crate::support::NOW).unwrap());
    assert_eq!(world.owner.image_status(&world.import().await).await, "Available", "the first goes on");
}

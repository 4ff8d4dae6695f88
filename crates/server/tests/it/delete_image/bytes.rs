//! What becomes of the bytes: at once, after the grace period, and while somebody copies from them.

use super::{deleted, refused};
use crate::support::folders::RegionAway;
use crate::support::print::sha256;
use crate::support::refusals::NOT_EXIST;
use crate::support::{Setup, World, disk};

#[tokio::test]
async fn grace_keeps_the_bytes_until_the_clock_has_moved() {
    let world = World::open(Setup::with("[deletion]\ngrace = '1h'\n")).await;
    let image = world.import().await;
    let files = world.files_of(&image).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    for _ in 0..2 {
        world.drain().await;
        assert_eq!(world.files_of(&image).await, files, "the bytes outlive the delete");
        assert!(world.owner.image(&image).await.is_null(), "the image does not");
        refused(&world, &world.owner, &image, NOT_EXIST).await;
        world.pass(30 * 60 - 1);
    }
    world.pass(2);
    world.drain().await;
    world.assert_erased(&image).await;
}

/// The new image is made of the bytes of one that is deleted meanwhile: the copy is finished, with the
/// right content, and the old bytes go afterwards.
#[tokio::test]
async fn a_copy_in_progress_outlives_the_delete_of_its_source() {
    let world = World::new().await;
    let bytes = disk("the bytes that are copied");
    let source = world.import_disk(&bytes).await;
    let instance = world.owner.launch(&source).await;
    let copy = world.owner.create_image(&instance).await;
    world.owner.release(&instance).await;
    world.owner.ok("DeleteImage", &[("ImageId", &source)]).await;
    assert!(world.owner.image(&source).await.is_null());
    assert_eq!(world.owner.image_status(&copy).await, "Creating");

    world.drain().await;

    assert_eq!(world.owner.image_status(&copy).await, "Available");
    let files: Vec<String> = world.files_of(&copy).await.into_values().collect();
    assert_eq!(files, [sha256(&bytes)]);
    world.assert_erased(&source).await;
    world.assert_sound().await;
    deleted(&world, &world.owner, &copy).await;
}

/// The copy is held back, so the old bytes must stay however often the workers look.
#[tokio::test]
async fn bytes_that_a_copy_waits_for_are_not_erased_before_it() {
    let world = World::open(Setup::with("[timing]\nimage = '10m'\n")).await;
    let source = world.begin_import(&disk("waited for")).await;
    world.pass(600);
    world.drain().await;
    let instance = world.owner.launch(&source).await;
    let copy = world.owner.create_image(&instance).await;
    world.owner.release(&instance).await;
    let files = world.files_of(&source).await;
    world.owner.ok("DeleteImage", &[("ImageId", &source)]).await;
    for _ in 0..3 {
        world.drain().await;
        assert_eq!(world.files_of(&source).await, files);
        assert_eq!(world.owner.image_status(&copy).await, "Creating");
        world.pass(60);
    }
    world.pass(600);
    world.drain().await;
    assert_eq!(world.owner.image_status(&copy).await, "Available");
    world.assert_erased(&source).await;
    world.assert_sound().await;
}

/// A snapshot that is being taken copies from the image as well.
#[tokio::test]
async fn a_snapshot_in_progress_outlives_the_delete_too() {
    let world = World::new().await;
    let bytes = disk("the bytes of a snapshot");
    let source = world.import_disk(&bytes).await;
    let instance = world.owner.launch(&source).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.owner.release(&instance).await;
    world.owner.ok("DeleteImage", &[("ImageId", &source)]).await;
    world.drain().await;
    assert_eq!(world.owner.snapshot(&snapshot).await["Status"], "available");
    let files: Vec<String> = world.files_of(&snapshot).await.into_values().collect();
    assert_eq!(files, [sha256(&bytes)]);
    world.assert_erased(&source).await;
    world.assert_sound().await;
}

/// Somebody else has removed the object: not found counts as erased.
#[tokio::test]
async fn bytes_that_are_not_there_count_as_erased() {
    let world = World::new().await;
    let image = world.import().await;
    for file in world.files_of(&image).await.keys() {
        std::fs::remove_file(world.path("objects").join(file)).unwrap();
    }
    deleted(&world, &world.owner, &image).await;
}

/// A region that does not work delays the bytes that lie there, and nothing else.
#[tokio::test]
async fn a_region_that_is_away_is_tried_again_until_it_is_back() {
    let world = World::new().await;
    let image = world.import().await;
    let away = RegionAway::take(&world.path("objects/cn-beijing"));
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    for _ in 0..4 {
        world.drain().await;
        let sql = "SELECT COUNT(*) FROM replicas WHERE holder_id = $1 AND state = 'erasing' \
                   AND last_error IS NOT NULL AND due_ms IS NOT NULL";
        assert_eq!(world.count(sql, &[(&image).into()]).await, 1);
        world.pass(600);
    }
    drop(away);
    world.drain().await;
    world.assert_erased(&image).await;
}

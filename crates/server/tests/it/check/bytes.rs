//! Bytes that an available replica does not have.

use std::fs;

use calotype::check::Outcome;

use super::{assert_clean, check_and_repair, deep, look_with, options, repair_with, replica, told};
use crate::support::app_streaming::{self, AS, HOME};
use crate::support::print::sha256;
use crate::support::{NODE, PUBLIC_IMAGE, REGION, Setup, World, disk};

/// An App Streaming image that is in two regions.
async fn image_in_two_regions(world: &World) -> String {
    let image = app_streaming::image(world).await;
    let params = [("ImageId", image.as_str()), ("DestinationRegionList.1", REGION)];
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
    image
}

/// Changes one byte of a file.
fn flip(file: &std::path::Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[100] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_sound_world_is_clean() {
    let world = World::new().await;
    let image = image_in_two_regions(&world).await;
    let (kept, doomed) = (world.import().await, world.import().await);
    let instance = world.owner.launch(&kept).await;
    world.owner.create_snapshot(&instance).await;
    world.owner.ok("DeleteImage", &[("ImageId", &doomed)]).await;
    // Work that is still to be done is no finding.
    let report = look_with(&world, &deep()).await;
    assert_eq!((told(&report), report.status()), (vec![], 0));
    world.drain().await;
    assert_clean(&world, &deep()).await;
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_clean(&world, &deep()).await;
    world.drain().await;
    assert_clean(&world, &deep()).await;
    let text = look_with(&world, &options()).await.plan_text();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.starts_with("ap-southeast-1   1 objects, "), "{text}");
}

#[tokio::test]
async fn lost_bytes_are_copied_again_from_another_region() {
    for (kind, options) in [("missing", options()), ("length", options()), ("hash", deep())] {
        let world = World::new().await;
        let image = image_in_two_regions(&world).await;
        let (id, file) = replica(&world, &image, REGION).await;
        let whole = fs::read(&file).unwrap();
        match kind {
            "missing" => fs::remove_file(&file).unwrap(),
            "length" => fs::write(&file, &whole[1..]).unwrap(),
            _ => flip(&file),
        }
        let expected = format!("bytes-{kind}: copy from {HOME}");
        let plan = check_and_repair(&world, &options, &[&expected]).await;
        assert!(plan.contains(&id) && plan.contains(&image) && plan.contains(REGION), "{plan}");
        let (again, file) = replica(&world, &image, REGION).await;
        assert_eq!((again, sha256(&fs::read(&file).unwrap())), (id.clone(), sha256(&whole)));
        assert!(file.ends_with(format!("{id}.2")), "a key of its own: {file:?}");
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn only_a_deep_check_reads_the_bytes() {
    let world = World::new().await;
    let image = image_in_two_regions(&world).await;
    flip(&replica(&world, &image, REGION).await.1);
    assert_clean(&world, &options()).await;
    check_and_repair(&world, &deep(), &[&format!("bytes-hash: copy from {HOME}")]).await;
}

/// Nothing can be copied from what is lost itself.
#[tokio::test]
async fn bytes_that_are_lost_everywhere_make_an_image_unavailable() {
    let world = World::new().await;
    let image = image_in_two_regions(&world).await;
    for region in [HOME, REGION] {
        fs::remove_file(replica(&world, &image, region).await.1).unwrap();
    }
    check_and_repair(&world, &options(), &["bytes-missing: give up"; 2]).await;
    let state = world.text("SELECT state FROM images WHERE id = $1", &[image.as_str().into()]).await;
    assert_eq!(state, "unavailable");
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    world.assert_erased(&image).await;
    assert_clean(&world, &options()).await;
}

#[tokio::test]
async fn an_image_without_bytes_is_not_used_and_can_be_deleted() {
    let world = World::new().await;
    let image = world.import().await;
    fs::remove_file(replica(&world, &image, REGION).await.1).unwrap();
    check_and_repair(&world, &options(), &["bytes-missing: give up"]).await;
    assert_eq!(world.owner.image_status(&image).await, "Unavailable");
    let launch = [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small"), ("EnsRegionId", NODE)];
    let refused = world.owner.try_call("RunInstances", &launch).await.unwrap();
    assert_eq!((refused.status, refused.code()), (400, Some("IncorrectStatus.Image")), "{}", refused.body);
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    world.assert_erased(&image).await;
    world.assert_sound().await;
}

/// Damaged bytes may be all that is left of an image: they go when its owner deletes it, and not before.
#[tokio::test]
async fn damaged_bytes_are_kept_until_the_image_is_deleted() {
    let world = World::new().await;
    let image = world.import_disk(&disk("to be damaged")).await;
    let (_, file) = replica(&world, &image, REGION).await;
    flip(&file);
    check_and_repair(&world, &deep(), &["bytes-hash: give up"]).await;
    assert!(file.exists());
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    assert!(!file.exists());
    world.assert_erased(&image).await;
    assert_clean(&world, &deep()).await;
}

/// A restore within the grace period must not bring a replica back as whole that has no bytes.
#[tokio::test]
async fn what_was_given_up_is_not_whole_after_a_restore_either() {
    let world = World::open(Setup::with("[deletion]\ngrace = '1h'\n")).await;
    let image = world.import().await;
    fs::remove_file(replica(&world, &image, REGION).await.1).unwrap();
    check_and_repair(&world, &options(), &["bytes-missing: give up"]).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.owner.must(app_streaming::OWN, "RestoreImage", &[("ImageId", &image)]).await;
    assert_clean(&world, &options()).await;
    assert_eq!(world.owner.image_status(&image).await, "Unavailable");
}

#[tokio::test]
async fn an_empty_disk_is_made_again() {
    let world = World::new().await;
    let (_, file) = replica(&world, PUBLIC_IMAGE, HOME).await;
    let whole = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    check_and_repair(&world, &options(), &["bytes-missing: make"]).await;
    let (_, file) = replica(&world, PUBLIC_IMAGE, HOME).await;
    assert_eq!(fs::read(file).unwrap(), whole);
    world.owner.launch(PUBLIC_IMAGE).await;
}

/// Its source is the operator's, unlike that of somebody's image.
#[tokio::test]
async fn a_system_image_is_made_again_from_its_source() {
    let settings = "[[public_image]]\nid = 'golden-public'\napi = 'ens'\nsource = 'golden/public.qcow2'\n";
    let world = World::open_idle(Setup::with(settings)).await;
    fs::write(world.path("buckets/golden/public.qcow2"), disk("the operator's")).unwrap();
    world.drain().await;
    let (_, file) = replica(&world, "golden-public", HOME).await;
    fs::write(&file, "not what it was").unwrap();
    check_and_repair(&world, &options(), &["bytes-length: make"]).await;
    let (_, file) = replica(&world, "golden-public", HOME).await;
    assert_eq!(fs::read(file).unwrap(), disk("the operator's"));
}

#[tokio::test]
async fn a_snapshot_without_bytes_is_an_error() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    fs::remove_file(replica(&world, &snapshot, HOME).await.1).unwrap();
    check_and_repair(&world, &options(), &["bytes-missing: give up"]).await;
    assert_eq!(world.owner.snapshot(&snapshot).await["Status"], "error");
    world.owner.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    world.drain().await;
    world.assert_sound().await;
}

/// After a restore the record knows an earlier key than the bytes have.
#[tokio::test]
async fn bytes_under_another_key_of_the_replica_are_taken() {
    let world = World::new().await;
    let image = world.import_disk(&disk("moved")).await;
    let (id, file) = replica(&world, &image, REGION).await;
    let moved = file.with_file_name(format!("{id}.5"));
    fs::rename(&file, &moved).unwrap();
    // Of the same length, but others.
    let mut other = fs::read(&moved).unwrap();
    other[100] ^= 1;
    fs::write(file.with_file_name(format!("{id}.4")), other).unwrap();
    let sql = "UPDATE replicas SET writes = 999, unused_writes = '2-999 ' WHERE id = $1";
    world.change(sql, &[id.as_str().into()]).await;

    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["bytes-missing: adopt", "object-stale: nothing"], "{}", report.plan_text());
    repair_with(&world, &mut report).await;
    assert_eq!((report.status(), report.remaining()), (1, 1), "the other one comes after it");
    assert_eq!(replica(&world, &image, REGION).await.1, moved);
    check_and_repair(&world, &deep(), &["object-stale: erase"]).await;
    // Its number is known by now, and goes with the image.
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    assert!(!moved.exists());
    world.assert_sound().await;
}

#[tokio::test]
async fn what_has_changed_since_the_look_is_left_alone() {
    let world = World::new().await;
    let (image, copied) = (world.import().await, image_in_two_regions(&world).await);
    fs::remove_file(replica(&world, &image, REGION).await.1).unwrap();
    fs::remove_file(replica(&world, &copied, REGION).await.1).unwrap();
    let mut report = look_with(&world, &options()).await;
    assert_eq!(report.entries.len(), 2);
    // Both are deleted before the repair.
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.owner.must(AS, "DeleteImage", &[("ImageId", &copied)]).await;
    let before = world.print().await;
    repair_with(&world, &mut report).await;
    assert!(report.entries.iter().all(|entry| entry.outcome == Some(Outcome::Gone)), "{:?}", report.entries);
    assert_eq!((world.print().await, report.status()), (before, 0));
    world.drain().await;
    assert_clean(&world, &options()).await;
}

//! `ExportImage`: the bytes of an image become an object of a bucket, whole or not at all; until then the image
//! cannot be deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use calotype_store::seam::{Effect, ObjectAction, Seam, Step};
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;

use crate::support::app_streaming::OWN;
use crate::support::caller::{Caller, text};
use crate::support::folders::RegionAway;
use crate::support::refusals::{
    IMAGE_STATUS, IMAGE_TYPE, INVALID_IMAGE_ID, MISSING_ONE_PARAMETER, Row, invalid,
};
use crate::support::{BUCKET, OTHER, PUBLIC_IMAGE, REGION, Setup, World, disk, with, without};

/// The parameters of an export of this image.
fn params(image: &str) -> Vec<(&'static str, &str)> {
    vec![("ImageId", image), ("OSSBucket", BUCKET), ("OSSRegionId", REGION)]
}

async fn status(caller: &Caller, image: &str) -> String {
    let body = caller.ok("DescribeExportImageStatus", &[("ImageId", image)]).await;
    text(&body["ImageExportStatus"])
}

/// Every file of a bucket, those that readers do not see included.
fn files(bucket: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![bucket.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(bucket).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// What lies in the bucket of every world and is no source of an import.
fn exported(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut found = files(&world.path("buckets").join(BUCKET));
    found.retain(|name, _| !name.starts_with("disk-"));
    found
}

#[tokio::test]
async fn the_object_gets_exactly_the_bytes_of_the_image() {
    let world = World::new().await;
    let bytes = disk("exported");
    let image = world.import_disk(&bytes).await;
    let body =
        world.owner.ok("ExportImage", &with(params(&image), &[("OSSPrefix", "dataCenter/972/")])).await;
    let object = format!("dataCenter/972/{image}.qcow2");
    let url = format!("oss://{BUCKET}/{object}");
    assert_eq!(body, json!({ "ExportedImageURL": url, "RequestId": body["RequestId"] }));
    assert_eq!(status(&world.owner, &image).await, "Exporting");
    assert!(exported(&world).is_empty(), "nothing is written before the answer");

    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exported");
    assert_eq!(exported(&world), BTreeMap::from([(object.clone(), bytes.clone())]));
    world.assert_sound().await;

    // It is a file like any other: an image can be made of it.
    let import = with(crate::support::import_params(&object), &[("ImageName", "back-again")]);
    let again = text(&world.owner.ok("ImportImage", &import).await["ImageId"]);
    world.drain().await;
    assert_eq!(world.owner.image_status(&again).await, "Available");
}

#[tokio::test]
async fn d18_while_it_is_exported_an_image_cannot_be_deleted() {
    let world = World::open(Setup::with("[timing]\nimage = '30s'\n")).await;
    let image = world.begin_import(&disk("busy")).await;
    world.pass(30);
    world.drain().await;
    world.owner.ok("ExportImage", &params(&image)).await;
    let before = world.print().await;
    world.owner.refused("DeleteImage", &[("ImageId", &image)], IMAGE_STATUS).await;
    assert_eq!(world.print().await, before);

    let told = world.owner.must(OWN, "ExplainDeleteImage", &[("ImageId", &image)]).await;
    let blocker = json!({
        "Id": format!("oss://{BUCKET}/{image}.qcow2"),
        "InProgress": true,
        "Kind": "Export",
        "Owner": crate::support::OWNER,
        "Since": world.clock.now().to_string(),
    });
    assert_eq!(told["Refusals"][0]["Kind"], "Exporting");
    assert_eq!(told["Refusals"][0]["Code"], IMAGE_STATUS.1);
    assert_eq!(told["Refusals"][0]["Blockers"], json!([blocker]));

    world.pass(29);
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exporting", "it takes as long as the settings say");
    world.pass(1);
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exported");
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    world.assert_erased(&image).await;
    assert_eq!(exported(&world).len(), 1, "what was exported is the bucket's");
    let left = world.count("SELECT COUNT(*) FROM exports WHERE image_id = $1", &[(&image).into()]).await;
    assert_eq!(left, 0, "nothing is known of it any more");
}

#[tokio::test]
async fn d18_status_before_use() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.launch(&image).await;
    world.owner.ok("ExportImage", &params(&image)).await;
    world.owner.refused("DeleteImage", &[("ImageId", &image)], IMAGE_STATUS).await;
}

#[tokio::test]
async fn only_what_the_caller_made_and_what_is_available_is_exported() {
    let world = World::new().await;
    let (image, gone) = (world.import().await, world.import().await);
    let making = world.begin_import(&disk("x")).await;
    world.owner.ok("DeleteImage", &[("ImageId", &gone)]).await;
    world.owner.share(&image, OTHER).await;
    let before = world.print().await;
    for unknown in ["m-unknown", &gone, "m a"] {
        world.owner.refused("ExportImage", &params(unknown), INVALID_IMAGE_ID).await;
    }
    world.third.refused("ExportImage", &params(&image), INVALID_IMAGE_ID).await;
    world.other.refused("ExportImage", &params(&image), IMAGE_TYPE).await;
    world.owner.refused("ExportImage", &params(PUBLIC_IMAGE), IMAGE_TYPE).await;
    world.owner.refused("ExportImage", &params(&making), IMAGE_STATUS).await;
    assert_eq!(world.print().await, before);
    // One at a time.
    world.owner.ok("ExportImage", &params(&image)).await;
    world.owner.refused("ExportImage", &params(&image), IMAGE_STATUS).await;
    world.drain().await;
    world.owner.ok("ExportImage", &params(&image)).await;
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let image = world.import().await;
    let before = world.print().await;
    for name in ["ImageId", "OSSBucket", "OSSRegionId"] {
        world.owner.refused("ExportImage", &without(&params(&image), name), MISSING_ONE_PARAMETER).await;
    }
    let (long, role) = ("x".repeat(31), "r".repeat(257));
    let cases: [(&'static str, &str, Row); 13] = [
        ("OSSBucket", "no-such-bucket", invalid!("OSSBucket")),
        ("OSSBucket", "..", invalid!("OSSBucket")),
        ("OSSBucket", "../objects", invalid!("OSSBucket")),
        ("OSSRegionId", "mars-1", invalid!("OSSRegionId")),
        ("OSSRegionId", "a b", invalid!("OSSRegionId")),
        ("OSSPrefix", "/etc", invalid!("OSSPrefix")),
        ("OSSPrefix", "..", invalid!("OSSPrefix")),
        ("OSSPrefix", "a/../../b", invalid!("OSSPrefix")),
        ("OSSPrefix", "a//b", invalid!("OSSPrefix")),
        ("OSSPrefix", "a#1", invalid!("OSSPrefix")),
        ("OSSPrefix", &long, invalid!("OSSPrefix")),
        ("RoleName", &role, invalid!("RoleName")),
        ("ImageId", "m-a,m-b", INVALID_IMAGE_ID),
    ];
    for (name, value, row) in cases {
        world.owner.refused("ExportImage", &with(params(&image), &[(name, value)]), row).await;
    }
    assert_eq!(world.print().await, before);
    assert!(exported(&world).is_empty());
    world.owner.ok("ExportImage", &with(params(&image), &[("RoleName", "AliyunExport")])).await;
}

#[tokio::test]
async fn the_region_is_that_of_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(Setup::with(&bucket(folder.path()))).await;
    let image = world.import().await;
    let to = |region| with(params(&image), &[("OSSBucket", "named"), ("OSSRegionId", region)]);
    world.owner.refused("ExportImage", &to("cn-hangzhou"), invalid!("OSSRegionId")).await;
    world.owner.ok("ExportImage", &to("cn-shanghai")).await;
    world.drain().await;
    assert_eq!(files(folder.path()).len(), 1);
}

/// The settings of a bucket that is called `named`.
fn bucket(folder: &Path) -> String {
    format!("[[bucket]]\nname = 'named'\nregion = 'cn-shanghai'\nobjects = 'file:{}'\n", folder.display())
}

/// A bucket that can only be read does not accept the bytes, and neither does one that is away: the export is
/// tried again, and given up in the end.
#[tokio::test]
async fn a_bucket_that_cannot_be_written_to_ends_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("bucket");
    fs::create_dir(&home).unwrap();
    let world = World::open(Setup::with(&bucket(&home))).await;
    let image = world.import().await;
    let to = with(params(&image), &[("OSSBucket", "named"), ("OSSRegionId", "cn-shanghai")]);
    world.owner.ok("ExportImage", &to).await;
    let away = RegionAway::take(&home);
    for tries in 1..=5 {
        world.drain().await;
        assert_eq!(status(&world.owner, &image).await, "Exporting", "after {tries} tries");
        world.owner.refused("DeleteImage", &[("ImageId", &image)], IMAGE_STATUS).await;
        world.pass(600);
    }
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "ExportError");
    let reason = world.text("SELECT last_error FROM exports WHERE image_id = $1", &[(&image).into()]).await;
    assert_eq!(reason, "the write to the bucket failed");
    drop(away);
    assert!(files(&home).is_empty());
    world.pass(600);
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "ExportError", "it was given up");

    world.owner.ok("ExportImage", &to).await;
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exported");
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
}

#[tokio::test]
async fn a_region_that_is_away_is_waited_for() {
    let world = World::new().await;
    let bytes = disk("read later");
    let image = world.import_disk(&bytes).await;
    world.owner.ok("ExportImage", &params(&image)).await;
    let away = RegionAway::take(&world.path("objects").join(REGION));
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exporting");
    drop(away);
    world.pass(600);
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exported");
    assert_eq!(exported(&world).into_values().collect::<Vec<_>>(), [bytes]);
}

#[tokio::test]
async fn bytes_that_are_not_the_recorded_ones_are_not_handed_out() {
    let world = World::new().await;
    let image = world.import_disk(&disk("right")).await;
    let (file, _) = world.files_of(&image).await.pop_first().unwrap();
    fs::write(world.path("objects").join(file), disk("wrong")).unwrap();
    world.owner.ok("ExportImage", &params(&image)).await;
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "ExportError", "no other attempt can end better");
    assert!(exported(&world).is_empty());
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
}

/// A killed process leaves half a file, and the row. The next start goes on, and removes what was left.
#[tokio::test]
async fn after_a_restart_it_goes_on() {
    let world = World::new().await;
    let bytes = disk("kept over the restart");
    let image = world.import_disk(&bytes).await;
    world.owner.ok("ExportImage", &params(&image)).await;
    let mut tx = world.app.db.begin().await.unwrap();
    let now = world.clock.now();
    let until = now.plus_millis(60_000);
    let lease = calotype_store::replicas::Lease { owner: "a process that dies".to_owned(), until };
    let task = calotype_store::exports::claim(&mut tx, now, &lease, &[]).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(task.attempt, 1);
    let home = world.path("buckets").join(BUCKET);
    fs::write(home.join(format!("{image}.qcow2#1")), b"half of it").unwrap();
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exporting", "somebody has it");
    world.owner.refused("DeleteImage", &[("ImageId", &image)], IMAGE_STATUS).await;

    let world = world.reopen().await;
    world.outlive_leases();
    world.owner.refused("DeleteImage", &[("ImageId", &image)], IMAGE_STATUS).await;
    world.drain().await;
    assert_eq!(status(&world.owner, &image).await, "Exported");
    assert_eq!(exported(&world), BTreeMap::from([(format!("{image}.qcow2"), bytes)]));
}

/// Lets the last step of a delivery wait for as long as the channel says.
#[derive(Debug)]
struct Hang(watch::Receiver<bool>);

impl Seam for Hang {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        let Step::Object { place: "named", action: ObjectAction::Finish, .. } = step else {
            return Box::pin(std::future::ready(Effect::Go));
        };
        let mut hanging = self.0.clone();
        Box::pin(async move {
            hanging.wait_for(|hangs| !hangs).await.unwrap();
            Effect::Go
        })
    }
}

/// Looks until the export of an image has this status.
async fn becomes(caller: &Caller, image: &str, wanted: &str) {
    for _ in 0..4_000 {
        if status(caller, image).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{image} did not become {wanted}");
}

/// Everything is written but the end: nobody sees it. And other buckets do not wait for the one that hangs.
#[tokio::test]
async fn a_bucket_that_hangs_delays_itself_only() {
    let folder = tempfile::tempdir().unwrap();
    let (hang, hanging) = watch::channel(true);
    let seam = Some(Arc::new(Hang(hanging)) as Arc<dyn Seam>);
    let world = World::open(Setup { seam, ..Setup::with(&bucket(folder.path())) }).await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(world.import().await);
    }
    let quick = world.import().await;
    let _working = world.work();
    for image in &slow {
        let to = with(params(image), &[("OSSBucket", "named"), ("OSSRegionId", "cn-shanghai")]);
        world.owner.ok("ExportImage", &to).await;
    }
    world.owner.ok("ExportImage", &params(&quick)).await;
    becomes(&world.owner, &quick, "Exported").await;
    for image in &slow {
        assert_eq!(status(&world.owner, image).await, "Exporting");
        world.owner.refused("DeleteImage", &[("ImageId", image)], IMAGE_STATUS).await;
    }
    assert!(files(folder.path()).keys().all(|name| name.ends_with(".qcow2#1")), "hidden from readers");
    hang.send(false).unwrap();
    for image in &slow {
        becomes(&world.owner, image, "Exported").await;
        world.owner.ok("DeleteImage", &[("ImageId", image)]).await;
    }
    assert_eq!(files(folder.path()).len(), slow.len());
}

//! A check beside everything else: what is on the way is never a finding.

use std::sync::Arc;
use std::time::Duration;

use calotype::check::{Options, Progress, look, repair};
use tokio::task::JoinSet;

use super::{assert_clean, options};
use crate::support::app_streaming::{self, AS};
use crate::support::caller::{Caller, text};
use crate::support::{PUBLIC_IMAGE, REGION, World, disk, import_params};

/// How often a caller does everything.
const LIVES: usize = 12;

const CALLERS: usize = 3;

/// Waits until an image is there.
async fn made(caller: &Caller, image: &str) {
    while caller.image_status(image).await != "Available" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Imports, launches, copies, switches, releases and deletes.
async fn live(caller: Caller, object: Arc<str>) {
    for _ in 0..LIVES {
        let source = text(&caller.ok("ImportImage", &import_params(&object)).await["ImageId"]);
        made(&caller, &source).await;
        let instance = caller.launch(&source).await;
        let copy = caller.create_image(&instance).await;
        let snapshot = caller.create_snapshot(&instance).await;
        caller.reinit(&instance, PUBLIC_IMAGE).await;
        while caller.try_call("DeleteImage", &[("ImageId", &source)]).await.unwrap().status != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        caller.release(&instance).await;
        while caller.try_call("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await.unwrap().status != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        made(&caller, &copy).await;
        caller.ok("DeleteImage", &[("ImageId", &copy)]).await;
    }
}

/// Distributes an image over the regions and deletes it, again and again.
async fn distribute(world: &World, images: Vec<String>) {
    for image in images {
        let params = [
            ("ImageId", image.as_str()),
            ("DestinationRegionList.1", REGION),
            ("DestinationRegionList.2", "cn-shanghai"),
        ];
        world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
        while world.owner.call(AS, "DeleteImage", &[("ImageId", &image)]).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Everything at once, and checks beside it until all is done; `check` gives whether to go on. The world after it.
async fn beside_everything(options: Options, mut check: impl AsyncFnMut(&World, &Options) -> bool) -> World {
    let world = World::new().await;
    let mut images = Vec::new();
    for _ in 0..6 {
        images.push(app_streaming::image(&world).await);
    }
    let working = world.work();
    let object: Arc<str> = world.put(&disk("the same for all")).into();
    let mut living = JoinSet::new();
    for _ in 0..CALLERS {
        let caller = Caller::new(world.address, "owner", &world.clock);
        living.spawn(live(caller, Arc::clone(&object)));
    }
    let mut distributing = Box::pin(distribute(&world, images));
    let (mut distributed, mut goes_on) = (false, true);
    while (!living.is_empty() || !distributed) && goes_on {
        tokio::select! {
            Some(ended) = living.join_next() => ended.unwrap(),
            () = &mut distributing, if !distributed => distributed = true,
            () = tokio::time::sleep(Duration::from_millis(1)) => goes_on = check(&world, &options).await,
        }
    }
    drop(distributing);
    drop(working);
    world
}

/// Without a pause between the looks, so that both are as near to each other as they can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_check_beside_a_busy_server_finds_nothing_and_repairs_nothing() {
    let mut checks = 0;
    let world = beside_everything(options(), async |world, options| {
        let (db, places) = (&world.app.db, &world.app.places);
        let options = Options { deep: checks % 2 == 0, ..options.clone() };
        let progress = Progress::default();
        let mut report = look(db, places, world.clock.now(), &options, &progress).await.unwrap();
        assert_eq!(report.status(), 0, "{}", report.plan_text());
        repair(db, places, world.clock.now(), &mut report, &progress).await.unwrap();
        checks += 1;
        true
    })
    .await;
    assert!(checks > 20, "{checks} checks");
    world.pass(60);
    world.drain().await;
    assert_clean(&world, &options()).await;
    world.assert_sound().await;
}

/// The negative control: what changes between bytes and records looks like a finding, if it is looked at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_look_beside_a_busy_server_finds_what_is_not_there() {
    let (mut checks, mut false_findings) = (0, 0);
    let once = Options { twice: false, ..options() };
    beside_everything(once, async |world, options| {
        let (db, places) = (&world.app.db, &world.app.places);
        let report = look(db, places, world.clock.now(), options, &Progress::default()).await.unwrap();
        false_findings += report.entries.len();
        checks += 1;
        false_findings == 0
    })
    .await;
    assert!(false_findings > 0, "none in {checks} checks");
}

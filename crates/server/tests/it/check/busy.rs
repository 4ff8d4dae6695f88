//! A check beside everything else: what is on the way is never a finding.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use calotype::app::App;
use calotype::check::{Options, Progress, look, repair};
use calotype::workers;
use calotype_store::seam::{Effect, MaybeSeam, ObjectAction, Seam, Step};
use futures::future::BoxFuture;
use tokio::task::JoinSet;

use super::{assert_clean, options, told};
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

/// Without a pause between the looks, so that both are as near to each other as they can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_check_beside_a_busy_server_finds_nothing_and_repairs_nothing() {
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
    let mut distributing = std::pin::pin!(distribute(&world, images));
    let (mut checks, mut distributed) = (0, false);
    while !living.is_empty() || !distributed {
        tokio::select! {
            Some(ended) = living.join_next() => ended.unwrap(),
            () = &mut distributing, if !distributed => distributed = true,
            () = tokio::time::sleep(Duration::from_millis(1)) => {
                let (db, places) = (&world.app.db, &world.app.places);
                let options = Options { deep: checks % 2 == 0, ..options() };
                let progress = Progress::default();
                let mut report = look(db, places, world.clock.now(), &options, &progress).await.unwrap();
                assert_eq!(report.status(), 0, "{}", report.plan_text());
                repair(db, places, world.clock.now(), &mut report, &progress).await.unwrap();
                checks += 1;
            }
        }
    }
    assert!(checks > 20, "{checks} checks");
    drop(working);
    world.pass(60);
    world.drain().await;
    assert_clean(&world, &options()).await;
    world.assert_sound().await;
}

/// When the server does all its work, while it is looked at.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After the objects of the region were listed, before the records are read.
    BetweenBytesAndRecords,
    /// After an object was listed that no record has, before its record is read.
    BetweenObjectAndRecord,
}

/// Lets the server work at one moment of a look.
#[derive(Debug)]
struct Meanwhile {
    app: Arc<App>,
    moment: Moment,
    listed: AtomicU32,
    worked: AtomicBool,
}

impl Meanwhile {
    fn is_now(&self, step: Step<'_>) -> bool {
        if matches!(step, Step::Object { place: REGION, action: ObjectAction::List, .. }) {
            self.listed.fetch_add(1, Ordering::SeqCst);
        }
        let times = match self.moment {
            Moment::BetweenBytesAndRecords => 1,
            Moment::BetweenObjectAndRecord => 2,
        };
        matches!(step, Step::Begin) && self.listed.load(Ordering::SeqCst) == times
    }
}

impl Seam for Meanwhile {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        Box::pin(async move {
            if self.is_now(step) && !self.worked.swap(true, Ordering::SeqCst) {
                workers::drain(&self.app).await.unwrap();
            }
            Effect::Go
        })
    }
}

/// What is found of an import and a delete that the server carries out at this moment of the look.
async fn found_meanwhile(moment: Moment, twice: bool) -> Vec<String> {
    let world = World::new().await;
    let doomed = world.import().await;
    world.begin_import(&disk("on the way")).await;
    world.owner.ok("DeleteImage", &[("ImageId", &doomed)]).await;
    let seam: MaybeSeam = Some(Arc::new(Meanwhile {
        app: Arc::clone(&world.app),
        moment,
        listed: AtomicU32::new(0),
        worked: AtomicBool::new(false),
    }));
    let (db, places) = (world.app.db.behind(seam.clone()), world.app.places.behind(&seam));
    let options = Options { twice, ..options() };
    let report = look(&db, &places, world.clock.now(), &options, &Progress::default()).await.unwrap();
    assert_clean(&world, &super::options()).await;
    world.assert_erased(&doomed).await;
    told(&report)
}

#[tokio::test]
async fn what_the_server_ends_between_the_looks_is_no_finding() {
    for moment in [Moment::BetweenBytesAndRecords, Moment::BetweenObjectAndRecord] {
        assert_eq!(found_meanwhile(moment, true).await, [""; 0], "{moment:?}");
    }
}

/// The negative control: what changes between bytes and records looks like a finding, if it is looked at once.
#[tokio::test]
async fn one_look_finds_what_is_not_there() {
    let imported = found_meanwhile(Moment::BetweenBytesAndRecords, false).await;
    assert_eq!(imported, ["bytes-missing: give up"]);
    let deleted = found_meanwhile(Moment::BetweenObjectAndRecord, false).await;
    assert_eq!(deleted, ["object-of-erased: erase"]);
}

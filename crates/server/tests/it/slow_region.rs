//! A region that hangs delays itself only.

use std::sync::Arc;
use std::time::Duration;

use calotype_store::seam::{Effect, ObjectAction, Seam, Step};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

use crate::support::app_streaming::{self, AS, HOME, OWN};
use crate::support::{Setup, World};

/// The region that hangs.
const SLOW: &str = "cn-beijing";

/// The others.
const QUICK: [&str; 3] = ["ap-southeast-1", HOME, "cn-shanghai"];

/// Images that are deleted, more than one batch of the slow region can hold.
const IMAGES: usize = 3;

/// How often to look before giving up.
const LOOKS_MAX: usize = 4_000;

/// Lets what is done in one region wait for as long as the channel says.
#[derive(Debug)]
struct Hang {
    actions: &'static [ObjectAction],
    hanging: watch::Receiver<bool>,
}

impl Seam for Hang {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        let Step::Object { place: SLOW, action, .. } = step else {
            return Box::pin(std::future::ready(Effect::Go));
        };
        if !self.actions.contains(&action) {
            return Box::pin(std::future::ready(Effect::Go));
        }
        let mut hanging = self.hanging.clone();
        Box::pin(async move {
            hanging.wait_for(|hangs| !hangs).await.unwrap();
            Effect::Go
        })
    }
}

/// A world in which these actions of the slow region hang while the channel says so.
async fn world(actions: &'static [ObjectAction]) -> (World, watch::Sender<bool>) {
    let (hang, hanging) = watch::channel(false);
    let seam = Some(Arc::new(Hang { actions, hanging }) as Arc<dyn Seam>);
    (World::open(Setup { seam, ..Setup::default() }).await, hang)
}

/// Looks until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("waited in vain: {what}");
}

async fn distribute(world: &World, image: &str, regions: &[&str]) {
    let names = ["DestinationRegionList.1", "DestinationRegionList.2", "DestinationRegionList.3"];
    let mut params = vec![("ImageId", image)];
    params.extend(names.into_iter().zip(regions.iter().copied()));
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
}

/// The regions in this state.
async fn regions(world: &World, image: &str, state: &str) -> Vec<String> {
    let told = world.owner.must(OWN, "GetDeletion", &[("ImageId", image)]).await;
    let regions = told["Deletion"]["Regions"].as_array().unwrap().iter();
    let mut found: Vec<String> = regions
        .filter(|region| region["State"] == state)
        .map(|region| region["RegionId"].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn erasures_elsewhere_do_not_wait_for_a_region_that_hangs() {
    let (world, hang) = world(&[ObjectAction::Erase]).await;
    let mut images = Vec::new();
    for _ in 0..IMAGES {
        let image = app_streaming::image(&world).await;
        distribute(&world, &image, &["ap-southeast-1", "cn-shanghai", SLOW]).await;
        images.push(image);
    }
    world.drain().await;
    hang.send(true).unwrap();
    let _working = world.work();
    for image in &images {
        world.owner.must(AS, "DeleteImage", &[("ImageId", image)]).await;
    }
    for image in &images {
        until("the other regions", async || regions(&world, image, "Erased").await == QUICK).await;
        assert_eq!(regions(&world, image, "Erased").await, QUICK);
        let state = world.owner.must(OWN, "GetDeletion", &[("ImageId", image)]).await;
        assert_eq!(state["Deletion"]["State"], "Erasing");
    }
    hang.send(false).unwrap();
    for image in &images {
        until("the slow region", async || regions(&world, image, "Erased").await.len() == 4).await;
        world.assert_erased(image).await;
    }
}

#[tokio::test]
async fn copies_elsewhere_do_not_wait_for_a_region_that_hangs() {
    let (world, hang) = world(&[ObjectAction::Write]).await;
    let mut images = Vec::new();
    // More than a region fills at once.
    for _ in 0..6 {
        images.push(app_streaming::image(&world).await);
    }
    let late = app_streaming::image(&world).await;
    hang.send(true).unwrap();
    let _working = world.work();
    for image in &images {
        distribute(&world, image, &[SLOW]).await;
    }
    distribute(&world, &late, &[SLOW, "cn-shanghai"]).await;
    let filled = async |region: &str| {
        let params = [("ImageId", late.as_str())];
        let listed = world.owner.must(AS, "ListImage", &params).await;
        let regions = listed["Data"][0]["ImageRegionDistributeList"].as_array().unwrap().clone();
        let of_region = |entry: &&Value| entry["RegionId"] == region;
        regions.iter().find(of_region).is_some_and(|entry| entry["Status"] == "AVAILABLE")
    };
    until("the other region", async || filled("cn-shanghai").await).await;
    assert!(!filled(SLOW).await);
    hang.send(false).unwrap();
    until("the slow region", async || filled(SLOW).await).await;
}

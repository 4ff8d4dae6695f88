//! With the workers running, as in a server: they hear of work, and calls may come at any moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::race::arena::violations;
use crate::support::caller::{Caller, text};
use crate::support::print::sha256;
use crate::support::{PUBLIC_IMAGE, Setup, World, disk, import_params};

/// How often to look before giving up.
const LOOKS_MAX: usize = 4_000;

/// Looks again and again until an image has this status.
async fn becomes(caller: &Caller, image: &str, status: &str) {
    for _ in 0..LOOKS_MAX {
        let found = caller.image(image).await;
        match found["Status"].as_str().unwrap_or("gone") {
            found if found == status => return,
            "Creating" | "Packing" | "Uploading" | "Copying" => {}
            other => panic!("{image} is {other}, not {status}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{image} did not become {status}");
}

/// Nobody waits for a timer: the bell of a commit is heard.
#[tokio::test]
async fn work_is_begun_when_it_is_accepted() {
    let world = World::open_idle(Setup::default()).await;
    let _working = world.work();
    let bytes = disk("without a drain");
    let image = world.begin_import(&bytes).await;
    becomes(&world.owner, &image, "Available").await;
    let instance = world.owner.launch(&image).await;
    let copy = world.owner.create_image(&instance).await;
    becomes(&world.owner, &copy, "Available").await;
    world.owner.reinit(&instance, &copy).await;
    for look in 0.. {
        if world.owner.instance_status(&instance).await == "Running" {
            break;
        }
        assert!(look < LOOKS_MAX, "the switch does not end");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    for look in 0.. {
        if world.files_of(&image).await.is_empty() {
            break;
        }
        assert!(look < LOOKS_MAX, "the bytes are not erased");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(world.files_of(&copy).await.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
}

/// Ends with the workers in the middle of things; another start finishes them.
#[tokio::test]
async fn workers_that_end_leave_work_that_goes_on() {
    let world = World::new().await;
    let working = world.work();
    let mut images = Vec::new();
    for _ in 0..6 {
        images.push(world.begin_import(&disk("interrupted")).await);
    }
    drop(working);
    let world = world.reopen().await;
    world.outlive_leases();
    world.drain().await;
    for image in &images {
        assert_eq!(world.owner.image_status(image).await, "Available");
    }
    world.assert_sound().await;
}

/// One life: import, launch, make an image of the instance, release, delete the source while it is
/// being copied from, use and delete the copy. Gives the two images.
async fn live(caller: &Caller, object: &str) -> [String; 2] {
    let imported = caller.ok("ImportImage", &import_params(object)).await;
    let source = text(&imported["ImageId"]);
    becomes(caller, &source, "Available").await;
    let instance = caller.launch(&source).await;
    let copy = caller.create_image(&instance).await;
    caller.release(&instance).await;
    caller.ok("DeleteImage", &[("ImageId", &source)]).await;
    becomes(caller, &copy, "Available").await;
    let instance = caller.launch(&copy).await;
    caller.reinit(&instance, PUBLIC_IMAGE).await;
    // Refused until the worker has ended the switch.
    for look in 0.. {
        let answer = caller.try_call("DeleteImage", &[("ImageId", &copy)]).await.unwrap();
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.code(), Some("Forbidden.DelerrorteImage"), "{}", answer.body);
        assert!(look < LOOKS_MAX, "the switch does not end");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    caller.release(&instance).await;
    [source, copy]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_lives_at_once_leave_nothing_behind() {
    const CALLERS: usize = 6;
    const LIVES: usize = 8;
    let world = World::new().await;
    let working = world.work();
    let object: Arc<str> = world.put(&disk("the same for all")).into();
    let mut living = JoinSet::new();
    for _ in 0..CALLERS {
        let caller = Caller::new(world.address, "owner", &world.clock);
        let object = Arc::clone(&object);
        living.spawn(async move {
            let mut images = Vec::new();
            for _ in 0..LIVES {
                images.extend(live(&caller, &object).await);
            }
            images
        });
    }
    let images: Vec<String> = living.join_all().await.concat();
    assert_eq!(images.len(), 2 * CALLERS * LIVES);
    assert_eq!(violations(&world, None).await, 0);
    drop(working);
    // The workers ended wherever they were; the clock does not bring their leases back.
    world.pass(60);
    world.drain().await;
    for image in &images {
        world.assert_erased(image).await;
    }
    world.assert_sound().await;
    assert_eq!(world.files().len(), 5, "the system images: one of ENS, one in each region");
}

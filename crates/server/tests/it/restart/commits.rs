//! Transactions share commits: whoever was answered is durable, whoever was not has changed nothing in
//! part.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use calotype_core::ids::{AccountId, ImageId};
use calotype_store::shares;
use tokio::task::JoinSet;

use crate::support::caller::Caller;
use crate::support::{OTHER, Setup, World, disk, import_params, with};

/// Writers at once.
const WRITERS: usize = 8;

/// Writes that are acknowledged before the server dies.
const ACKNOWLEDGED: usize = 120;

/// Images that are deleted while the server dies.
const IMAGES: usize = 96;

/// Lets writers import images until nobody answers them; gives the names of those that were accepted.
fn write(world: &World, object: &str, until: usize) -> (JoinSet<()>, Arc<Mutex<BTreeSet<String>>>) {
    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    let mut writing = JoinSet::new();
    for writer in 0..WRITERS {
        let caller = Caller::new(world.address, "owner", &world.clock);
        let (accepted, object) = (Arc::clone(&accepted), object.to_owned());
        writing.spawn(async move {
            for number in 0..until {
                let name = format!("image-{writer}-{number}");
                let params = with(import_params(&object), &[("ImageName", &name)]);
                match caller.try_call("ImportImage", &params).await {
                    Ok(answer) if answer.status == 200 => {
                        accepted.lock().unwrap().insert(name);
                    }
                    Ok(answer) => {
                        assert_eq!((answer.status, answer.code()), (503, Some("ServiceUnavailable")));
                    }
                    Err(_) => return,
                }
            }
        });
    }
    (writing, accepted)
}

/// Waits until so many have been answered.
async fn reaches(accepted: &Mutex<BTreeSet<String>>, count: usize) {
    for _ in 0..60_000 {
        if accepted.lock().unwrap().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} of {count} were answered", accepted.lock().unwrap().len());
}

/// The names of the images that are there, each of which must have a replica.
async fn there(world: &World) -> BTreeSet<String> {
    let sql = "SELECT name FROM images i WHERE kind = 'custom' \
               AND (SELECT COUNT(*) FROM replicas r WHERE r.holder_id = i.id) = 1";
    let whole: BTreeSet<String> =
        world.rows(sql, &[]).await.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
    let all = world.count("SELECT COUNT(*) FROM images WHERE kind = 'custom'", &[]).await;
    assert_eq!(usize::try_from(all).unwrap(), whole.len(), "an image is there wholly or not at all");
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d50_many_writers_and_all_that_were_answered_are_there() {
    let world = World::new().await;
    let object = world.put(&disk("the same for all"));
    let (mut writing, accepted) = write(&world, &object, usize::MAX);
    reaches(&accepted, ACKNOWLEDGED).await;
    let world = world.reopen().await;
    while let Some(ended) = writing.join_next().await {
        ended.unwrap();
    }
    let accepted = accepted.lock().unwrap().clone();
    let there = there(&world).await;
    assert!(accepted.len() >= ACKNOWLEDGED);
    let lost: Vec<_> = accepted.difference(&there).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // A writer has at most one call that was carried out and not answered.
    assert!(there.len() <= accepted.len() + WRITERS);
}

/// Deletes that the server dies of: each is wholly done or not begun, and what was answered is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d50_many_deletes_and_none_is_done_in_part() {
    let world = World::new().await;
    let object = world.put(&disk("the same for all"));
    let mut images = Vec::new();
    for _ in 0..IMAGES {
        let body = world.owner.ok("ImportImage", &import_params(&object)).await;
        images.push(body["ImageId"].as_str().unwrap().to_owned());
    }
    world.drain().await;
    let mut tx = world.app.db.begin().await.unwrap();
    for image in &images {
        let (image, other) = (ImageId::trusted(image.clone()), AccountId::trusted(OTHER));
        shares::add(&mut tx, &image, &other, world.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();

    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    let mut deleting = JoinSet::new();
    for mine in images.chunks(IMAGES / WRITERS) {
        let caller = Caller::new(world.address, "owner", &world.clock);
        let (accepted, mine) = (Arc::clone(&accepted), mine.to_vec());
        deleting.spawn(async move {
            for image in mine {
                match caller.try_call("DeleteImage", &[("ImageId", &image)]).await {
                    Ok(answer) => assert_eq!(answer.status, 200, "{}", answer.body),
                    Err(_) => return,
                }
                accepted.lock().unwrap().insert(image);
            }
        });
    }
    reaches(&accepted, IMAGES / 3).await;
    let world = world.reopen().await;
    while let Some(ended) = deleting.join_next().await {
        ended.unwrap();
    }
    let accepted = accepted.lock().unwrap().clone();
    let deleted = deleted_wholly(&world).await;
    assert!(accepted.is_subset(&deleted), "{:?}", accepted.difference(&deleted));
    assert!(deleted.len() <= accepted.len() + WRITERS, "{} {}", deleted.len(), accepted.len());
    world.drain().await;
    for image in &deleted {
        world.assert_erased(image).await;
    }
    world.assert_sound().await;
}

/// The ids of the deleted images; every image must be deleted or live in all of its rows.
async fn deleted_wholly(world: &World) -> BTreeSet<String> {
    let sql = "SELECT i.id, i.deleted_ms IS NOT NULL, \
               (SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id), \
               (SELECT COUNT(*) FROM replicas r WHERE r.holder_id = i.id AND r.state = 'available'), \
               (SELECT COUNT(*) FROM replicas r WHERE r.holder_id = i.id AND r.state = 'erasing'), \
               (SELECT COUNT(*) FROM deletions d WHERE d.image_id = i.id) \
               FROM images i WHERE i.kind = 'custom'";
    let mut deleted = BTreeSet::new();
    for row in world.rows(sql, &[]).await {
        let numbers: Vec<i64> = (1..6).map(|column| row.integer(column).unwrap()).collect();
        if numbers == [1, 0, 0, 1, 1] {
            deleted.insert(row.text(0).unwrap().to_owned());
        } else {
            assert_eq!(numbers, [0, 1, 1, 0, 0], "a live image has its share and its bytes: {row:?}");
        }
    }
    deleted
}

/// One statement takes its whole group down: nobody in it may be told of success.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d47_a_group_that_is_rolled_back_has_answered_nobody_with_success() {
    let world = World::open(Setup { embedded: true, ..Setup::default() }).await;
    let object = world.put(&disk("the same for all"));
    let trigger = "CREATE TRIGGER poison BEFORE INSERT ON images WHEN new.name = 'poison' \
                   BEGIN SELECT RAISE(ROLLBACK, 'poison'); END";
    world.change(trigger, &[]).await;
    let (mut writing, accepted) = write(&world, &object, 25);
    let poison = with(import_params(&object), &[("ImageName", "poison")]);
    for _ in 0..20 {
        let answer = world.owner.try_call("ImportImage", &poison).await.unwrap();
        assert_eq!((answer.status, answer.code()), (503, Some("ServiceUnavailable")));
    }
    while let Some(ended) = writing.join_next().await {
        ended.unwrap();
    }
    let accepted = accepted.lock().unwrap().clone();
    assert!(!accepted.is_empty());
    assert_eq!(there(&world).await, accepted, "who was answered on the right");
    let world = world.reopen().await;
    assert_eq!(there(&world).await, accepted);
}

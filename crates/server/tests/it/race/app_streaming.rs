//! Everything that starts a use, share, template, copy or publication of an App Streaming image, against
//! its delete. Each race has its negative control: without the fence it goes wrong.

use calotype_core::ids::{AccountId, ImageId, ReplicaId, VersionId};
use calotype_core::image::Product;
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_store::versions::Version;
use calotype_store::{images, replicas, versions};
use tokio::sync::Barrier;

use super::rounds;
use crate::support::app_streaming::{self, AS, ECD, HOME, OWN, SYSTEM_IMAGE};
use crate::support::caller::Caller;
use crate::support::{OTHER, OWNER, Setup, World};

/// Rounds after which a negative control gives up.
const CONTROL_ROUNDS_MAX: usize = 300;

/// The times that a control is run, at most, each in a world of its own.
const CONTROLS_MAX: usize = 5;

/// A call: the version of its API, its name and its parameters.
type Call = (&'static str, &'static str, Vec<(&'static str, String)>);

/// Who races against the delete of an image; the group is one that runs another image.
type Opponent = fn(image: &str, group: &str) -> Call;

fn create_template(image: &str, _: &str) -> Call {
    (ECD, "CreateTemplate", app_streaming::template_params(image))
}

fn create_group(image: &str, _: &str) -> Call {
    (AS, "CreateAppInstanceGroup", app_streaming::group_params(image))
}

fn update_group(image: &str, group: &str) -> Call {
    let params = [
        ("AppCenterImageId", image),
        ("AppInstanceGroupId", group),
        ("BizRegionId", HOME),
        ("ProductType", "CloudApp"),
    ];
    (AS, "UpdateAppInstanceGroupImage", params.map(|(name, value)| (name, value.to_owned())).into())
}

fn share(image: &str, _: &str) -> Call {
    let params = [("ImageId", image), ("RegionId", HOME), ("AddAccount.1", OTHER)];
    (ECD, "ModifyImagePermission", params.map(|(name, value)| (name, value.to_owned())).into())
}

fn distribute(image: &str, _: &str) -> Call {
    let params = [("ImageId", image), ("DestinationRegionList.1", "cn-beijing")];
    (AS, "StartTaskForDistributeImage", params.map(|(name, value)| (name, value.to_owned())).into())
}

fn publish_child(image: &str, _: &str) -> Call {
    (OWN, "PublishCommunityImage", vec![("ImageId", child_of(image))])
}

fn child_of(image: &str) -> String {
    format!("{image}-child")
}

/// What must never be there, seen in the rows of one image.
async fn violations(world: &World, image: &str) -> i64 {
    let sql = "SELECT (SELECT COUNT(*) FROM usages u WHERE u.image_id = i.id) \
               + (SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id) \
               + (SELECT COUNT(*) FROM templates t WHERE t.image_id = i.id) \
               + (SELECT COUNT(*) FROM replicas r WHERE r.holder_id = i.id AND r.state IN ('copying', 'available')) \
               + (SELECT COUNT(*) FROM images c WHERE c.parent_id = i.id AND c.published_ms IS NOT NULL \
               AND c.deleted_ms IS NULL) FROM images i WHERE i.id = $1 AND i.deleted_ms IS NOT NULL";
    world.rows(sql, &[image.into()]).await.first().map_or(0, |row| row.integer(0).unwrap())
}

/// Copies the rows of an image, its version and its replica, each with a child; bytes are not looked at.
async fn copies(world: &World, count: usize) -> Vec<String> {
    let original = app_streaming::image(world).await;
    let (account, now) = (AccountId::trusted(OWNER), world.clock.now());
    let mut tx = world.app.db.begin().await.unwrap();
    let product = Product::AppStreaming;
    let view = tx.ask(images::load(product, &ImageId::trusted(original), &account)).await.unwrap().unwrap();
    let mut parents = Vec::with_capacity(count);
    for number in 0..count {
        let parent = format!("imgc-{number:05}");
        for (id, parent_id) in [(parent.clone(), None), (child_of(&parent), Some(parent.clone()))] {
            let mut image = view.image.clone();
            image.id = ImageId::trusted(&id);
            image.parent = parent_id.map(ImageId::trusted);
            let version = Version { id: VersionId::trusted(format!("iv-{id}")), name: "v0.1.0".to_owned() };
            let replica = NewReplica {
                id: ReplicaId::trusted(format!("r-{id}")),
                holder: Holder::Image(image.id.clone()),
                version: Some(version.id.clone()),
                region: image.region.clone(),
                source: Source::Blank { size_gib: 1 },
            };
            images::insert(&mut tx, &image).await.unwrap();
            versions::insert(&mut tx, &image.id, &version, now).await.unwrap();
            replicas::insert(&mut tx, &replica, now).await.unwrap();
        }
        parents.push(parent);
    }
    let done = "UPDATE replicas SET state = 'available', due_ms = NULL WHERE state = 'copying'";
    tx.execute(done, &[]).await.unwrap();
    tx.commit().await.unwrap();
    parents
}

/// Calls at the same moment; gives the status of the delete and of the opponent.
async fn meet(clients: [&Caller; 2], calls: [Call; 2]) -> [u16; 2] {
    let barrier = Barrier::new(2);
    let call = async |(version, action, params): Call, client: &Caller| {
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        barrier.wait().await;
        client.call(version, action, &params).await.status
    };
    let [first, second] = calls;
    tokio::join!(call(first, clients[0]), call(second, clients[1])).into()
}

/// Lets the delete and the opponent meet, over and over; gives in how many rounds the rows went wrong, and
/// how often both and neither succeeded. A control stops at the first wrong.
async fn race(opponent: Opponent, unfenced: bool) -> (usize, usize, usize) {
    let rounds = if unfenced { CONTROL_ROUNDS_MAX } else { rounds().div_ceil(3) };
    let world = World::open(Setup { unfenced, ..Setup::default() }).await;
    let images = copies(&world, rounds).await;
    let client = || Caller::new(world.address, "owner", &world.clock);
    let (one, other) = (client(), client());
    let mut group = app_streaming::group(&world, SYSTEM_IMAGE).await;
    let (mut wrong, mut both, mut neither) = (0, 0, 0);
    for (round, image) in images.iter().enumerate() {
        let delete: Call = (AS, "DeleteImage", vec![("ImageId", image.clone())]);
        let mut calls = [delete, opponent(image, &group)];
        if round % 2 == 1 {
            calls.reverse();
        }
        let statuses = meet([&one, &other], calls).await;
        both += usize::from(statuses == [200, 200]);
        neither += usize::from(!statuses.contains(&200));
        if violations(&world, image).await > 0 {
            wrong += 1;
            if unfenced {
                break;
            }
        }
        // A group that is being updated is not free for the next round.
        group = app_streaming::group(&world, SYSTEM_IMAGE).await;
    }
    (wrong, both, neither)
}

/// Of the delete and the other exactly one is done.
async fn one_wins(opponent: Opponent) {
    assert_eq!(race(opponent, false).await, (0, 0, 0));
}

async fn goes_wrong_without_the_fence(opponent: Opponent) {
    for _ in 0..CONTROLS_MAX {
        let (wrong, _, _) = race(opponent, true).await;
        if wrong > 0 {
            return;
        }
    }
    panic!("{CONTROLS_MAX} times {CONTROL_ROUNDS_MAX} rounds without the fence, and nothing went wrong");
}

/// A template that comes first goes with the image, so both may be done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_create_template() {
    let (wrong, _, neither) = race(create_template, false).await;
    assert_eq!((wrong, neither), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_create_app_instance_group() {
    one_wins(create_group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_update_app_instance_group_image() {
    one_wins(update_group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_modify_image_permission() {
    one_wins(share).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_start_task_for_distribute_image() {
    one_wins(distribute).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_delete_against_publish_community_image() {
    one_wins(publish_child).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_create_template_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(create_template).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_create_app_instance_group_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(create_group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_update_app_instance_group_image_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(update_group).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_modify_image_permission_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(share).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_start_task_for_distribute_image_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(distribute).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d49_publish_community_image_goes_wrong_without_the_fence() {
    goes_wrong_without_the_fence(publish_child).await;
}

//! GetDeletion: how far the deletion of an image is.

use serde_json::{Value, json};

use crate::support::app_streaming::{self, AS, OWN};
use crate::support::{OTHER, OWNER, Setup, World};

async fn distribute(world: &World, image: &str) {
    let params = [
        ("ImageId", image),
        ("DestinationRegionList.1", "cn-beijing"),
        ("DestinationRegionList.2", "cn-shanghai"),
    ];
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
}

async fn get(world: &World, image: &str) -> Value {
    world.owner.must(OWN, "GetDeletion", &[("ImageId", image)]).await["Deletion"].clone()
}

/// The regions, each with its state, attempts and error.
fn regions(deletion: &Value) -> Vec<String> {
    let regions = deletion["Regions"].as_array().unwrap();
    let told = |region: &Value| {
        let text = |name: &str| region[name].as_str().unwrap().to_owned();
        format!("{} {} {} {}", text("RegionId"), text("State"), region["Attempts"], text("LastError"))
    };
    let mut told: Vec<String> = regions.iter().map(told).collect();
    told.sort();
    told
}

#[tokio::test]
async fn a_deletion_is_told_region_by_region() {
    let world = World::open(Setup::with("deletion = { grace = '10s' }\n")).await;
    let image = app_streaming::image(&world).await;
    let template = app_streaming::template(&world, &image).await;
    distribute(&world, &image).await;
    let params = [("ImageId", image.as_str()), ("Reason", "no longer needed")];
    let answer = world.owner.must(AS, "DeleteImage", &params).await;

    let told = get(&world, &image).await;
    assert_eq!(told["State"], "Grace");
    assert_eq!(told["DeleteRequestId"], answer["RequestId"]);
    assert_eq!(told["Caller"], format!("acs:ram::{OWNER}:root"));
    assert_eq!((&told["Reason"], &told["Api"]), (&json!("no longer needed"), &json!("appstreaming")));
    assert_eq!((&told["ImageId"], &told["ImageName"]), (&json!(image), &json!("studio")));
    assert_eq!((&told["Templates"], &told["HiddenTemplates"]), (&json!([template]), &json!(0)));
    assert_eq!(told["AcceptedTime"], "2026-03-27T08:09:10Z");
    assert_eq!(told["EraseFromTime"], "2026-03-27T08:09:20Z");
    assert_eq!((&told["CompletedTime"], &told["RestoredTime"]), (&json!(""), &json!("")));
    let waiting = ["cn-beijing Waiting 0 ", "cn-hangzhou Waiting 0 ", "cn-shanghai Waiting 0 "];
    assert_eq!(regions(&told), waiting);
    assert!(told["Regions"][0]["SizeBytes"].as_i64().unwrap() > 0);
    world.drain().await;
    assert_eq!(get(&world, &image).await, told, "nothing is done within the grace period");

    // A region that is away delays itself only.
    let folder = world.path("objects/cn-beijing");
    let away = world.path("objects/away");
    std::fs::rename(&folder, &away).unwrap();
    world.pass(10);
    world.drain().await;
    let told = get(&world, &image).await;
    assert_eq!(told["State"], "Erasing");
    let states = regions(&told);
    assert!(states[0].starts_with("cn-beijing Erasing 1 "), "{states:?}");
    assert!(states[0].len() > "cn-beijing Erasing 1 ".len(), "it says why: {states:?}");
    assert_eq!(states[1..], ["cn-hangzhou Erased 1 ", "cn-shanghai Erased 1 "]);
    let next = told["Regions"].as_array().unwrap().iter().find(|region| region["RegionId"] == "cn-beijing");
    assert!(next.unwrap()["NextTryTime"].as_str().unwrap() > "2026-03-27T08:09:20", "{next:?}");

    std::fs::rename(&away, &folder).unwrap();
    world.pass(600);
    world.drain().await;
    let told = get(&world, &image).await;
    assert_eq!(told["State"], "Complete");
    assert_eq!(told["CompletedTime"], "2026-03-27T08:19:20Z");
    assert_eq!(regions(&told)[0], "cn-beijing Erased 2 ");
    let id = told["DeletionId"].as_str().unwrap();
    let by_id = world.owner.must(OWN, "GetDeletion", &[("DeletionId", id)]).await;
    assert_eq!(by_id["Deletion"], told);
}

#[tokio::test]
async fn deletions_of_others_do_not_exist() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let told = get(&world, &image).await;
    assert_eq!(told["Shares"], json!([OTHER]));
    let live = world.import().await;
    for params in [
        [("ImageId", image.as_str())],
        [("ImageId", live.as_str())],
        [("ImageId", "m-unknown")],
        [("DeletionId", told["DeletionId"].as_str().unwrap())],
        [("DeletionId", "del-unknown")],
    ] {
        let answer = world.other.call(OWN, "GetDeletion", &params).await;
        assert_eq!((answer.status, answer.code()), (400, Some("Deletion.NotExist")), "{params:?}");
    }
}

#[tokio::test]
async fn a_deletion_must_be_named() {
    let world = World::new().await;
    for (params, code) in [
        (vec![], "MissingParameter"),
        (vec![("DeletionId", "a/b")], "InvalidParameter.DeletionId"),
        (vec![("ImageId", "a b")], "InvalidParameter.ImageId"),
    ] {
        let answer = world.owner.call(OWN, "GetDeletion", &params).await;
        assert_eq!((answer.status, answer.code()), (400, Some(code)));
    }
}

/// A community image may have templates of other accounts. They go with it; whose they are is not told.
#[tokio::test]
async fn templates_of_others_are_counted_not_named() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    world.owner.must(OWN, "PublishCommunityImage", &[("ImageId", &image)]).await;
    let own = app_streaming::template(&world, &image).await;
    let params = app_streaming::template_params(&image);
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let theirs = world.other.must(app_streaming::ECD, "CreateTemplate", &params).await["Data"].clone();
    world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    let told = get(&world, &image).await;
    assert_eq!((&told["Templates"], &told["HiddenTemplates"]), (&json!([own]), &json!(1)));
    assert!(!told.to_string().contains(theirs.as_str().unwrap()));
}

#[tokio::test]
async fn a_reason_is_short_and_plain() {
    let world = World::new().await;
    let long = "x".repeat(257);
    for reason in [long.as_str(), "two\nlines"] {
        let image = world.import().await;
        let before = world.print().await;
        let params = [("ImageId", image.as_str()), ("Reason", reason)];
        let answer = world.owner.call(crate::support::ENS, "DeleteImage", &params).await;
        assert_eq!((answer.status, answer.code()), (400, Some("InvalidParameter.Reason")));
        assert_eq!(world.print().await, before);
        let fits = [("ImageId", image.as_str()), ("Reason", &long[..256])];
        world.owner.ok("DeleteImage", &fits).await;
        assert_eq!(get(&world, &image).await["Reason"], long[..256]);
    }
}

//! Every decision about a delete gives one event, of its kind, and is counted as that kind.

use calotype_store::seam::{Effect, Fault};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Log, Mood, When, check};
use crate::metrics::Sample;
use crate::support::app_streaming::{self, AS, ECD, HOME, OWN, SYSTEM_IMAGE};
use crate::support::caller::Caller;
use crate::support::raw::V1;
use crate::support::{ENS, OTHER, OWNER, PUBLIC_IMAGE, Setup, World, disk};

const UNKNOWN: &str = "m-0000000000000000000000000";

/// A call, and what is audited of it: that one event, and one more of its outcome in the metrics.
async fn audited(
    world: &World,
    log: &mut Log,
    (caller, version, action): (&Caller, &str, &str),
    params: &[(&str, &str)],
    outcome: &str,
) -> Value {
    let product = if version == ENS { "ens" } else { "appstreaming" };
    let count = async || {
        let labels = [("product", product), ("outcome", outcome)];
        Sample::read(world).await.value("calotype_delete_decisions_total", &labels)
    };
    let before = count().await;
    log.news();
    let answer = caller.call(version, action, params).await;
    let event = log.one();
    assert_eq!(count().await, before + 1, "{outcome}");
    let decision = match outcome {
        "accepted" | "denied" | "failed" | "unknown" => outcome,
        kind => {
            assert_eq!(event["refusal"], kind, "{event:#}");
            "refused"
        }
    };
    assert_eq!(answer.status == 200, decision == "accepted", "{}", answer.body);
    let namespace = match version {
        ENS => "ens",
        AS => "appstreaming",
        _ => "ecd",
    };
    let fields = [
        ("event", json!("delete_image")),
        ("decision", json!(decision)),
        ("action", json!(format!("{namespace}:{action}"))),
        ("product", json!(product)),
        ("request_id", answer.body["RequestId"].clone()),
    ];
    check(&event, &fields);
    event
}

async fn ens(world: &World, log: &mut Log, caller: &Caller, image: &str, outcome: &str) -> Value {
    let event = audited(world, log, (caller, ENS, "DeleteImage"), &[("ImageId", image)], outcome).await;
    assert_eq!(event["image"], image);
    event
}

async fn app(world: &World, log: &mut Log, image: &str, outcome: &str) -> Value {
    let event = audited(world, log, (&world.owner, AS, "DeleteImage"), &[("ImageId", image)], outcome).await;
    assert_eq!(event["image"], image);
    event
}

#[tokio::test]
async fn every_decision_of_ens_is_audited_once() {
    let mut log = Log::listen();
    let users = [("nobody", ""), ("denied", r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#)];
    let world = World::open(Setup::with_users(&users)).await;
    let image = world.import().await;

    let event = ens(&world, &mut log, &world.user("nobody"), &image, "denied").await;
    let arn = format!("acs:ram::{OWNER}:user/nobody");
    check(&event, &[("refusal", json!("implicit_deny")), ("caller", json!(arn)), ("account", json!(OWNER))]);
    let event = ens(&world, &mut log, &world.user("denied"), &image, "denied").await;
    check(&event, &[("refusal", json!("explicit_deny")), ("deletion", Value::Null)]);

    ens(&world, &mut log, &world.owner, UNKNOWN, "not_found").await;
    ens(&world, &mut log, &world.other, &image, "not_found").await;
    ens(&world, &mut log, &world.owner, PUBLIC_IMAGE, "public").await;
    world.owner.share(&image, OTHER).await;
    let event = ens(&world, &mut log, &world.other, &image, "shared_in").await;
    check(&event, &[("account", json!(OTHER)), ("blockers", json!(0))]);
    let making = world.begin_import(&disk("on its way")).await;
    ens(&world, &mut log, &world.owner, &making, "making").await;

    // The instance of another account is counted, and named to nobody.
    let foreign = world.other.launch(&image).await;
    let own = world.owner.launch(&image).await;
    let event = ens(&world, &mut log, &world.owner, &image, "created_use").await;
    check(&event, &[("blockers", json!(2))]);
    assert!(!event.to_string().contains(&foreign) && !event.to_string().contains(OTHER), "{event}");
    world.other.release(&foreign).await;
    world.owner.reinit(&own, PUBLIC_IMAGE).await;
    world.drain().await;
    world.owner.reinit(&own, &image).await;
    let event = ens(&world, &mut log, &world.owner, &image, "switched_use").await;
    check(&event, &[("blockers", json!(1))]);
    world.drain().await;
    world.owner.release(&own).await;

    let event = ens(&world, &mut log, &world.owner, &image, "accepted").await;
    let told = world.owner.must(OWN, "GetDeletion", &[("ImageId", &image)]).await;
    check(
        &event,
        &[
            ("deletion", told["Deletion"]["DeletionId"].clone()),
            ("replicas", json!(1)),
            ("shares", json!(1)),
            ("templates", json!(0)),
            ("bundles", json!(0)),
            ("refusal", Value::Null),
            ("error", Value::Null),
        ],
    );
    ens(&world, &mut log, &world.owner, &image, "not_found").await;
}

#[tokio::test]
async fn every_decision_of_app_streaming_is_audited_once() {
    let mut log = Log::listen();
    let world = World::new().await;
    let parent = app_streaming::image(&world).await;
    let child = app_streaming::image_of(&world, &parent, &[]).await;
    world.owner.must(OWN, "PublishCommunityImage", &[("ImageId", &child)]).await;
    let event = app(&world, &mut log, &parent, "community_parent").await;
    check(&event, &[("blockers", json!(1))]);
    app(&world, &mut log, SYSTEM_IMAGE, "public").await;

    let share = [("ImageId", child.as_str()), ("RegionId", HOME), ("AddAccount.1", OTHER)];
    world.owner.must(ECD, "ModifyImagePermission", &share).await;
    app(&world, &mut log, &child, "shared_out").await;
    let unshare = [("ImageId", child.as_str()), ("RegionId", HOME), ("RemoveAccount.1", OTHER)];
    world.owner.must(ECD, "ModifyImagePermission", &unshare).await;
    app_streaming::template(&world, &child).await;
    let event = app(&world, &mut log, &child, "accepted").await;
    check(&event, &[("templates", json!(1)), ("replicas", json!(1))]);

    // What cannot be an id is an image that does not exist.
    let call = (&world.owner, AS, "DeleteImage");
    let event = audited(&world, &mut log, call, &[("ImageId", "m a")], "not_found").await;
    assert_eq!(event["image"], Value::Null);
}

/// Whoever may not delete is told nothing, and noticed, whatever was to be deleted.
#[tokio::test]
async fn a_denial_without_an_image_is_audited() {
    let mut log = Log::listen();
    let world = World::open(Setup::with_users(&[("nobody", "")])).await;
    audited(&world, &mut log, (&world.user("nobody"), AS, "DeleteImage"), &[], "denied").await;
    let nobody = world.user("nobody");
    let params = [("ImageId.1", "m-1"), ("ImageId.2", "m-2"), ("RegionId", HOME)];
    let event = audited(&world, &mut log, (&nobody, ECD, "DeleteImages"), &params, "denied").await;
    assert_eq!(event["image"], "m-1,m-2");
}

/// All or none: an event for each image that goes, or one for the image that keeps them all.
#[tokio::test]
async fn several_images_at_once() {
    let mut log = Log::listen();
    let world = World::new().await;
    let images = [app_streaming::image(&world).await, app_streaming::image(&world).await];
    app_streaming::bundle(&world, &images[1]).await;
    let call = (&world.owner, ECD, "DeleteImages");
    let [one, two] = &images;
    let mut params = vec![("ImageId.1", one.as_str()), ("ImageId.2", two), ("RegionId", HOME)];
    let event = audited(&world, &mut log, call, &params, "bundled").await;
    check(&event, &[("image", json!(two)), ("blockers", json!(1))]);

    params.push(("DeleteCascadedBundle", "true"));
    log.news();
    let body = world.owner.must(ECD, "DeleteImages", &params).await;
    let events = log.audited();
    assert_eq!(events.len(), 2);
    for ((event, image), bundles) in events.iter().zip(&images).zip([0, 1]) {
        let fields = [
            ("decision", json!("accepted")),
            ("image", json!(image)),
            ("bundles", json!(bundles)),
            ("request_id", body["RequestId"].clone()),
        ];
        check(event, &fields);
    }
    assert_ne!(events[0]["deletion"], events[1]["deletion"]);
}

/// A request that was seen before, by another server of the installation.
#[tokio::test]
async fn a_replayed_request_is_audited() {
    let mut log = Log::listen();
    let world = World::new().await;
    let image = world.import().await;
    world.faults().arm(Fault { statement: "INSERT INTO nonces", effect: Effect::Nothing });
    ens(&world, &mut log, &world.owner, &image, "replayed").await;
}

#[tokio::test]
async fn failures_and_lost_answers_are_told_apart() {
    let mut log = Log::listen();
    let (world, mood) = Mood::world("").await;
    let image = app_streaming::image(&world).await;
    app_streaming::template(&world, &image).await;
    for (statement, effect) in [
        ("INSERT INTO nonces", Effect::Unavailable),
        ("FROM usages u WHERE u.image_id", Effect::Corrupt),
        ("DELETE FROM templates WHERE image_id", Effect::Unavailable),
        ("DELETE FROM templates WHERE image_id", Effect::Nothing),
        ("INSERT INTO deletions", Effect::Unavailable),
    ] {
        mood.arm(When::Statement(statement), effect);
        let event = app(&world, &mut log, &image, "failed").await;
        check(&event, &[("deletion", Value::Null)]);
    }
    mood.arm(When::Commit, Effect::AnswerLost);
    let event = app(&world, &mut log, &image, "unknown").await;
    assert!(event["deletion"].is_string() && event["error"].is_string(), "{event}");
    // This time it was done.
    app(&world, &mut log, &image, "not_found").await;
}

/// A call that meets another transaction is made again: only its last try decides.
#[tokio::test]
async fn a_call_that_is_made_again_is_audited_once() {
    let mut log = Log::listen();
    let (world, mood) = Mood::world("").await;
    let image = world.import().await;
    mood.arm(When::Statement("UPDATE images SET deleted_ms"), Effect::Nothing);
    ens(&world, &mut log, &world.owner, &image, "accepted").await;
    drop(world);

    let world = World::new().await;
    let image = world.import().await;
    world.faults().arm(Fault { statement: "UPDATE images SET deleted_ms", effect: Effect::Nothing });
    ens(&world, &mut log, &world.owner, &image, "failed").await;
}

/// A caller that hangs up during the commit is never answered; nobody knows how it ended.
#[tokio::test]
async fn a_caller_that_goes_away_leaves_an_event() {
    let mut log = Log::listen();
    let (world, mood) = Mood::world("").await;
    let image = world.import().await;
    log.news();
    mood.arm(When::Held, Effect::Go);
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(&v1.bytes(&world, "DeleteImage", &[("ImageId", &image)])).await.unwrap();
    mood.held.notified().await;
    assert_eq!(log.audited(), Vec::<Value>::new());
    drop(stream);
    let mut sample = Sample::read(&world).await;
    let labels = [("api", "ens"), ("operation", "DeleteImage"), ("code", "Abandoned")];
    for _ in 0..2_000 {
        if sample.find("calotype_requests_total", &labels) == Some(1) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        sample = Sample::read(&world).await;
    }
    assert_eq!(sample.value("calotype_requests_total", &labels), 1);
    let event = log.one();
    check(&event, &[("decision", json!("unknown")), ("image", json!(image))]);
    assert_eq!(
        sample.value("calotype_delete_decisions_total", &[("product", "ens"), ("outcome", "unknown")]),
        1
    );
    assert_eq!(world.owner.image_status(&image).await, "Available", "it was not done");
}

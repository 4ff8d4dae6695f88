//! Every decision about a restore gives one event of its kind.

use calotype_store::seam::Effect;
use serde_json::{Value, json};

use super::{Log, Mood, When, check};
use crate::support::OTHER;
use crate::support::app_streaming::{self, AS, OWN};
use crate::support::caller::Caller;

const GRACE: &str = "deletion = { grace = '1h' }\n";

async fn restore(log: &mut Log, caller: &Caller, image: &str, decision: &str, refusal: Value) -> Value {
    log.news();
    let answer = caller.call(OWN, "RestoreImage", &[("ImageId", image)]).await;
    let event = log.one();
    let fields = [
        ("event", json!("restore_image")),
        ("decision", json!(decision)),
        ("refusal", refusal),
        ("action", json!("calotype:RestoreImage")),
        ("image", json!(image)),
        ("request_id", answer.body["RequestId"].clone()),
    ];
    check(&event, &fields);
    event
}

#[tokio::test]
async fn every_decision_of_a_restore_is_audited_once() {
    let mut log = Log::listen();
    let (mut world, mood) = Mood::world(GRACE).await;
    let image = app_streaming::image(&world).await;
    app_streaming::template(&world, &image).await;
    let (owner, none) = (&world.owner, Value::Null);
    restore(&mut log, owner, &image, "refused", json!("not_found")).await;
    owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    let event = restore(&mut log, &world.other, &image, "refused", json!("not_found")).await;
    check(&event, &[("account", json!(OTHER)), ("product", none.clone()), ("deletion", none.clone())]);

    mood.arm(When::Statement("UPDATE deletions SET restored_ms"), Effect::Unavailable);
    restore(&mut log, owner, &image, "failed", none.clone()).await;
    let event = restore(&mut log, owner, &image, "accepted", none.clone()).await;
    check(&event, &[("product", json!("appstreaming")), ("templates", json!(1)), ("replicas", json!(1))]);
    assert!(event["deletion"].is_string());
    restore(&mut log, owner, &image, "refused", json!("restored")).await;

    world.pass(1);
    owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    mood.arm(When::Statement("INSERT INTO nonces"), Effect::Nothing);
    restore(&mut log, owner, &image, "refused", json!("replayed")).await;
    mood.arm(When::Commit, Effect::AnswerLost);
    restore(&mut log, owner, &image, "unknown", none).await;

    let child = app_streaming::image_of(&world, &image, &[]).await;
    owner.must(OWN, "PublishCommunityImage", &[("ImageId", &child)]).await;
    world.pass(1);
    for image in [&child, &image] {
        owner.must(AS, "DeleteImage", &[("ImageId", image)]).await;
    }
    let event = restore(&mut log, owner, &child, "refused", json!("lost")).await;
    check(&event, &[("blockers", json!(1))]);
    world.pass(3_600);
    restore(&mut log, owner, &image, "refused", json!("grace_over")).await;
    world.replace_users(&[("nobody", "")]);
    restore(&mut log, &world.user("nobody"), &image, "denied", json!("implicit_deny")).await;
}

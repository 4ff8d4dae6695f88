//! One line for each step of a deletion, all with the id of the request that asked for it.

use serde_json::{Value, json};

use super::{Log, of};
use crate::support::app_streaming::{self, AS, HOME};
use crate::support::folders::RegionAway;
use crate::support::{World, disk, import_params};

const FAR: &str = "cn-beijing";

#[tokio::test]
async fn the_request_id_leads_through_a_deletion() {
    let mut log = Log::listen();
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let params = [("ImageId", image.as_str()), ("DestinationRegionList.1", FAR)];
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
    log.news();

    let body = world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    let away = RegionAway::take(&world.path("objects").join(FAR));
    world.pass(2);
    world.drain().await;
    drop(away);
    world.pass(60);
    world.drain().await;

    let all = log.news();
    let lines: Vec<Value> = all.into_iter().filter(|line| line["request_id"] == body["RequestId"]).collect();
    assert!(lines.iter().all(|line| line["image"] == image), "{lines:#?}");
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["message"].as_str().unwrap(), line["region"].as_str().unwrap_or("")))
        .collect();
    let expected = [
        ("delete_image accepted", ""),
        ("bytes are being erased", FAR),
        ("bytes are still to be erased", FAR),
        ("bytes are being erased", HOME),
        ("bytes erased", HOME),
        ("bytes are being erased", FAR),
        ("bytes erased", FAR),
        ("deletion complete", ""),
    ];
    assert_eq!(told, expected);

    let retry = of(&lines, "bytes are still to be erased")[0];
    assert_eq!((&retry["level"], &retry["attempt"]), (&json!("WARN"), &json!(1)));
    assert!(retry["error"].is_string() && retry["cause"].is_string(), "{retry}");
    assert_eq!(retry["due"], "2026-03-27T08:09:12Z", "a fraction of a second later");
    let erased = of(&lines, "bytes erased");
    assert_eq!((&erased[0]["attempt"], &erased[1]["attempt"]), (&json!(1), &json!(2)));
    assert!(erased.iter().all(|line| line["bytes"].as_u64() > Some(0)));
    let complete = of(&lines, "deletion complete")[0];
    assert_eq!(complete["took_ms"], 62_000);
    assert_eq!(complete["deletion"], of(&lines, "delete_image accepted")[0]["deletion"]);
}

/// Filling has the same names of fields.
#[tokio::test]
async fn the_lines_of_a_fill() {
    let mut log = Log::listen();
    let world = World::new().await;
    let image = world.import().await;
    let lines = log.news();
    let stored: Vec<_> =
        of(&lines, "bytes stored").into_iter().filter(|line| line["image"] == image).collect();
    assert_eq!(stored.len(), 1);
    assert_eq!((&stored[0]["region"], &stored[0]["attempt"]), (&json!(FAR), &json!(1)));
    assert_eq!(stored[0]["bytes"], disk("some content").len());

    let bad = world.begin_import(b"no qcow2 at all").await;
    world.drain().await;
    let lines = log.news();
    let failed = of(&lines, "bytes could not be stored");
    assert_eq!((failed.len(), &failed[0]["image"], &failed[0]["due"]), (1, &json!(bad), &Value::Null));

    let away = RegionAway::take(&world.path("objects").join(FAR));
    world.owner.ok("ImportImage", &import_params(&world.put(&disk("later")))).await;
    world.drain().await;
    drop(away);
    let lines = log.news();
    assert_eq!(of(&lines, "bytes could not be stored")[0]["due"], "2026-03-27T08:09:10Z");
}

//! Recorded and constructed requests, as bytes over TCP, against the whole server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calotype::operations::OPERATIONS;
use calotype_core::time::Timestamp;
use serde_json::{Value, json};

use crate::support::app_streaming::AS as APP_STREAMING;
use crate::support::caller::is_upper_uuid;
use crate::support::raw::{RawReply, V1, exchange};
use crate::support::refusals::{MISSING_PARAMETER, NONCE_USED};
use crate::support::{ENS, Setup, World};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn file(name: &str) -> Value {
    let file: Value = serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap();
    assert_eq!(file["server_clock"], crate::support::NOW);
    file
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Every reply has a body, a type, and the id of the request in two places.
fn assert_form(reply: &RawReply, what: &str) {
    assert!(is_upper_uuid(&reply.member("RequestId")), "{what}: {}", reply.body);
    assert_eq!(reply.header("x-acs-request-id"), reply.member("RequestId"), "{what}");
    let kind =
        if reply.body.starts_with('{') { "application/json;charset=utf-8" } else { "text/xml;charset=utf-8" };
    assert_eq!(reply.header("content-type"), kind, "{what}");
}

#[tokio::test]
async fn every_constructed_request_is_answered_as_it_should() {
    let world = World::new().await;
    let file = file("signature-negative.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 46);
    let mut sent = BTreeSet::new();
    let mut accepted = 0;
    for case in cases {
        let (id, expect) = (text(case, "id"), &case["expect"]);
        if let Some(first) = case["after"].as_str() {
            assert!(sent.contains(first), "{id} comes before {first}");
        }
        sent.insert(id);
        let reply = exchange(world.address, &STANDARD.decode(text(case, "raw_base64")).unwrap()).await;
        assert_form(&reply, id);
        assert_eq!(Value::from(reply.status), expect["http_status"], "{id}: {}", reply.body);
        if expect["accepted"] == true {
            accepted += 1;
            assert_eq!(reply.json()["Images"]["Image"], json!([]), "{id}: DescribeImages has answered");
            continue;
        }
        assert_eq!(reply.code(), text(expect, "code"), "{id}: {}", reply.body);
        assert!(!reply.member("Message").is_empty() && !reply.member("HostId").is_empty(), "{id}");
        if let Some(signed) = expect["server_string_to_sign"].as_str() {
            let (_, told) = reply.member("Message").split_once("string to sign is:").map_or_else(
                || panic!("{id}: {}", reply.body),
                |(before, after)| (before.to_owned(), after.to_owned()),
            );
            assert_eq!(told, signed, "{id}");
        }
    }
    assert_eq!(accepted, 10);
}

/// The images that the recorded calls name, and the instance.
const IMAGES: [&str; 2] = ["m-1", "m-5taesrgwpo9zqj9cjqu792abcd"];
const INSTANCE: &str = "i-5t7abc";

/// A world in which what the recorded calls name is there.
async fn recorded_world() -> World {
    let world = World::open(Setup::with("[[ens_region]]\nid = 'cn-beijing-cmcc'\n")).await;
    for id in IMAGES {
        let image = world.import().await;
        let both = &[(&image).into(), id.into()];
        world.change("UPDATE images SET id = $2 WHERE id = $1", both).await;
        world.change("UPDATE replicas SET holder_id = $2 WHERE holder_id = $1", both).await;
    }
    let body = world.owner.ok("RunInstances", &[("ImageId", crate::support::PUBLIC_IMAGE)]).await;
    let both = &[body["InstanceIds"][0].as_str().unwrap().into(), INSTANCE.into()];
    world.change("UPDATE instances SET id = $2 WHERE id = $1", both).await;
    world.change("UPDATE usages SET consumer_id = $2 WHERE consumer_id = $1", both).await;
    world.change("UPDATE disks SET instance_id = $2 WHERE instance_id = $1", both).await;
    world
}

/// Puts the images back that earlier calls have deleted or used.
async fn put_back(world: &World) {
    for id in IMAGES {
        let one = &[id.into()];
        world.change("UPDATE images SET deleted_ms = NULL, name = 'golden' WHERE id = $1", one).await;
        world.change("DELETE FROM usages WHERE image_id = $1", one).await;
        world.change("DELETE FROM instances WHERE image_id = $1", one).await;
    }
}

#[tokio::test]
async fn every_recorded_call_reaches_its_operation() {
    let world = recorded_world().await;
    let index = file("requests/index.json");
    let calls = index["requests"].as_array().unwrap();
    assert_eq!(calls.len(), 74);
    let mut served = 0;
    for call in calls {
        put_back(&world).await;
        let name = text(call, "file");
        let bytes = std::fs::read(folder().join("requests").join(name)).unwrap();
        let reply = exchange(world.address, &bytes).await;
        assert_form(&reply, name);
        let refusal = if ["bearer", "anonymous"].contains(&text(call, "auth")) {
            Some((400, "MissingAccessKeyId"))
        } else if call["security_token"].is_string() {
            // No temporary key was ever issued here.
            Some((400, "InvalidSecurityToken.Malformed"))
        } else if !OPERATIONS.iter().any(|one| one.api.version == text(call, "version")) {
            Some((400, "InvalidVersion"))
        } else {
            None
        };
        if let Some((status, code)) = refusal {
            assert_eq!((reply.status, &*reply.code()), (status, code), "{name}");
            continue;
        }
        served += 1;
        check_effect(&world, call, &reply, name).await;
    }
    assert_eq!(served, 63, "of 74: 2 have no key, 9 a token");
}

/// Checks that the operation that was meant has answered: what the recorded calls name is not there.
fn check_app_streaming(action: &str, reply: &RawReply, name: &str) {
    let expected = match action {
        "ListImage" => (200, "200"),
        "DeleteImage" => (400, "Image.NotExist"),
        "CreateImageByInstance" => (400, "InvalidParameter.InstanceId"),
        other => panic!("{other} was not recorded"),
    };
    assert_eq!((reply.status, &*reply.code()), expected, "{name}");
}

/// Checks that the operation that was meant has done what was meant.
async fn check_effect(world: &World, call: &Value, reply: &RawReply, name: &str) {
    let params = &call["api_params"];
    if text(call, "version") == APP_STREAMING {
        return check_app_streaming(text(call, "action"), reply, name);
    }
    if params["ImageId"].is_null() && call["action"] == "RunInstances" {
        // One client was recorded without an image.
        let (code, message) = (reply.code(), reply.member("Message"));
        assert_eq!((reply.status, &*code, &*message), MISSING_PARAMETER, "{name}");
        return;
    }
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    let body = reply.json();
    match text(call, "action") {
        "DeleteImage" => {
            let sql = "SELECT COUNT(*) FROM images WHERE id = $1 AND deleted_ms IS NOT NULL";
            assert_eq!(world.count(sql, &[text(params, "ImageId").into()]).await, 1, "{name}");
        }
        "CreateImage" => {
            let sql = "SELECT name, source_instance FROM images WHERE id = $1";
            let rows = world.rows(sql, &[text(&body, "ImageId").into()]).await;
            assert_eq!(rows[0].text(0).unwrap(), text(params, "ImageName"), "{name}");
            assert_eq!(rows[0].text(1).unwrap(), INSTANCE, "{name}");
        }
        "RunInstances" => check_launch(world, params, &body, name).await,
        "ModifyImageAttribute" => {
            let sql = "SELECT name FROM images WHERE id = $1";
            assert_eq!(world.text(sql, &["m-1".into()]).await, text(params, "ImageName"), "{name}");
        }
        "DescribeImages" => assert_eq!(body["Images"]["Image"], json!([]), "{name}: none has that name"),
        "DescribeSelfImages" => assert_eq!(body["Images"]["Image"][0]["ImageId"], "m-1", "{name}"),
        other => panic!("{other} is not among the recorded operations"),
    }
}

async fn check_launch(world: &World, params: &Value, body: &Value, name: &str) {
    let ids = body["InstanceIds"].as_array().unwrap();
    assert_eq!(ids.len().to_string(), text(params, "Amount"), "{name}");
    for id in ids {
        let instance = world.owner.instance(id.as_str().unwrap()).await;
        assert_eq!(instance["ImageId"], "m-1", "{name}");
        assert_eq!(instance["SpecName"], params["InstanceType"], "{name}");
        assert_eq!(instance["EnsRegionId"], "cn-beijing-cmcc", "{name}");
        assert_eq!(instance["SystemDisk"]["Size"], 20 * 1024, "{name}");
        assert_eq!(instance["DataDisk"]["DataDisk"][0]["DiskSize"], 20, "{name}");
        let part = |number, part| params[format!("Tag.{number}.{part}")].as_str().unwrap_or_default();
        let tag = |number| json!({ "TagKey": part(number, "Key"), "TagValue": part(number, "Value") });
        // Some clients were recorded with a second tag, whose value is empty.
        let tags = if params["Tag.2.Key"].is_null() { json!([tag(1)]) } else { json!([tag(1), tag(2)]) };
        assert_eq!(instance["Tags"]["Tags"], tags, "{name}");
    }
}

/// What an accepted write has spent stays spent when the server is gone and back.
#[tokio::test]
async fn replays_of_accepted_writes_are_refused_after_a_restart() {
    let mut world = recorded_world().await;
    for name in ["python-new--ens-DeleteImage.http", "tea-rpc--ens-DeleteImage.http"] {
        let bytes = std::fs::read(folder().join("requests").join(name)).unwrap();
        assert_eq!(exchange(world.address, &bytes).await.status, 200, "{name}");
        for _ in 0..2 {
            // The image is there again, so that the request could do harm.
            put_back(&world).await;
            let before = world.print().await;
            let reply = exchange(world.address, &bytes).await;
            assert_eq!((reply.status, &*reply.code(), &*reply.member("Message")), NONCE_USED, "{name}");
            assert_eq!(world.print().await, before, "{name}");
            world = world.reopen().await;
            world.pass(60);
        }
    }
    // When the nonce is forgotten, the time in the request is over.
    world.pass(16 * 60);
    world = world.reopen().await;
    let bytes = std::fs::read(folder().join("requests/python-new--ens-DeleteImage.http")).unwrap();
    assert_eq!(exchange(world.address, &bytes).await.code(), "InvalidTimeStamp.Expired");
    // Several servers keep it longer than a request can stand still between the look at its time and its transaction.
    let kept = "SELECT COUNT(*) FROM nonces WHERE expires_ms < $1";
    let is_kept = world.count(kept, &[world.clock.now().as_millis().into()]).await > 0;
    assert_eq!(is_kept, world.app.db.is_shared(), "over, and still known");
    world.pass(60 * 60);
    world = world.reopen().await;
    assert_eq!(world.count(kept, &[world.clock.now().as_millis().into()]).await, 0, "old ones are forgotten");
}

/// Keys are those of the configuration, also after it was read again.
#[tokio::test]
async fn keys_that_are_switched_off_or_taken_away_open_nothing() {
    let off = "[[account]]\nid = '4'\n[[account.access_key]]\nid = 'ak-off'\nsecret = 'secret-of-off'\n\
               active = false\n";
    let users = Setup::with_users(&[("ci", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#)]);
    let mut world = World::open(Setup { settings: off.to_owned(), ..users }).await;
    let answer = world.user("off").call(ENS, "DescribeImages", &[]).await;
    assert_eq!((answer.status, answer.code()), (400, Some("InvalidAccessKeyId.Inactive")));
    let ci = world.user("ci");
    ci.ok("DescribeImages", &[]).await;
    world.replace_users(&[("ci", ""), ("new", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#)]);
    ci.denied("DescribeImages", &[], "ImplicitDeny").await;
    world.user("new").ok("DescribeImages", &[]).await;
    world.replace_users(&[]);
    let answer = ci.call(ENS, "DescribeImages", &[]).await;
    assert_eq!((answer.status, answer.code()), (404, Some("InvalidAccessKeyId.NotFound")));
}

/// Of simultaneous copies of one request one is carried out.
#[tokio::test]
async fn of_simultaneous_copies_one_is_accepted() {
    let world = World::new().await;
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let key = world.put(&crate::support::disk("x"));
    let bytes = v1.bytes(&world, "ImportImage", &crate::support::import_params(&key));
    let replies = futures::future::join_all((0..8).map(|_| exchange(world.address, &bytes))).await;
    let mut codes: Vec<String> = replies.iter().map(RawReply::code).collect();
    codes.sort();
    assert_eq!(codes, [&[""][..], &["SignatureNonceUsed"; 7]].concat());
    assert_eq!(world.count("SELECT COUNT(*) FROM images WHERE kind = 'custom'", &[]).await, 1);
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_the_form_of_one() {
    let world = World::new().await;
    let host = world.address;
    for (head, status, code) in [
        ("PUT /?Action=DeleteImage&Format=JSON HTTP/1.1", 403, "UnsupportedHTTPMethod"),
        ("DELETE /?Format=json HTTP/1.1", 403, "UnsupportedHTTPMethod"),
        ("GET /images HTTP/1.1", 404, "InvalidProduct.NotFound"),
        ("GET / HTTP/1.1", 400, "MissingAction"),
    ] {
        let reply = exchange(host, format!("{head}\r\nhost: {host}\r\n\r\n").as_bytes()).await;
        assert_form(&reply, head);
        assert_eq!((reply.status, &*reply.code()), (status, code), "{head}");
    }
    let reply = exchange(host, format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await;
    assert_eq!((reply.status, &*reply.body), (200, "ok\n"));
}

/// The window is a quarter of an hour to either side, whatever the operation.
#[tokio::test]
async fn the_clock_of_the_server_counts() {
    let world = World::new().await;
    let v1 = V1 { method: "GET", in_form: false, format: "JSON" };
    let bytes = || v1.bytes(&world, "DescribeImages", &[]);
    let (early, late, edge) = (bytes(), bytes(), bytes());
    world.pass(15 * 60);
    assert_eq!(exchange(world.address, &edge).await.status, 200);
    world.pass(1);
    assert_eq!(exchange(world.address, &late).await.code(), "InvalidTimeStamp.Expired");
    world.pass(-2 * (15 * 60 + 1));
    assert_eq!(exchange(world.address, &early).await.code(), "InvalidTimeStamp.Expired");
    assert_eq!(world.clock.now(), Timestamp::parse("2026-03-27T07:54:09Z").unwrap());
    assert!(OPERATIONS.iter().any(|operation| operation.api.version == ENS));
}

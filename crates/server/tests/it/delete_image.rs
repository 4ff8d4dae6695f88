//! `DeleteImage`: every row of its error table by its real precondition, and what a success leaves.

mod bytes;
mod order;
mod ram;
mod usage;

use calotype::wire::sign::{Call, Key, sign_acs3};
use calotype::wire::signature::Secret;
use calotype::wire::signature::acs3::Algorithm;
use serde_json::json;

use crate::support::caller::{Caller, is_request_id};
use crate::support::print::redacted;
use crate::support::raw::{V1, exchange};
use crate::support::refusals::{
    IMAGE_STATUS, INVALID_IMAGE_ID, MISSING_PARAMETER, NO_PERMISSION, NOT_EXIST, Row, UNAVAILABLE,
};
use crate::support::{ENS, OTHER, OWNER, PUBLIC_IMAGE, Setup, World, disk};

/// Deletes in vain, and checks that nothing at all has changed.
async fn refused(world: &World, caller: &Caller, image: &str, row: Row) {
    let before = world.print().await;
    caller.refused("DeleteImage", &[("ImageId", image)], row).await;
    assert_eq!(world.print().await, before, "a refused delete changes nothing");
}

/// Deletes with success, and checks that nothing is left once the work is done.
async fn deleted(world: &World, caller: &Caller, image: &str) {
    let body = caller.ok("DeleteImage", &[("ImageId", image)]).await;
    assert_eq!(body, json!({ "Code": 0, "RequestId": body["RequestId"] }));
    world.drain().await;
    world.assert_erased(image).await;
    world.assert_sound().await;
}

const UNKNOWN: &str = "m-0000000000000000000000000";

#[tokio::test]
async fn d1_removes_the_image_its_shares_and_its_bytes() {
    let world = World::new().await;
    let (image, kept) = (world.import().await, world.import().await);
    world.owner.share(&image, OTHER).await;
    assert_eq!(world.files_of(&image).await.len(), 1);

    deleted(&world, &world.owner, &image).await;

    for caller in [&world.owner, &world.other] {
        for action in ["DescribeSelfImages", "DescribeImages"] {
            let body = caller.ok(action, &[("ImageId", &image)]).await;
            assert_eq!(body["Images"]["Image"], json!([]));
        }
        let launch = [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small")];
        caller.refused("RunInstances", &launch, INVALID_IMAGE_ID).await;
    }
    assert_eq!(world.owner.image_status(&kept).await, "Available");
    assert_eq!(world.files_of(&kept).await.len(), 1, "the bytes of the other image stay");
}

/// From the answer on nobody sees the image, though its bytes are still there.
#[tokio::test]
async fn d1_is_gone_before_its_bytes_are() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    assert!(world.owner.image(&image).await.is_null());
    assert_eq!(world.files_of(&image).await.len(), 1);
    world.drain().await;
    world.assert_erased(&image).await;
}

#[tokio::test]
async fn d1_writes_who_deleted_what() {
    let world = World::open(Setup::with_users(&[(
        "ci",
        r#"{"Effect":"Allow","Action":"ens:DeleteImage","Resource":"*"}"#,
    )]))
    .await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let body = world.user("ci").ok("DeleteImage", &[("ImageId", &image)]).await;
    let sql = "SELECT owner, caller, request_id, kept, product, accepted_ms - erase_from_ms FROM deletions \
               WHERE image_id = $1 AND completed_ms IS NULL";
    let rows = world.rows(sql, &[image.as_str().into()]).await;
    let told: Vec<&str> = (0..5).map(|column| rows[0].text(column).unwrap()).collect();
    let request_id = body["RequestId"].as_str().unwrap();
    let expected = [OWNER, "acs:ram::1000000000000001:user/ci", request_id, told[3], "ens"];
    assert_eq!(told, expected);
    assert!(told[3].contains(OTHER), "{}", told[3]);
    assert_eq!((rows.len(), rows[0].integer(5).unwrap()), (1, 0));
}

#[tokio::test]
async fn d2_a_call_without_a_good_signature_is_refused() {
    let world = World::new().await;
    let image = world.import().await;
    let before = world.print().await;
    let thief = Caller::with_secret(world.address, "owner", "not the secret", &world.clock);
    let answer = thief.call(ENS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!((answer.status, answer.code()), (400, Some("SignatureDoesNotMatch")));
    let nobody = Caller::new(world.address, "nobody", &world.clock);
    let answer = nobody.call(ENS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!((answer.status, answer.code()), (404, Some("InvalidAccessKeyId.NotFound")));

    let form = V1 { method: "POST", in_form: true, format: "JSON" };
    let unsigned = format!("Action=DeleteImage&Version={ENS}&Format=JSON&ImageId={image}");
    let reply = exchange(world.address, &form.unsigned(world.address, &unsigned)).await;
    assert_eq!((reply.status, &*reply.code()), (400, "MissingAccessKeyId"));
    assert_eq!(world.print().await, before);
}

/// Query and form, GET and POST, both generations of signatures.
#[tokio::test]
async fn d8_takes_the_id_from_query_and_form() {
    let world = World::new().await;
    for (method, in_form) in [("GET", false), ("POST", false), ("POST", true)] {
        let image = world.import().await;
        let v1 = V1 { method, in_form, format: "JSON" };
        let reply = exchange(world.address, &v1.bytes(&world, "DeleteImage", &[("ImageId", &image)])).await;
        assert_eq!((reply.status, &reply.json()["Code"]), (200, &json!(0)), "{method} {in_form}");
        world.drain().await;
        world.assert_erased(&image).await;
    }
    for algorithm in [Algorithm::Sha256, Algorithm::Sm3] {
        let image = world.import().await;
        let reply = exchange(world.address, &acs3_delete(&world, algorithm, &image)).await;
        assert_eq!((reply.status, &reply.json()["Code"]), (200, &json!(0)), "{algorithm:?}");
        assert!(world.owner.image(&image).await.is_null());
    }
}

fn acs3_delete(world: &World, algorithm: Algorithm, image: &str) -> Vec<u8> {
    let secret = Secret::new("testsecret");
    let key = Key { access_key_id: "testid", secret: &secret, security_token: None };
    let host = world.address.to_string();
    let query = [("ImageId".to_owned(), image.to_owned())];
    let call = Call {
        method: "POST",
        host: &host,
        action: "DeleteImage",
        version: ENS,
        query: &query,
        content_type: None,
        body: b"",
    };
    let headers = sign_acs3(key, algorithm, &call, world.clock.now(), image);
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    format!("POST /?ImageId={image} HTTP/1.1\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
}

/// A list in any spelling is no id, and none of its images is touched.
#[tokio::test]
async fn d8_takes_one_id_only() {
    let world = World::new().await;
    let (one, other) = (world.import().await, world.import().await);
    let before = world.print().await;
    let (pair, array) = (format!("{one},{other}"), format!("[\"{one}\"]"));
    for params in [
        &[("ImageId", pair.as_str())][..],
        &[("ImageId", &array)],
        &[("ImageId", &format!("{one} "))],
        &[("ImageId.1", &one)],
        &[("ImageId.1", &one), ("ImageId.2", &other)],
    ] {
        world.owner.refused("DeleteImage", params, INVALID_IMAGE_ID).await;
    }
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn d9_users_of_one_account_delete_each_others_images() {
    let all = r#"{"Effect":"Allow","Action":"ens:*","Resource":"*"}"#;
    let world = World::open(Setup::with_users(&[("maker", all), ("deleter", all)])).await;
    let key = world.put(&disk("made by a user"));
    let body = world.user("maker").ok("ImportImage", &crate::support::import_params(&key)).await;
    world.drain().await;
    deleted(&world, &world.user("deleter"), body["ImageId"].as_str().unwrap()).await;
}

#[tokio::test]
async fn d10_d11_d12_the_reply_has_two_members() {
    let world = World::new().await;
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let mut seen = Vec::new();
    for image in [world.import().await, world.import().await] {
        let reply = exchange(world.address, &v1.bytes(&world, "DeleteImage", &[("ImageId", &image)])).await;
        let body = reply.json();
        assert_eq!(body.as_object().unwrap().len(), 2);
        assert!(body["Code"].is_i64() && body["Code"] == 0, "{body}");
        assert!(is_request_id(&body["RequestId"]));
        assert_eq!(reply.header("x-acs-request-id"), body["RequestId"]);
        assert_eq!(reply.header("content-type"), "application/json;charset=utf-8");
        assert!(!seen.contains(&body["RequestId"]), "every call has an id of its own");
        seen.push(body["RequestId"].clone());
    }
}

#[tokio::test]
async fn d12_the_same_in_xml() {
    let world = World::new().await;
    let image = world.import().await;
    let v1 = V1 { method: "GET", in_form: false, format: "XML" };
    let ok = exchange(world.address, &v1.bytes(&world, "DeleteImage", &[("ImageId", &image)])).await;
    assert_eq!(ok.header("content-type"), "text/xml;charset=utf-8");
    let id = ok.header("x-acs-request-id");
    assert!(
        ok.body.contains(&format!("<DeleteImageResponse><Code>0</Code><RequestId>{id}</RequestId>")),
        "{}",
        ok.body
    );
    let again = exchange(world.address, &v1.bytes(&world, "DeleteImage", &[("ImageId", &image)])).await;
    let (code, message) = (again.member("Code"), again.member("Message"));
    assert_eq!((again.status, &*code, &*message), NOT_EXIST);
    assert!(again.body.contains("<Error>"), "{}", again.body);
}

#[tokio::test]
async fn d14_image_id_absent_or_empty() {
    let world = World::new().await;
    for params in [&[][..], &[("ImageId", "")]] {
        let body = world.owner.refused("DeleteImage", params, MISSING_PARAMETER).await;
        insta::assert_json_snapshot!("d14_missing_parameter", redacted(&body));
    }
}

#[tokio::test]
async fn d15_an_image_that_the_caller_sees_but_did_not_make() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    refused(&world, &world.other, &image, NO_PERMISSION).await;
    for caller in [&world.owner, &world.other] {
        refused(&world, caller, PUBLIC_IMAGE, NO_PERMISSION).await;
    }
    let body = world.other.refused("DeleteImage", &[("ImageId", &image)], NO_PERMISSION).await;
    insta::assert_json_snapshot!("d15_not_the_callers", redacted(&body));
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d17b_unknown_foreign_and_deleted_images_are_answered_alike() {
    let world = World::new().await;
    let (foreign, gone) = (world.import().await, world.import().await);
    deleted(&world, &world.owner, &gone).await;
    let mut bodies = Vec::new();
    for (caller, image) in [(&world.other, UNKNOWN), (&world.other, &foreign), (&world.owner, &gone)] {
        refused(&world, caller, image, NOT_EXIST).await;
        let body = caller.refused("DeleteImage", &[("ImageId", image)], NOT_EXIST).await;
        bodies.push(redacted(&body));
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "existence does not leak");
    insta::assert_json_snapshot!("d17b_not_exist", bodies[0]);
}

#[tokio::test]
async fn d18_an_image_that_is_being_made_cannot_be_deleted() {
    let world = World::new().await;
    let image = world.begin_import(&disk("on its way")).await;
    for (stage, status) in
        [("creating", "Creating"), ("packing", "Packing"), ("uploading", "Uploading"), ("copying", "Copying")]
    {
        let sql = "UPDATE images SET stage = $2 WHERE id = $1";
        assert_eq!(world.change(sql, &[(&image).into(), stage.into()]).await, 1);
        assert_eq!(world.owner.image_status(&image).await, status);
        refused(&world, &world.owner, &image, IMAGE_STATUS).await;
    }
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Available");
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d18_an_image_made_of_an_instance_too() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let image = world.owner.create_image(&instance).await;
    refused(&world, &world.owner, &image, IMAGE_STATUS).await;
    world.drain().await;
    // The instance it was made of is no use of it.
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d18_failed_and_unavailable_images_can_be_deleted() {
    let world = World::new().await;
    let image = world.begin_import(b"no qcow2 at all").await;
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Pack_failed");
    deleted(&world, &world.owner, &image).await;
    for (state, stage, status) in
        [("unavailable", None, "Unavailable"), ("failed", Some("uploading"), "Upload_failed")]
    {
        let image = world.import().await;
        let sql = "UPDATE images SET state = $2, stage = $3 WHERE id = $1";
        world.change(sql, &[(&image).into(), state.into(), stage.into()]).await;
        assert_eq!(world.owner.image_status(&image).await, status);
        deleted(&world, &world.owner, &image).await;
    }
}

#[tokio::test]
async fn d19_an_id_that_cannot_be_one() {
    let world = World::new().await;
    let (longest, too_long) = ("m".repeat(128), "m".repeat(129));
    for malformed in [&too_long, "m a", "m/a", "../m-1", "m-\u{e9}", "m-1;", "m%2D1", "*"] {
        refused(&world, &world.owner, malformed, INVALID_IMAGE_ID).await;
    }
    for unknown in [longest.as_str(), "m", "A_b-C.9"] {
        refused(&world, &world.owner, unknown, NOT_EXIST).await;
    }
}

#[tokio::test]
async fn d20_sharing_does_not_block_and_recipients_lose_sight_at_once() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    assert_eq!(world.other.image(&image).await["ImageOwnerAlias"], "others");
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    assert!(world.other.image(&image).await.is_null());
    world.other.refused("DeleteImage", &[("ImageId", &image)], NOT_EXIST).await;
}

/// The last of the writes fails: all those before it are taken back (D47).
#[tokio::test]
async fn d47_a_delete_whose_last_write_fails_has_changed_nothing() {
    let world = World::open(Setup { embedded: true, ..Setup::default() }).await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON deletions BEGIN SELECT RAISE(ABORT, 'full'); END";
    world.change(trigger, &[]).await;
    refused(&world, &world.owner, &image, UNAVAILABLE).await;
    world.change("DROP TRIGGER full", &[]).await;
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d51_ids_are_not_reused() {
    let world = World::new().await;
    let bytes = disk("the same each time");
    let first = world.import_disk(&bytes).await;
    deleted(&world, &world.owner, &first).await;
    let second = world.import_disk(&bytes).await;
    assert_ne!(first, second);
    refused(&world, &world.owner, &first, NOT_EXIST).await;
    deleted(&world, &world.owner, &second).await;
}

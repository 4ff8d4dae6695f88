//! Accounts that ask too often.

use calotype::config::{Config, Overrides};
use calotype::throttle::{Limits, Rate};

use crate::assume_role::STS;
use crate::support::caller::Answer;
use crate::support::raw::{RawReply, V1, exchange};
use crate::support::{ENS, Setup, World};

/// Who the sender is costs nothing else, so these calls find out whether the buckets hold.
const HARMLESS: &str = "DescribeEnsRegions";

fn setup(limits: &str) -> Setup {
    Setup::with(&format!("[throttling]\n{limits}\n"))
}

fn refused(answer: &Answer) -> Option<&str> {
    if answer.status == 200 {
        return None;
    }
    let message = answer.body["Message"].as_str().unwrap();
    match answer.code().unwrap() {
        code @ "Throttling.User" => {
            assert_eq!((answer.status, message), (400, "Request was denied due to user flow control."));
            Some(code)
        }
        code @ "Throttling.Api" => {
            assert_eq!((answer.status, message), (400, "Request was denied due to api flow control."));
            Some(code)
        }
        other => panic!("{other}: {}", answer.body),
    }
}

#[tokio::test]
async fn an_account_that_asks_too_often_is_told_when_to_come_back() {
    let world = World::open(setup("account_per_second = 2\naccount_burst = 3")).await;
    for _ in 0..3 {
        world.owner.ok(HARMLESS, &[]).await;
    }
    // Whatever it asks for, and whoever of the account asks: users and sessions share its bucket.
    for (version, action) in [(ENS, HARMLESS), (ENS, "DescribeImages"), (STS, "GetCallerIdentity")] {
        assert_eq!(refused(&world.owner.call(version, action, &[]).await), Some("Throttling.User"));
        assert_eq!(refused(&world.assumer.call(version, action, &[]).await), Some("Throttling.User"));
    }
    world.other.ok(HARMLESS, &[]).await;

    let v1 = V1 { method: "GET", in_form: false, format: "XML" };
    let reply = exchange(world.address, &v1.bytes(&world, HARMLESS, &[])).await;
    assert_eq!((reply.status, &*reply.code()), (400, "Throttling.User"));
    assert_eq!(reply.header("x-acs-retry-after"), "500", "in milliseconds");
    world.clock.advance_millis(499);
    assert_eq!(refused(&world.owner.call(ENS, HARMLESS, &[]).await), Some("Throttling.User"));
    world.clock.advance_millis(1);
    world.owner.ok(HARMLESS, &[]).await;
    assert_eq!(refused(&world.owner.call(ENS, HARMLESS, &[]).await), Some("Throttling.User"));
}

#[tokio::test]
async fn an_operation_that_is_asked_for_too_often_leaves_the_others_alone() {
    let limits = "account_per_second = 0\noperation_per_second = 1\noperation_burst = 2";
    let world = World::open(setup(limits)).await;
    let throttled = || async { refused(&world.owner.call(ENS, HARMLESS, &[]).await).map(str::to_owned) };
    assert_eq!((throttled().await, throttled().await), (None, None));
    assert_eq!(throttled().await.as_deref(), Some("Throttling.Api"));
    world.owner.ok("DescribeImages", &[]).await;
    world.other.ok(HARMLESS, &[]).await;
    world.pass(1);
    assert_eq!(throttled().await, None);
    assert_eq!(throttled().await.as_deref(), Some("Throttling.Api"));
}

/// Only proven callers are counted: a stranger empties nobody's bucket, nor does who sends a request again.
#[tokio::test]
async fn strangers_and_replays_take_nothing() {
    let world = World::open(setup("account_per_second = 1\naccount_burst = 2")).await;
    let thief = crate::support::caller::Caller::with_secret(world.address, "owner", "wrong", &world.clock);
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let sent = v1.bytes(&world, HARMLESS, &[]);
    assert_eq!(exchange(world.address, &sent).await.status, 200);
    for _ in 0..5 {
        assert_eq!(thief.call(ENS, HARMLESS, &[]).await.code(), Some("SignatureDoesNotMatch"));
        assert_eq!(exchange(world.address, &sent).await.code(), "SignatureNonceUsed");
        let unknown = world.owner.call(ENS, "NoSuchAction", &[]).await;
        assert_eq!(unknown.code(), Some("InvalidAction.NotFound"), "what there is not is not counted");
    }
    world.owner.ok(HARMLESS, &[]).await;
    assert_eq!(refused(&world.owner.call(ENS, HARMLESS, &[]).await), Some("Throttling.User"));
}

/// The nonce of a request that came too soon is spent: its sender was told no, and must be able to rely on it.
#[tokio::test]
async fn a_request_that_came_too_soon_can_not_be_sent_again() {
    let world = World::open(setup("account_per_second = 1\naccount_burst = 2")).await;
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let (_, key) = (world.owner.ok(HARMLESS, &[]).await, world.put(&crate::support::disk("x")));
    world.owner.ok(HARMLESS, &[]).await;
    let bytes = v1.bytes(&world, "ImportImage", &crate::support::import_params(&key));
    assert_eq!(exchange(world.address, &bytes).await.code(), "Throttling.User");
    world.pass(60);
    assert_eq!(exchange(world.address, &bytes).await.code(), "SignatureNonceUsed");
    assert_eq!(world.count("SELECT COUNT(*) FROM images WHERE kind = 'custom'", &[]).await, 0);
    let signed_anew = v1.bytes(&world, "ImportImage", &crate::support::import_params(&key));
    assert_eq!(exchange(world.address, &signed_anew).await.status, 200);
}

/// Of calls at once as many are let through as the bucket holds.
#[tokio::test]
async fn calls_at_once_share_the_bucket() {
    let world = World::open(setup("account_per_second = 1\naccount_burst = 7")).await;
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let all: Vec<Vec<u8>> = (0..30).map(|_| v1.bytes(&world, HARMLESS, &[])).collect();
    let replies = futures::future::join_all(all.iter().map(|bytes| exchange(world.address, bytes))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 7);
    let told = |reply: &RawReply| reply.header("x-acs-retry-after").parse::<u64>().unwrap();
    assert!(replies.iter().filter(|reply| reply.status != 200).all(|reply| told(reply) == 1_000));
}

/// Reads a configuration; the file has this text.
fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calotype.toml");
    std::fs::write(&path, text).unwrap();
    let overrides = Overrides { config: Some(path), ..Overrides::default() };
    let variable = |name: &str| environment.iter().find(|(other, _)| *other == name);
    Config::load(&overrides, |name| variable(name).map(|(_, value)| (*value).to_owned()))
        .map_err(|error| error.to_string())
}

#[test]
fn limits_are_whole_numbers_and_zero_is_none() {
    let limits =
        |text: &str, environment: &[(&str, &str)]| load(text, environment).map(|config| config.throttling);
    assert_eq!(limits("", &[]), Ok(Limits::default()));
    assert_eq!(Limits::default().account, Rate::of(10_000, 20_000));
    assert_eq!(Limits::default().operation, Rate::of(5_000, 10_000));
    let text = "[throttling]\naccount_per_second = 5\naccount_burst = 6\noperation_per_second = 0\n";
    assert_eq!(limits(text, &[]), Ok(Limits { account: Rate::of(5, 6), operation: None }));
    let variable = [("CALOTYPE_THROTTLING_ACCOUNT_PER_SECOND", "7")];
    assert_eq!(limits(text, &variable), Ok(Limits { account: Rate::of(7, 6), operation: None }));
    for text in [
        "account_burst = 1000001",
        "account_burst = 4294967296",
        "operation_burst = -1",
        "account_burst = 1.5",
        "x = 1",
    ] {
        let error = limits(&format!("[throttling]\n{text}"), &[]).unwrap_err();
        assert!(error.contains("throttling.account_burst") || error.contains("line 2"), "{error}");
    }
    assert!(
        limits("", &[("CALOTYPE_THROTTLING_OPERATION_BURST", "many")])
            .unwrap_err()
            .contains("operation_burst")
    );
}

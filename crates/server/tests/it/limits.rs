//! The limits of a request, each one met and passed by one. What bounds a connection in time and number is in
//! `connections`; limits of single operations are with those.

use calotype::http::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX};
use calotype::operations::OPERATIONS;
use calotype::wire::params::{NAME_BYTES_MAX, NESTING_MAX, PARAMETERS_MAX, VALUE_BYTES_MAX};
use calotype::wire::request::{ACCESS_KEY_ID_BYTES_MAX, CLOCK_WINDOW_MS, NONCE_BYTES_MAX};
use calotype::wire::sign::Key;
use calotype::wire::signature::Secret;
use calotype::wire::signature::acs3::{Algorithm, SIGNED_HEADERS_MAX};
use calotype_core::time::Timestamp;

use crate::operations::drive::Stage;
use crate::support::raw::{RawReply, Signed, V1, exchange, fresh_nonce, try_exchange};
use crate::support::{ENS, Setup, World};

const FORMAT: (u16, &str) = (400, "InvalidParameter.Format");
const OK: (u16, &str) = (200, "");

/// Common parameters of a V1 call, its signature included.
const COMMON: usize = 9;

fn told(reply: &RawReply) -> (u16, String) {
    (reply.status, reply.code())
}

/// A harmless call with these parameters.
async fn call(world: &World, params: &[(&str, &str)]) -> RawReply {
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    exchange(world.address, &v1.bytes(world, "DescribeImages", params)).await
}

#[tokio::test]
async fn parameters_have_limits_in_number_and_length() {
    let world = World::new().await;
    let names: Vec<String> = (0..=PARAMETERS_MAX).map(|number| format!("Filler.{number}")).collect();
    let filler = |count: usize| names.iter().take(count).map(|name| (name.as_str(), "x")).collect::<Vec<_>>();
    let (name, value) = ("n".repeat(NAME_BYTES_MAX + 1), "v".repeat(VALUE_BYTES_MAX + 1));
    for (params, expected) in [
        (filler(PARAMETERS_MAX - COMMON), OK),
        (filler(PARAMETERS_MAX - COMMON + 1), FORMAT),
        (vec![(&name[1..], "x")], OK),
        (vec![(&name[..], "x")], FORMAT),
        (vec![("Filler", &value[1..])], OK),
        (vec![("Filler", &value[..])], FORMAT),
    ] {
        let reply = call(&world, &params).await;
        let what = format!("{} of {} and {} bytes", params.len(), params[0].0.len(), params[0].1.len());
        assert_eq!(told(&reply), (expected.0, expected.1.to_owned()), "{what}");
    }
}

#[tokio::test]
async fn json_bodies_have_limits_too() {
    let world = World::new().await;
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let many = |count: usize| {
        let members: Vec<String> = (0..count).map(|number| format!(r#""Filler.{number}":1"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    for (body, expected) in [
        (nested(NESTING_MAX), "MissingAction"),
        (nested(NESTING_MAX + 1), "InvalidParameter.Format"),
        (nested(100_000), "InvalidParameter.Format"),
        (many(PARAMETERS_MAX), "MissingAction"),
        (many(PARAMETERS_MAX + 1), "InvalidParameter.Format"),
    ] {
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n", world.address);
        let reply = exchange(world.address, format!("{head}{body}").as_bytes()).await;
        assert_eq!(reply.code(), expected, "{length} bytes");
    }
}

#[tokio::test]
async fn nonces_keys_and_times_have_limits() {
    let world = World::new().await;
    let secret = Secret::new("secret-of-owner");
    let now = world.clock.now();
    let ask = async |id: &str, nonce: &str, at: Timestamp| {
        let key = Key { access_key_id: id, secret: &secret, security_token: None };
        let signed = Signed { key, version: ENS, action: "DescribeImages", params: &[], at, nonce };
        let replies = [signed.v1(world.address), signed.acs3(world.address, Algorithm::Sha256)];
        let [v1, acs3] =
            [exchange(world.address, &replies[0]).await, exchange(world.address, &replies[1]).await];
        (v1.code(), acs3.code())
    };
    let both = |code: &str| (code.to_owned(), code.to_owned());
    // The second way of signing meets the nonce that the first has spent.
    let first_only = (String::new(), "SignatureNonceUsed".to_owned());
    let (longest, key) = ("n".repeat(NONCE_BYTES_MAX), "k".repeat(ACCESS_KEY_ID_BYTES_MAX));
    assert_eq!(ask("ak-owner", &longest, now).await, first_only);
    assert_eq!(ask("ak-owner", &format!("{longest}n"), now).await, both("InvalidSignatureNonce"));
    for id in [key.clone(), format!("{key}k"), key.repeat(100)] {
        assert_eq!(ask(&id, &fresh_nonce(), now).await, both("InvalidAccessKeyId.NotFound"));
    }
    for sign in [-1, 1] {
        let edge = now.plus_millis(sign * CLOCK_WINDOW_MS);
        assert_eq!(ask("ak-owner", &fresh_nonce(), edge).await, first_only);
        let beyond = edge.plus_millis(sign * 1_000);
        assert_eq!(ask("ak-owner", &fresh_nonce(), beyond).await, both("InvalidTimeStamp.Expired"));
    }
}

#[tokio::test]
async fn a_request_signs_so_many_headers() {
    let world = World::new().await;
    for (count, expected) in
        [(SIGNED_HEADERS_MAX, "InvalidAccessKeyId.NotFound"), (SIGNED_HEADERS_MAX + 1, "IncompleteSignature")]
    {
        let names: Vec<String> = (0..count).map(|number| format!("x-{number}")).collect();
        let now = world.clock.now();
        let head = format!(
            "GET /?Action=A&Version=V&Timestamp=x HTTP/1.1\r\nhost: {}\r\nx-acs-date: {now}\r\n\
             x-acs-signature-nonce: n\r\nauthorization: ACS3-HMAC-SHA256 Credential=nobody,SignedHeaders={},\
             Signature=00\r\n\r\n",
            world.address,
            // The two that must be signed stand in the place of two others.
            [&["x-acs-date".to_owned(), "x-acs-signature-nonce".to_owned()], &names[2..]].concat().join(";"),
        );
        assert_eq!(exchange(world.address, head.as_bytes()).await.code(), expected, "{count}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit_however_it_is_sent() {
    let world = World::new().await;
    let body = |length: usize| [b"Filler=", vec![b'x'; length - 7].as_slice()].concat();
    let with_length = |length: usize| {
        let head = format!("POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n", world.address);
        [head.into_bytes(), body(length)].concat()
    };
    let chunked = |length: usize| {
        let head =
            format!("POST / HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n", world.address);
        let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
        let chunks: Vec<u8> = body(length).chunks(100_000).flat_map(chunk).collect();
        [head.into_bytes(), chunks, b"0\r\n\r\n".to_vec()].concat()
    };
    for (bytes, expected) in [
        (with_length(BODY_BYTES_MAX), FORMAT),
        (chunked(BODY_BYTES_MAX), FORMAT),
        (with_length(BODY_BYTES_MAX + 1), (413, "RequestEntityTooLarge")),
        (chunked(BODY_BYTES_MAX + 1), (413, "RequestEntityTooLarge")),
    ] {
        let reply = exchange(world.address, &bytes).await;
        assert_eq!(told(&reply), (expected.0, expected.1.to_owned()), "{} bytes", bytes.len());
    }
}

#[tokio::test]
async fn a_head_has_limits_in_lines_and_bytes() {
    let world = World::new().await;
    let host = world.address;
    let lines = |count: usize| "x-filler: y\r\n".repeat(count);
    let head = |more: &str| format!("GET / HTTP/1.1\r\nhost: {host}\r\n{more}\r\n");
    let reply = exchange(host, head(&lines(HEADERS_MAX - 1)).as_bytes()).await;
    assert_eq!(reply.code(), "MissingAction");
    // Who sends more lines than that speaks no protocol that an answer could be written in.
    let reply = try_exchange(host, head(&lines(HEADERS_MAX)).as_bytes()).await;
    assert!(reply.as_ref().is_none_or(|reply| reply.status == 431), "{reply:?}");
    let others = "/".len() + format!("host: {host}\r\n").len() + "x-filler: \r\n".len();
    let long = |more: usize| format!("x-filler: {}\r\n", "y".repeat(HEAD_BYTES_MAX - others + more));
    assert_eq!(exchange(host, head(&long(0)).as_bytes()).await.code(), "MissingAction");
    for more in [1, HEAD_BYTES_MAX, 20 * HEAD_BYTES_MAX] {
        let reply = try_exchange(host, head(&long(more)).as_bytes()).await;
        assert!(reply.as_ref().is_none_or(|reply| reply.status == 431), "{more}: {reply:?}");
    }
    let target = format!("GET /?{} HTTP/1.1\r\nhost: {host}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX / 2));
    let reply = try_exchange(host, target.as_bytes()).await;
    assert!(reply.as_ref().is_none_or(|reply| reply.status == 414), "{reply:?}");
    assert_eq!(call(&world, &[]).await.status, 200);
}

/// The largest pages that the vendor documents, or that we chose where it is silent.
fn largest_page(api: &str, operation: &str) -> i64 {
    let fifty = ["DescribeDisks", "DescribeExportImageInfo", "DescribeImages", "DescribeSelfImages"];
    if api == "ens" && fifty.contains(&operation) { 50 } else { 100 }
}

#[tokio::test]
async fn a_page_has_a_limit_wherever_there_are_pages() {
    let world = World::open(Setup::with("deletion = { grace = '1h' }\n")).await;
    let stage = Stage::set(&world).await;
    let mut pages = 0;
    for operation in OPERATIONS {
        let (api, version, name) = (operation.api.name, operation.api.version, operation.name);
        for parameter in ["PageSize", "MaxResults"] {
            if operation.parameters.iter().all(|other| other.name != parameter) {
                continue;
            }
            pages += 1;
            let owned = stage.params(&world, operation).await;
            let largest = largest_page(api, name);
            for (size, fits) in [(largest, true), (largest + 1, false), (0, false), (i64::MAX, false)] {
                let size = size.to_string();
                let mut params: Vec<(&str, &str)> =
                    owned.iter().map(|(name, value)| (*name, &**value)).collect();
                params.retain(|(name, _)| *name != parameter);
                params.push((parameter, &size));
                let answer = world.owner.call(version, name, &params).await;
                let code = answer.code().unwrap_or_default();
                assert_eq!(answer.status == 200, fits, "{name} {parameter}={size}: {}", answer.body);
                assert!(fits || code.ends_with(parameter), "{name} {parameter}={size}: {}", answer.body);
            }
        }
    }
    assert!(pages > 10, "{pages}");
}

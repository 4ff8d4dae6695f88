//! Requests as a client would send them, and what becomes of them.

use calotype::clock::Chance;
use calotype::wire::encode;
use calotype::wire::sign::{Call, Key, sign_acs3, sign_v1};
use calotype::wire::signature::Secret;
use calotype::wire::signature::acs3::Algorithm;
use calotype_core::time::Timestamp;

use crate::mutate::spoil;
use crate::{KEY, NOW};

/// How bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once; then nothing more is said.
    Open,
    /// At once; then it is said that nothing more will come.
    HalfClosed,
    /// At once; then the connection is gone.
    Abrupt,
    /// In small pieces.
    Slow,
}

/// What is sent, where to, and how.
#[derive(Debug)]
pub struct Case {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How they are sent.
    pub pace: Pace,
    /// Whether to the listener that speaks TLS.
    pub to_tls: bool,
    piece: usize,
}

impl Case {
    /// The bytes as they are sent.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.piece.max(1))
    }
}

/// Chance in small numbers.
pub trait Dice {
    /// A number below `sides`; zero if there is none.
    fn below(&self, sides: usize) -> usize;

    /// One of several.
    fn one<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Whether something happens that does so once in so many times.
    fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }
}

impl Dice for Chance {
    fn below(&self, sides: usize) -> usize {
        let number = usize::try_from(u64::from_le_bytes(self.bytes()) >> 16).unwrap();
        number.checked_rem(sides).unwrap_or(0)
    }
}

/// Makes a case.
pub fn make(dice: &Chance) -> Case {
    let mut bytes = match dice.below(20) {
        0 => noise(dice),
        1 => greeting(dice),
        // One request after the other, without waiting.
        2..=4 => (0..2 + dice.below(4)).flat_map(|_| request(dice)).collect(),
        _ => request(dice),
    };
    if !dice.once_in(8) {
        spoil(&mut bytes, dice);
    }
    let pace = match dice.below(12) {
        0 => Pace::Open,
        1 => Pace::Abrupt,
        2 => Pace::Slow,
        _ => Pace::HalfClosed,
    };
    let piece = if pace == Pace::Slow { 1 + bytes.len() / (1 + dice.below(20)) } else { bytes.len() };
    Case { bytes, pace, to_tls: dice.once_in(12), piece }
}

fn noise(dice: &Chance) -> Vec<u8> {
    let length = *dice.one(&[0, 1, 2, 3, 100, 5_000]);
    (0..length).map(|_| dice.bytes::<1>()[0]).collect()
}

/// What those say first who speak something else.
fn greeting(dice: &Chance) -> Vec<u8> {
    let greetings: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x16\x03\x03\xff\xff",
        b"\x80\x2e\x01\x03\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"SSH-2.0-x\r\n",
        b"\x00\x00\x00\x00",
        b"*1\r\n$4\r\nPING\r\n",
        b"\r\n\r\n\r\n\r\n",
    ];
    let mut bytes = dice.one(&greetings).to_vec();
    bytes.extend(noise(dice));
    bytes
}

const METHODS: [&str; 8] = ["GET", "POST", "POST", "GET", "HEAD", "PUT", "OPTIONS", "get"];
const ACTIONS: [(&str, &str); 8] = [
    ("2017-11-10", "DescribeImages"),
    ("2017-11-10", "DeleteImage"),
    ("2017-11-10", "RunInstances"),
    ("2021-09-01", "ListImage"),
    ("2020-09-30", "DescribeTemplates"),
    ("2015-04-01", "GetCallerIdentity"),
    ("2015-04-01", "AssumeRole"),
    ("2026-11-21", "ListDeletions"),
];
const NAMES: [&str; 12] = [
    "ImageId",
    "ImageName",
    "PageSize",
    "PageNumber",
    "Tag.1.Key",
    "Tag.4294967295.Value",
    "DataDisk",
    "SystemDisk",
    "Policy",
    "RoleArn",
    "NextToken",
    "MaxResults",
];
const VALUES: [&str; 14] = [
    "",
    "m-1",
    "0",
    "-1",
    "9223372036854775808",
    "1e9",
    "true",
    "\u{955c}\u{50cf}",
    "a b+c~*%",
    "{\"Size\":20}",
    "[{\"Size\":\"20\"}]",
    "[[[[[[[[[[1]]]]]]]]]]",
    "\u{0}\u{1}\u{7f}",
    "acs:ram::1000000000000001:role/x",
];

fn params(dice: &Chance) -> Vec<(String, String)> {
    let pair = |_| ((*dice.one(&NAMES)).to_owned(), (*dice.one(&VALUES)).to_owned());
    let mut params: Vec<_> = (0..dice.below(6)).map(pair).collect();
    if dice.once_in(30) {
        params.extend((0..dice.below(400)).map(|number| (format!("Filler.{number}"), "x".to_owned())));
    }
    if dice.once_in(30) {
        params.push(("Filler".to_owned(), "v".repeat(dice.below(200_000))));
    }
    params
}

fn nonce(dice: &Chance) -> String {
    encode::hex(&dice.bytes::<16>())
}

fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

/// A request, signed in one of the ways.
fn request(dice: &Chance) -> Vec<u8> {
    match dice.below(12) {
        0 => format!(
            "GET {} HTTP/1.1\r\nhost: x\r\n\r\n",
            dice.one(&["/healthz", "/metrics", "/x", "*", "/?", "//"])
        )
        .into_bytes(),
        1..=6 => v1(dice),
        _ => acs3(dice),
    }
}

fn v1(dice: &Chance) -> Vec<u8> {
    let (method, (version, action)) = (*dice.one(&METHODS), *dice.one(&ACTIONS));
    let secret = Secret::new(KEY.1);
    let key = Key { access_key_id: KEY.0, secret: &secret, security_token: None };
    let mut all = vec![("Action".to_owned(), action.to_owned()), ("Version".to_owned(), version.to_owned())];
    all.push(("Format".to_owned(), (*dice.one(&["JSON", "XML", "json", "YAML", ""])).to_owned()));
    all.extend(params(dice));
    let signed = sign_v1(key, method, &all, now(), &nonce(dice));
    let text = encode::query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    match dice.below(3) {
        0 => head(method, &format!("/?{text}"), "content-length: 0\r\n"),
        1 => with_length(method, "/", "content-type: application/x-www-form-urlencoded\r\n", text.as_bytes()),
        _ => chunked(method, "/", "", text.as_bytes(), dice),
    }
}

fn acs3(dice: &Chance) -> Vec<u8> {
    let (method, (version, action)) = (*dice.one(&METHODS), *dice.one(&ACTIONS));
    let secret = Secret::new(KEY.1);
    let key = Key { access_key_id: KEY.0, secret: &secret, security_token: None };
    let (query, form) = (params(dice), params(dice));
    let text = |pairs: &[(String, String)]| {
        encode::query(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    };
    let json = serde_json::json!({ "ImageId": "m-1", "Tag": [{ "Key": "a", "Value": null }], "PageSize": 5 });
    let body = match dice.below(3) {
        0 => String::new(),
        1 => text(&form),
        _ => json.to_string(),
    };
    let algorithm = *dice.one(&[Algorithm::Sha256, Algorithm::Sm3]);
    let body = body.as_bytes();
    let call = Call { method, host: "x", action, version, query: &query, content_type: None, body };
    let headers = sign_acs3(key, algorithm, &call, now(), &nonce(dice));
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let target = format!("/?{}", text(&query));
    if dice.once_in(3) {
        chunked(method, &target, &lines, body, dice)
    } else {
        with_length(method, &target, &lines, body)
    }
}

fn head(method: &str, target: &str, lines: &str) -> Vec<u8> {
    let host = if lines.contains("host: ") { "" } else { "host: x\r\n" };
    format!("{method} {target} HTTP/1.1\r\n{host}{lines}\r\n").into_bytes()
}

fn with_length(method: &str, target: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let lines = format!("{lines}content-length: {}\r\n", body.len());
    [&head(method, target, &lines)[..], body].concat()
}

fn chunked(method: &str, target: &str, lines: &str, body: &[u8], dice: &Chance) -> Vec<u8> {
    let lines = format!("{lines}transfer-encoding: chunked\r\n");
    let mut bytes = head(method, target, &lines);
    for chunk in body.chunks(1 + dice.below(body.len().max(1))) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

//! Requests of the vendor's own clients, against the wire layer.
//!
//! The counts are asserted, so that no entry is skipped by accident.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calotype::wire::fault::{ErrorRow, GatewayError};
use calotype::wire::nonces::Nonces;
use calotype::wire::params::Params;
use calotype::wire::request::Request;
use calotype::wire::signature::{self, Secret};
use calotype_core::time::Timestamp;
use serde_json::Value;

#[path = "vectors/http1.rs"]
mod http1;

/// The tokens of the temporary keys in the files.
const TOKENS: [&str; 2] = ["CAISfakeTokenForTests+abc/def==~x*y%7E&k=v", "FakeSTS+token/==~*"];

/// Parameters that say who calls what, and how; all others belong to the operation.
const COMMON: [&str; 11] = [
    "Action",
    "Version",
    "Format",
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "SignatureType",
    "Timestamp",
    "SecurityToken",
    "Signature",
];

/// What the dispatcher does with a request, as far as the wire layer can: it has one access key, which is
/// permanent and temporary at once, and it believes every version and action.
struct Gateway {
    now: Timestamp,
    secret: Secret,
    nonces: Nonces,
}

impl Gateway {
    fn new(file: &Value) -> Self {
        Self::at(text(file, "server_clock"), text(file, "access_key_secret"))
    }

    fn at(clock: &str, secret: &str) -> Self {
        let now = Timestamp::parse(clock).unwrap();
        Self { now, secret: Secret::new(secret), nonces: Nonces::default() }
    }

    fn accept(&self, raw: &[u8]) -> Result<Request, GatewayError> {
        let request = parse(raw)?;
        let claim = request.claim(self.now)?;
        if !["testid", "YourAccessKeyId"].contains(&claim.access_key_id) {
            return Err(GatewayError::InvalidAccessKeyIdNotFound);
        }
        if claim.security_token.is_some_and(|token| !TOKENS.contains(&token)) {
            return Err(GatewayError::InvalidSecurityTokenMalformed);
        }
        signature::verify(&claim, &self.secret)?;
        self.nonces.spend(claim.access_key_id, claim.nonce, claim.stamped, self.now)?;
        Ok(request)
    }

    /// The row of a request signed with another secret, which shows what the server signed.
    fn mismatch(&self, raw: &[u8]) -> ErrorRow {
        let request = parse(raw).unwrap();
        let claim = request.claim(self.now).unwrap();
        signature::verify(&claim, &Secret::new("other")).unwrap_err().row()
    }
}

fn parse(raw: &[u8]) -> Result<Request, GatewayError> {
    let sent = http1::read(raw);
    Request::parse(&sent.method, &sent.uri, &sent.headers, &sent.body).map_err(|(_, error)| error)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn file(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn entries<'a>(file: &'a Value, key: &str, count: usize) -> &'a [Value] {
    let entries = file[key].as_array().unwrap();
    assert_eq!(entries.len(), count, "{key}");
    entries
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or_else(|| panic!("{key} in {entry}"))
}

fn raw(entry: &Value) -> Vec<u8> {
    STANDARD.decode(text(entry, "raw_base64")).unwrap()
}

/// The parameters that a V1 string to sign lists, decoded by the reader of this test.
fn signed_params(string_to_sign: &str) -> Vec<(String, String)> {
    let canonical = http1::percent_decode(string_to_sign.splitn(3, '&').nth(2).unwrap());
    http1::pairs(&canonical)
}

fn without_signature(params: &Params) -> Vec<(String, String)> {
    let kept = params.iter().filter(|(name, _)| *name != "Signature");
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn every_v1_vector_verifies_and_is_read_as_signed() {
    let file = file("signature-v1.json");
    let gateway = Gateway::new(&file);
    let mut left_out = 0;
    for vector in entries(&file, "vectors", 264) {
        let (id, raw, signed) = (text(vector, "id"), raw(vector), text(vector, "string_to_sign"));
        // Nonces repeat across clients here, so each vector gets a memory of its own.
        let request = Gateway::new(&file).accept(&raw).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(
            request.claim(gateway.now).unwrap().security_token,
            vector["security_token"].as_str(),
            "{id}"
        );

        let mut params = without_signature(&request.params);
        let row = gateway.mismatch(&raw);
        let (_, shown) = row.message.split_once("server string to sign is:").unwrap();
        if text(vector, "variant") == "standard" {
            assert_eq!(shown, signed, "{id}");
        } else {
            left_out += 1;
            assert_ne!(shown, signed, "{id}");
            params.retain(|(_, value)| !value.is_empty());
        }
        assert_eq!(params, signed_params(signed), "{id}");
        assert_eq!(request.params.text("Signature"), Some(text(vector, "signature")), "{id}");
        assert_eq!(request.params.text("Action"), Some(request.action.as_str()), "{id}");
        assert_eq!(request.params.text("Version"), Some(request.version.as_str()), "{id}");
    }
    assert_eq!(left_out, 1);
}

#[test]
fn every_acs3_vector_verifies_and_is_read_as_signed() {
    let file = file("signature-acs3.json");
    let gateway = Gateway::new(&file);
    for vector in entries(&file, "vectors", 166) {
        let (id, raw, canonical) = (text(vector, "id"), raw(vector), text(vector, "canonical_request"));
        let request = Gateway::new(&file).accept(&raw).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(
            request.claim(gateway.now).unwrap().security_token,
            vector["security_token"].as_str(),
            "{id}"
        );

        let row = gateway.mismatch(&raw);
        let expected = format!(
            "Specified signature does not match our calculation. server StringToSign is [{}] \
             server CanonicalRequest is [{canonical}]",
            text(vector, "string_to_sign"),
        );
        assert_eq!(
            (row.status, &*row.code, &*row.message),
            (400, "SignatureDoesNotMatch", &*expected),
            "{id}"
        );

        let called = [("x-acs-action", &request.action), ("x-acs-version", &request.version)];
        for line in called.map(|(name, value)| format!("{name}:{value}")) {
            assert!(canonical.lines().any(|other| other == line), "{id}: {line}");
        }
        for (name, value) in http1::pairs(canonical.lines().nth(2).unwrap()) {
            assert_eq!(request.params.text(&name).unwrap_or_default(), value, "{id}: {name}");
        }
    }
}

/// A JSON body is parameters like any other, flattened.
#[test]
fn the_one_recorded_json_body_is_read() {
    let file = file("signature-acs3.json");
    let vectors = entries(&file, "vectors", 166);
    let vector = vectors.iter().find(|vector| text(vector, "id") == "acs3/python-new/json-body").unwrap();
    let request = parse(&raw(vector)).unwrap();
    assert_eq!(request.params.text("ImageName"), Some("镜像"));
    assert_eq!(request.params.list("List"), ["1", "2"]);
    assert_eq!(request.params.structure("O").unwrap().unwrap().text("k"), Some("a&b=c +~*"));
    assert_eq!(request.params.text("RegionId"), Some("cn-hangzhou"));
}

/// Two refusals come from the dispatcher, which knows the operations; the wire layer lets them pass, with
/// the version and the action in which they are wrong. Two more, about an unknown key and an unknown token,
/// are the answers of the stand-in above for the store of access keys.
const LATER: [(&str, &str, &str); 2] = [
    ("v1/bad-version", "InvalidVersion", "2017-11-11"),
    ("v1/bad-action", "InvalidAction.NotFound", "NoSuchAction"),
];

#[test]
fn every_constructed_request_gets_the_answer_it_should() {
    let file = file("signature-negative.json");
    let cases = entries(&file, "cases", 46);
    let mut refused = 0;
    for case in cases {
        let (id, expect) = (text(case, "id"), &case["expect"]);
        let gateway = Gateway::new(&file);
        if let Some(first) = case["after"].as_str() {
            let first = cases.iter().find(|other| text(other, "id") == first).unwrap();
            gateway.accept(&raw(first)).unwrap();
        }
        let outcome = gateway.accept(&raw(case));
        if let Some((_, code, wrong)) = LATER.iter().find(|(later, ..)| *later == id) {
            let request = outcome.unwrap();
            assert!([&request.version, &request.action].contains(&&(*wrong).to_owned()), "{id}");
            assert_eq!(text(expect, "code"), *code);
            continue;
        }
        let Err(error) = outcome else {
            assert_eq!(expect["accepted"], true, "{id}");
            continue;
        };
        refused += 1;
        let row = error.row();
        assert_eq!(expect["code"], *row.code, "{id}");
        assert_eq!(expect["http_status"], row.status, "{id}");
        if let Some(signed) = expect["server_string_to_sign"].as_str() {
            assert!(row.message.ends_with(&format!("string to sign is:{signed}")), "{id}: {}", row.message);
        }
    }
    let accepted = cases.iter().filter(|case| case["expect"]["accepted"] == true).count();
    assert_eq!((accepted, refused, LATER.len()), (10, 34, 2));
}

#[test]
fn every_recorded_call_is_read_and_verified() {
    let index = file("requests/index.json");
    let gateway = Gateway::new(&index);
    let mut keyless = 0;
    for call in entries(&index, "requests", 74) {
        let name = text(call, "file");
        let raw = fs::read(folder().join("requests").join(name)).unwrap();
        let request = parse(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (&*request.action, &*request.version),
            (text(call, "action"), text(call, "version")),
            "{name}"
        );

        let expected = call["api_params"].as_object().unwrap();
        for (param, value) in expected {
            assert_eq!(
                request.params.text(param).unwrap_or_default(),
                value.as_str().unwrap(),
                "{name}: {param}"
            );
        }
        let own = request.params.iter().filter(|(param, _)| !COMMON.contains(param)).count();
        assert_eq!(own, expected.len(), "{name}");

        let outcome = Gateway::new(&index).accept(&raw);
        if ["bearer", "anonymous"].contains(&text(call, "auth")) {
            keyless += 1;
            let error = outcome.unwrap_err();
            assert_eq!(error, GatewayError::Missing { name: "AccessKeyId" }, "{name}");
        } else {
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            let claim = request.claim(gateway.now).unwrap();
            assert_eq!(claim.security_token, call["security_token"].as_str(), "{name}");
            let row = gateway.mismatch(&raw);
            assert!(row.message.contains(text(call, "string_to_sign")), "{name}");
        }
    }
    assert_eq!(keyless, 2);
    let recorded = fs::read_dir(folder().join("requests")).unwrap();
    let recorded =
        recorded.filter(|entry| entry.as_ref().unwrap().path().extension() == Some("http".as_ref()));
    assert_eq!(recorded.count(), 74, "every file is in the index");
}

/// `RunInstances` in the spellings of six clients: products see one shape.
#[test]
fn structured_parameters_have_one_shape_whoever_sends_them() {
    for client in ["python-new", "python-old", "go-new", "go-old", "java-old", "js-new"] {
        let name = format!("requests/{client}--ens-RunInstances.http");
        let request = parse(&fs::read(folder().join(name)).unwrap()).unwrap();
        let system = request.params.structure("SystemDisk").unwrap().unwrap();
        assert_eq!(system.integer("Size"), Ok(Some(20)), "{client}");
        let disks = request.params.objects("DataDisk").unwrap();
        assert_eq!(disks[0].integer("Size"), Ok(Some(20)), "{client}");
        assert_eq!(disks[0].text("Category"), Some("cloud_efficiency"), "{client}");
        assert_eq!(disks[0].text("KMSKeyId"), None, "{client}");
        let tags = request.params.objects("Tag").unwrap();
        assert_eq!((tags[0].text("Key"), tags[0].text("Value")), (Some("env"), Some("a b&c")), "{client}");
        assert_eq!((tags[1].text("Key"), tags[1].text("Value")), (Some("空"), None), "{client}");
        let unique = request.params.boolean("UniqueSuffix").unwrap();
        assert!(unique.is_none_or(|unique| unique), "{client}");
    }
}

/// The examples in the vendor's manual, as whole requests at the time they were made.
#[test]
fn the_examples_of_the_manual_verify() {
    let v1 = "GET /?Timestamp=2016-02-23T12%3A46%3A24Z&Format=XML&AccessKeyId=testid&Action=DescribeRegions\
        &SignatureMethod=HMAC-SHA1&SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&Version=2014-05-26\
        &SignatureVersion=1.0&Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D HTTP/1.1\r\nHost: x\r\n\r\n";
    Gateway::at("2016-02-23T12:46:24Z", "testsecret").accept(v1.as_bytes()).unwrap();

    let acs3 = "POST /?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai \
        HTTP/1.1\r\n\
        host: ecs.cn-shanghai.aliyuncs.com\r\n\
        x-acs-action: RunInstances\r\n\
        x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n\
        x-acs-date: 2023-10-26T10:22:32Z\r\n\
        x-acs-signature-nonce: 3156853299f313e23d1673dc12e1703d\r\n\
        x-acs-version: 2014-05-26\r\n\
        Authorization: ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;\
        x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
        Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0\r\n\r\n";
    let gateway = Gateway::at("2023-10-26T10:22:32Z", "YourAccessKeySecret");
    gateway.accept(acs3.as_bytes()).unwrap();
    let hash = "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259";
    assert!(gateway.mismatch(acs3.as_bytes()).message.contains(&format!("ACS3-HMAC-SHA256\n{hash}")));
}

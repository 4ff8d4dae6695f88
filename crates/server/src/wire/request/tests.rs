use hyper::header::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::wire::sign::{Key, sign_v1};
use crate::wire::signature::Secret;

const NOW: Timestamp = Timestamp::from_millis(1_774_598_950_000);

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn parse(query: &str, pairs: &[(&'static str, &str)]) -> Result<Request, (Format, GatewayError)> {
    let uri: Uri = format!("/?{query}").parse().unwrap();
    Request::parse(&Method::GET, &uri, &headers(pairs), b"")
}

/// The error of a V1 request from whose parameters `left_out` is missing and in which `more` is added.
fn v1_error(left_out: &[&str], more: &str) -> GatewayError {
    let secret = Secret::new("s");
    let key = Key { access_key_id: "id", secret: &secret, security_token: None };
    let call = [("Action", "A"), ("Version", "V")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut signed = sign_v1(key, "GET", &call, NOW, "n");
    signed.retain(|(name, _)| !left_out.contains(&name.as_str()));
    match parse(&format!("{}&{more}", encode::query(signed)), &[]) {
        Ok(request) => request.claim(NOW).unwrap_err(),
        Err((_, error)) => error,
    }
}

fn missing(name: &'static str) -> GatewayError {
    GatewayError::Missing { name }
}

fn invalid(name: &str) -> GatewayError {
    GatewayError::InvalidParameter { name: name.to_owned() }
}

const CALL: &str = "Action=A&Version=V&AccessKeyId=id&SignatureMethod=HMAC-SHA1";

#[test]
fn action_and_version_come_from_parameters_or_headers() {
    let both = [("x-acs-action", "A"), ("x-acs-version", "V")];
    for (query, headers) in [("Action=A&Version=V", &[][..]), ("", &both), ("Action=A&Version=V", &both)] {
        let request = parse(query, headers).unwrap();
        assert_eq!((&*request.action, &*request.version), ("A", "V"), "{query}");
    }
    let differ = |query| parse(query, &both).unwrap_err().1;
    assert_eq!(differ("Action=B"), invalid("Action"));
    assert_eq!(differ("Version=W"), invalid("Version"));
    assert_eq!(parse("Version=V", &[]).unwrap_err().1, missing("Action"));
    // V1 does not sign headers.
    assert_eq!(parse("Version=V&AccessKeyId=id", &both).unwrap_err().1, missing("Action"));
    assert_eq!(parse("Action=A&Signature=s", &both).unwrap_err().1, missing("Version"));
    assert_eq!(parse("Action=A&Version=", &[]).unwrap_err().1, missing("Version"));
}

#[test]
fn only_get_and_post_are_known() {
    for method in [Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS] {
        let uri = Uri::from_static("/?Action=A&Version=V&Format=JSON");
        let refused = Request::parse(&method, &uri, &HeaderMap::new(), b"").unwrap_err();
        assert_eq!(refused, (Format::Json, GatewayError::UnsupportedHttpMethod), "{method}");
    }
}

#[test]
fn the_format_is_named_or_follows_from_the_way_of_signing() {
    let acs3 = ("authorization", "ACS3-HMAC-SHA256 Credential=id");
    let action = ("x-acs-action", "A");
    for (query, headers, format) in [
        (CALL, &[][..], Format::Xml),
        (CALL, &[action], Format::Xml),
        ("Version=V", &[action], Format::Json),
        ("Action=A&Version=V", &[acs3], Format::Json),
        ("Action=A&Version=V", &[("authorization", "Basic eDp5")], Format::Xml),
        ("Action=A&Version=V&Format=json", &[], Format::Json),
        ("Action=A&Version=V&Format=Xml", &[acs3], Format::Xml),
        ("Action=A&Version=V&Format=", &[acs3], Format::Json),
    ] {
        assert_eq!(parse(query, headers).unwrap().format, format, "{query} {headers:?}");
    }
    let unknown = parse("Action=A&Version=V&Format=YAML", &[acs3]).unwrap_err();
    assert_eq!(unknown, (Format::Json, GatewayError::InvalidParameterFormat));
}

#[test]
fn a_request_beyond_the_limits_is_refused_in_the_format_it_names() {
    let many = encode::query((0..200).map(|n| (format!("a{n}"), "1")));
    let refused = parse(&format!("Format=JSON&{many}"), &[]).unwrap_err();
    assert_eq!(refused, (Format::Json, GatewayError::InvalidParameterFormat));
    let uri = Uri::from_static("/?Format=JSON");
    let refused = Request::parse(&Method::POST, &uri, &HeaderMap::new(), b"{").unwrap_err();
    assert_eq!(refused, (Format::Json, GatewayError::InvalidParameterFormat));
    assert_eq!(parse(&format!("b=1&{many}"), &[]).unwrap_err().0, Format::Xml);
}

#[test]
fn what_is_missing_is_named_in_order() {
    let order = ["AccessKeyId", "Signature", "SignatureMethod", "SignatureNonce", "Timestamp"];
    for (at, name) in order.into_iter().enumerate() {
        assert_eq!(v1_error(&[name], ""), missing(name));
        if at > 1 {
            assert_eq!(v1_error(&[order[at - 1], name], ""), missing(order[at - 1]));
        }
    }
}

#[test]
fn other_ways_of_signing_are_refused() {
    for more in [
        "SignatureMethod=SHA256withRSA&SignatureType=PRIVATEKEY",
        "SignatureMethod=HMAC-SHA256",
        "SignatureType=X",
    ] {
        assert_eq!(v1_error(&[], more), GatewayError::InvalidSignatureMethod, "{more}");
    }
    assert_eq!(v1_error(&[], "SignatureVersion=2.0"), invalid("SignatureVersion"));
}

#[test]
fn whoever_presents_no_access_key_is_asked_for_it() {
    for (query, more) in [
        ("SignatureType=BEARERTOKEN", ("x-acs-bearer-token", "t")),
        ("SignatureType=BEARERTOKEN&BearerToken=t", ("accept", "*/*")),
        ("", ("x-acs-zero-trust-idtoken", "t")),
        ("", ("authorization", "Bearer t")),
        ("Format=json", ("accept", "application/json")),
    ] {
        let request = parse(query, &[("x-acs-action", "A"), ("x-acs-version", "V"), more]).unwrap();
        assert_eq!(request.claim(NOW).unwrap_err(), missing("AccessKeyId"), "{query} {more:?}");
    }
}

#[test]
fn the_clock_may_differ_by_a_quarter_of_an_hour_either_way() {
    let at = |millis: i64| format!("Timestamp={}", NOW.plus_millis(millis));
    for off in [-CLOCK_WINDOW_MS, 0, CLOCK_WINDOW_MS] {
        let request = parse(&format!("{CALL}&Signature=s&SignatureNonce=n&{}", at(off)), &[]).unwrap();
        assert_eq!(request.claim(NOW).unwrap().stamped, NOW.plus_millis(off));
    }
    for off in [-CLOCK_WINDOW_MS - 1_000, CLOCK_WINDOW_MS + 1_000] {
        assert_eq!(v1_error(&[], &at(off)), GatewayError::InvalidTimeStampExpired);
    }
    for text in ["2026-03-27T08:09:10%2B00:00", "now", "2026-03-27T08:09:10.5Z"] {
        assert_eq!(v1_error(&[], &format!("Timestamp={text}")), GatewayError::InvalidTimeStampFormat);
    }
}

#[test]
fn what_is_looked_up_or_remembered_is_bounded() {
    let long = |length: usize| "x".repeat(length);
    let nonce = format!("SignatureNonce={}", long(NONCE_BYTES_MAX + 1));
    assert_eq!(v1_error(&[], &nonce), invalid("SignatureNonce"));
    let key = format!("AccessKeyId={}", long(ACCESS_KEY_ID_BYTES_MAX + 1));
    assert_eq!(v1_error(&[], &key), GatewayError::InvalidAccessKeyIdNotFound);
    let both =
        format!("SignatureNonce={}&AccessKeyId={}", long(NONCE_BYTES_MAX), long(ACCESS_KEY_ID_BYTES_MAX));
    let request = parse(&format!("{CALL}&Signature=s&Timestamp={NOW}&{both}"), &[]).unwrap();
    assert!(request.claim(NOW).is_ok());
}

#[test]
fn a_header_that_decides_must_not_come_twice() {
    for name in ["x-acs-action", "x-acs-version"] {
        let refused = parse("Action=A&Version=V", &[(name, "A"), (name, "A")]).unwrap_err();
        assert_eq!(refused.1, GatewayError::InvalidParameterFormat, "{name}");
    }
    let authorization = ("authorization", "ACS3-HMAC-SHA256 Credential=id,SignedHeaders=host,Signature=0");
    let request = parse("Action=A&Version=V", &[authorization, authorization]).unwrap();
    assert_eq!(request.claim(NOW).unwrap_err(), GatewayError::InvalidParameterFormat);
}

#[test]
fn debug_shows_neither_signature_nor_token() {
    let query = format!("{CALL}&Signature=hidden-s&SignatureNonce=n&Timestamp={NOW}&SecurityToken=hidden-t");
    let request = parse(&query, &[]).unwrap();
    let shown = format!("{request:?} {:?}", request.claim(NOW).unwrap());
    assert!(shown.contains("HMAC-SHA1"));
    assert!(!shown.contains("hidden"), "{shown}");
}

/// Names that mean something to the parser, and some that do not.
fn any_name() -> impl Strategy<Value = String> {
    let known = [
        "Action",
        "Version",
        "Format",
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "SecurityToken",
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,6}"]
}

fn any_value() -> impl Strategy<Value = String> {
    let known = ["JSON", "HMAC-SHA1", "2026-03-27T08:09:10Z", "A", ""];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,12}"]
}

fn any_header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let names =
        ["authorization", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "host"];
    let parts = "ACS3-HMAC-(SHA256|SM3) ?(Credential=[a-c]?,? ?|SignedHeaders=(host|x-acs-date|;)*,?|\
        Signature=[0-9a-f]*,?){0,3}";
    let printable = prop::collection::vec(32_u8..127, 0..20);
    let values = prop_oneof![parts.prop_map(String::into_bytes), printable, Just(vec![0xff])];
    (prop::sample::select(names.to_vec()), values)
}

proptest! {
    #[test]
    fn any_request_is_read_or_refused(
        post: bool,
        query in prop::collection::vec((any_name(), any_value()), 0..12),
        sent in prop::collection::vec(any_header(), 0..6),
        body: Vec<u8>,
    ) {
        let uri: Uri = format!("/?{}", encode::query(query)).parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        let method = if post { Method::POST } else { Method::GET };
        match Request::parse(&method, &uri, &headers, &body) {
            Ok(request) => {
                prop_assert!(!request.action.is_empty() && !request.version.is_empty());
                if let Ok(claim) = request.claim(NOW) {
                    let refused = crate::wire::signature::verify(&claim, &Secret::new("s"));
                    prop_assert!(refused.is_err());
                }
            }
            Err((_, error)) => prop_assert!(!error.row().code.is_empty()),
        }
    }
}

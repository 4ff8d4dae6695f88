use hyper::header::{HeaderName, HeaderValue};

use super::*;

const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SIGNED: &str = "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";

fn headers(more: &[(&str, &str)]) -> HeaderMap {
    let base = [
        ("x-acs-action", "DeleteImage"),
        ("x-acs-version", "2017-11-10"),
        ("x-acs-date", "2026-03-27T08:09:10Z"),
        ("x-acs-signature-nonce", "n"),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in base.iter().chain(more) {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn read(headers: &HeaderMap, body: &[u8], signed: &str, signature: &str) -> Result<Presented, GatewayError> {
    let authorization =
        format!("ACS3-HMAC-SHA256 Credential=id,SignedHeaders={signed},Signature={signature}");
    let sent = Sent { method: "POST", path: "/", query: "A=1", headers, body };
    Presented::read(&authorization, &sent)
}

#[test]
fn known_hashes() {
    assert_eq!(Algorithm::Sha256.hash(b""), EMPTY_SHA256);
    // The example of the standard GB/T 32905.
    let sm3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
    assert_eq!(Algorithm::Sm3.hash(b"abc"), sm3);
}

#[test]
fn only_the_two_hmacs_are_known() {
    for name in ["ACS3-RSA-SHA256", "ACS3-HMAC-MD5", "ACS4-HMAC-SHA256", "ACS3-HMAC-SHA256x", "ACS"] {
        let headers = headers(&[]);
        let sent = Sent { method: "POST", path: "/", query: "", headers: &headers, body: b"" };
        let refused = Presented::read(&format!("{name} Credential=id,Signature=0"), &sent).err();
        assert_eq!(refused, Some(GatewayError::InvalidSignatureMethod), "{name}");
    }
}

#[test]
fn what_decides_must_be_signed_if_it_is_sent() {
    let headers = headers(&[("x-acs-content-sha256", EMPTY_SHA256)]);
    assert!(read(&headers, b"", SIGNED, "0").is_ok());
    for left_out in SIGNED.split(';') {
        let signed: Vec<&str> = SIGNED.split(';').filter(|name| *name != left_out).collect();
        let refused = read(&headers, b"", &signed.join(";"), "0").err();
        assert!(matches!(refused, Some(GatewayError::IncompleteSignature { .. })), "{left_out}");
    }
}

#[test]
fn parts_that_are_absent_are_told_with_what_the_server_would_sign() {
    let headers = headers(&[("x-acs-content-sha256", EMPTY_SHA256)]);
    let Some(GatewayError::IncompleteSignature { string_to_sign }) = read(&headers, b"", SIGNED, "").err()
    else {
        panic!("a signature is due");
    };
    assert!(string_to_sign.starts_with("ACS3-HMAC-SHA256\n"));
}

#[test]
fn the_list_of_signed_headers_is_bounded_and_without_repetition() {
    let headers = headers(&[("x-acs-content-sha256", EMPTY_SHA256)]);
    let many: Vec<String> = (0..SIGNED_HEADERS_MAX).map(|n| format!("h{n}")).collect();
    for signed in [format!("{SIGNED};x-acs-date"), format!("{SIGNED};{}", many.join(";"))] {
        assert!(read(&headers, b"", &signed, "0").is_err(), "{signed}");
    }
}

#[test]
fn the_body_is_hashed_here_whatever_the_header_says() {
    let secret = Secret::new("s");
    let sign = |presented: &Presented| presented.algorithm.sign(&presented.canonical_request, &secret);
    let honest = headers(&[("x-acs-content-sha256", &Algorithm::Sha256.hash(b"a=1"))]);
    let signature = sign(&read(&honest, b"a=1", SIGNED, "0").unwrap());
    assert_eq!(read(&honest, b"a=1", SIGNED, &signature).unwrap().verify(&secret), Ok(()));
    assert!(read(&honest, b"a=2", SIGNED, &signature).unwrap().verify(&secret).is_err());

    // Signed over the true body, but with a header that tells another one, or none.
    for lying in [headers(&[("x-acs-content-sha256", EMPTY_SHA256)]), headers(&[])] {
        let signature = sign(&read(&lying, b"a=1", SIGNED, "0").unwrap());
        assert!(read(&lying, b"a=1", SIGNED, &signature).unwrap().verify(&secret).is_err());
    }
}

#[test]
fn the_canonical_request_has_six_pieces() {
    let headers = headers(&[
        ("x-acs-content-sha256", EMPTY_SHA256),
        ("x-extra", "b"),
        ("x-extra", " a "),
        ("user-agent", "镜 1"),
    ]);
    let presented = read(&headers, b"", &format!("{SIGNED};x-extra;user-agent;x-gone"), "0").unwrap();
    let expected = format!(
        "POST\n/\nA=1\nx-acs-action:DeleteImage\nx-acs-content-sha256:{EMPTY_SHA256}\n\
         x-acs-date:2026-03-27T08:09:10Z\nx-acs-signature-nonce:n\nx-acs-version:2017-11-10\n\
         x-extra:a,b\nuser-agent:镜 1\nx-gone:\n\n{SIGNED};x-extra;user-agent;x-gone\n{EMPTY_SHA256}"
    );
    assert_eq!(presented.canonical_request, expected);
}

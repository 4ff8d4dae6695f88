use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use proptest::prelude::*;

use super::*;
use crate::wire::fault::GatewayError;
use crate::wire::request::Request;
use crate::wire::signature::verify;

const NOW: Timestamp = Timestamp::from_millis(1_774_598_950_000);

/// A request as it is sent: method, query, headers, body.
struct Sent {
    method: Method,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn verify(&self, secret: &Secret) -> Result<Request, GatewayError> {
        let uri: Uri = format!("/?{}", self.query).parse().unwrap();
        let request = Request::parse(&self.method, &uri, &self.headers, &self.body);
        let request = request.map_err(|(_, error)| error)?;
        verify(&request.claim(NOW)?, secret)?;
        Ok(request)
    }
}

fn v1(secret: &Secret, params: &[(String, String)], in_body: usize) -> Sent {
    let key = Key { access_key_id: "id", secret, security_token: Some("t+/=") };
    let mut all = vec![owned("Action", "DeleteImage"), owned("Version", "2017-11-10")];
    all.extend_from_slice(params);
    let signed = sign_v1(key, "POST", &all, NOW, "nonce");
    let (query, body) = signed.split_at(signed.len() - in_body.min(signed.len()));
    let form = |pairs: &[(String, String)]| encode::query(pairs.iter().cloned());
    let body = form(body).into_bytes();
    Sent { method: Method::POST, query: form(query), headers: HeaderMap::new(), body }
}

fn acs3(secret: &Secret, algorithm: Algorithm, params: &[(String, String)], body: &[u8]) -> Sent {
    let key = Key { access_key_id: "id", secret, security_token: None };
    let call = Call {
        method: "POST",
        host: "127.0.0.1:8470",
        action: "DeleteImage",
        version: "2017-11-10",
        query: params,
        content_type: Some("application/x-www-form-urlencoded"),
        body,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in sign_acs3(key, algorithm, &call, NOW, "nonce") {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
    }
    let query = encode::query(params.iter().cloned());
    Sent { method: Method::POST, query, headers, body: body.to_vec() }
}

fn owned(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Parameters of an operation: any names that are not common ones, any values that are not empty.
fn any_params() -> impl Strategy<Value = Vec<(String, String)>> {
    let pairs = prop::collection::btree_map("[A-Za-z0-9._ é]{1,12}", "\\PC{1,12}", 1..8);
    pairs.prop_map(|pairs| pairs.into_iter().map(|(name, value)| (format!("P{name}"), value)).collect())
}

/// The pairs with one character of one value replaced by another one.
fn changed(params: &[(String, String)], which: usize, place: usize) -> Vec<(String, String)> {
    let mut params = params.to_vec();
    let at = which % params.len();
    let mut characters: Vec<char> = params[at].1.chars().collect();
    let place = place % characters.len();
    characters[place] = if characters[place] == 'x' { 'y' } else { 'x' };
    params[at].1 = characters.into_iter().collect();
    params
}

/// The changed pairs as they would be sent with the signature of the others.
fn swapped(sent: &Sent, from: &[(String, String)], to: &[(String, String)]) -> Sent {
    let pair = |(from, to): (&(String, String), &(String, String))| (from != to).then(|| to.clone());
    // The last value of a name counts, so the changed pair only has to be put behind.
    let more = encode::query(from.iter().zip(to).filter_map(pair));
    let query = format!("{}&{more}", sent.query);
    Sent { method: sent.method.clone(), query, headers: sent.headers.clone(), body: sent.body.clone() }
}

#[test]
fn signed_parameters_are_complete() {
    let secret = Secret::new("testsecret");
    let key = Key { access_key_id: "testid", secret: &secret, security_token: None };
    let signed = sign_v1(key, "GET", &[owned("Action", "ListImage")], NOW, "n1");
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Action",
        "AccessKeyId",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
        "Signature",
    ];
    assert_eq!(names, expected);
    assert_eq!(signed[5].1, "2026-03-27T08:09:10Z");
    assert!(!format!("{key:?}").contains("testsecret"));
}

#[test]
fn a_token_is_signed_and_arrives() {
    let secret = Secret::new("s");
    let request = v1(&secret, &[owned("ImageId", "m-1")], 0).verify(&secret).unwrap();
    assert_eq!(request.claim(NOW).unwrap().security_token, Some("t+/="));
}

#[test]
fn the_method_is_signed() {
    let secret = Secret::new("s");
    let mut sent = acs3(&secret, Algorithm::Sha256, &[], b"");
    sent.method = Method::GET;
    assert!(sent.verify(&secret).is_err());
    let mut sent = v1(&secret, &[], 0);
    sent.method = Method::GET;
    assert!(sent.verify(&secret).is_err());
}

proptest! {
    #[test]
    fn what_is_signed_with_v1_verifies_and_a_changed_value_does_not(
        params in any_params(),
        in_body in 0_usize..12,
        which: usize,
        place: usize,
    ) {
        let secret = Secret::new("testsecret");
        let sent = v1(&secret, &params, in_body);
        let request = sent.verify(&secret).unwrap();
        for (name, value) in &params {
            prop_assert_eq!(request.params.text(name), Some(value.as_str()));
        }
        let other = changed(&params, which, place);
        let mut tampered = swapped(&sent, &params, &other);
        // A value in the body counts more than the one that was put behind the query.
        tampered.query = format!("{}&{}", tampered.query, String::from_utf8(tampered.body).unwrap());
        tampered.body = encode::query(other.into_iter()).into_bytes();
        prop_assert!(tampered.verify(&secret).is_err());
        prop_assert!(sent.verify(&Secret::new("testsecreu")).is_err());
    }

    #[test]
    fn what_is_signed_with_acs3_verifies_and_a_changed_value_does_not(
        params in any_params(),
        form in any_params(),
        sm3: bool,
        which: usize,
        place: usize,
    ) {
        let secret = Secret::new("testsecret");
        let algorithm = if sm3 { Algorithm::Sm3 } else { Algorithm::Sha256 };
        let body = encode::query(form.iter().cloned()).into_bytes();
        let sent = acs3(&secret, algorithm, &params, &body);
        let request = sent.verify(&secret).unwrap();
        for (name, value) in &form {
            prop_assert_eq!(request.params.text(name), Some(value.as_str()));
        }
        prop_assert!(swapped(&sent, &params, &changed(&params, which, place)).verify(&secret).is_err());
        let body = encode::query(changed(&form, which, place)).into_bytes();
        let tampered = Sent { body, ..sent };
        prop_assert!(tampered.verify(&secret).is_err());
    }

    #[test]
    fn any_changed_byte_of_a_signed_header_is_noticed(which: usize, place: usize) {
        let secret = Secret::new("testsecret");
        let mut sent = acs3(&secret, Algorithm::Sha256, &[owned("ImageId", "m-1")], b"");
        let names: Vec<HeaderName> = sent.headers.keys().cloned().collect();
        let name = &names[which % names.len()];
        let mut value = sent.headers[name].as_bytes().to_vec();
        let place = place % value.len();
        value[place] = if value[place] == b'7' { b'8' } else { b'7' };
        sent.headers.insert(name.clone(), HeaderValue::from_bytes(&value).unwrap());
        // A changed key id is noticed when it is looked up: its secret is another one.
        let accepted = sent.verify(&secret);
        prop_assert!(!accepted.is_ok_and(|request| request.claim(NOW).unwrap().access_key_id == "id"));
    }
}

//! The caller's side: signed requests for the demo, the command line and the tests.
//!
//! The texts that are signed are written by the code that verifies them; that this code is right is shown
//! by requests of the vendor's own clients, not by this module.

use calotype_core::time::Timestamp;

use super::encode;
use super::params::Params;
use super::signature::acs3::{self, Algorithm};
use super::signature::{Secret, v1};

/// An access key to sign with.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Its id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a Secret,
    /// The token that goes with a temporary key.
    pub security_token: Option<&'a str>,
}

/// Signs parameters with V1 and returns them complete: those given, then the common ones and `Signature`.
///
/// `params` name the operation (`Action`, `Version`), the `Format` and whatever the operation takes; they
/// travel as query or form, or split over both. `method` is the one they are sent with, and `nonce` must not
/// have been used before.
///
/// Source: protocol, common parameters, V1 signature.
#[must_use]
pub fn sign_v1(
    key: Key<'_>,
    method: &str,
    params: &[(String, String)],
    now: Timestamp,
    nonce: &str,
) -> Vec<(String, String)> {
    let stamp = now.to_string();
    let common = [
        ("AccessKeyId", key.access_key_id),
        ("SignatureMethod", v1::SIGNATURE_METHOD),
        ("SignatureVersion", v1::SIGNATURE_VERSION),
        ("SignatureNonce", nonce),
        ("Timestamp", &stamp),
    ];
    let token = key.security_token.map(|token| ("SecurityToken", token));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut signed: Vec<_> =
        params.iter().cloned().chain(common.into_iter().chain(token).map(owned)).collect();
    let text = v1::string_to_sign(method, &signed.iter().cloned().collect::<Params>());
    signed.push(owned(("Signature", &v1::sign(&text, key.secret))));
    signed
}

/// A request to sign with ACS3. Its path is `/`.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The host and port it goes to, as the `Host` header says it.
    pub host: &'a str,
    /// The operation.
    pub action: &'a str,
    /// The version of the API.
    pub version: &'a str,
    /// The parameters in the query.
    pub query: &'a [(String, String)],
    /// The type of the body, if there is one.
    pub content_type: Option<&'a str>,
    /// The body, which may be empty.
    pub body: &'a [u8],
}

/// Signs a request with ACS3 and returns the headers to send: all signed ones, then `authorization`.
///
/// Source: protocol, ACS3 signature.
#[must_use]
pub fn sign_acs3(
    key: Key<'_>,
    algorithm: Algorithm,
    call: &Call<'_>,
    now: Timestamp,
    nonce: &str,
) -> Vec<(&'static str, String)> {
    let body_hash = algorithm.hash(call.body);
    // In the order of their names, in which they are signed.
    let headers = [
        ("content-type", call.content_type.map(str::to_owned)),
        ("host", Some(call.host.to_owned())),
        ("x-acs-action", Some(call.action.to_owned())),
        ("x-acs-content-sha256", Some(body_hash.clone())),
        ("x-acs-date", Some(now.to_string())),
        ("x-acs-security-token", key.security_token.map(str::to_owned)),
        ("x-acs-signature-nonce", Some(nonce.to_owned())),
        ("x-acs-version", Some(call.version.to_owned())),
    ];
    let mut headers: Vec<_> = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let query = encode::query(call.query.iter().cloned().collect::<Params>().iter());
    let values = headers.iter().map(|(name, value)| (*name, value.clone()));
    let canonical = acs3::canonical_request(call.method, "/", &query, values, &names, &body_hash);
    let signature = algorithm.sign(&canonical, key.secret);
    let id = key.access_key_id;
    let authorization =
        format!("{} Credential={id},SignedHeaders={names},Signature={signature}", algorithm.name());
    headers.push(("authorization", authorization));
    headers
}

#[cfg(test)]
mod tests;

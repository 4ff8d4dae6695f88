//! ACS3: HMAC with SHA-256 or SM3 over method, path, query, chosen headers and the hash of the body.
//!
//! Clients differ in which headers they sign, so the list comes from the request. It must name every header
//! that carries meaning here, or that header could be changed on the way.

use hmac::Hmac;
use hyper::HeaderMap;
use sha2::{Digest as _, Sha256};
use sm3::Sm3;

use super::{Secret, mac, same};
use crate::wire::encode;
use crate::wire::fault::GatewayError;
use crate::wire::request::single;

mod authorization;

use authorization::Authorization;

/// How many headers one request may sign. Each is copied once, so this bounds the work.
pub const SIGNED_HEADERS_MAX: usize = 64;

/// Where the hash of the body is told; most clients use the first name for SM3 too.
const BODY_HASHES: [&str; 2] = ["x-acs-content-sha256", "x-acs-content-sm3"];

/// Headers that must be signed if they are sent: what is called, when, and with which body.
const SIGNED_IF_SENT: [&str; 6] =
    ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", BODY_HASHES[0], BODY_HASHES[1]];

/// A hash that ACS3 is used with, for the body, the request and the HMAC alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `ACS3-HMAC-SHA256`.
    Sha256,
    /// `ACS3-HMAC-SM3`.
    Sm3,
}

impl Algorithm {
    /// The name in the `Authorization` header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "ACS3-HMAC-SHA256",
            Self::Sm3 => "ACS3-HMAC-SM3",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sm3].into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The hash of some bytes, in lower-case hexadecimal.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha256 => encode::hex(&Sha256::digest(bytes)),
            Self::Sm3 => encode::hex(&Sm3::digest(bytes)),
        }
    }

    /// Signs a canonical request, in lower-case hexadecimal. The key is the bare secret.
    #[must_use]
    pub fn sign(self, canonical_request: &str, secret: &Secret) -> String {
        let text = self.string_to_sign(canonical_request);
        let key = secret.expose().as_bytes();
        encode::hex(&match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(key, &text),
            Self::Sm3 => mac::<Hmac<Sm3>>(key, &text),
        })
    }

    /// The algorithm's name, a newline, the hash of the canonical request.
    #[must_use]
    pub fn string_to_sign(self, canonical_request: &str) -> String {
        format!("{}\n{}", self.name(), self.hash(canonical_request.as_bytes()))
    }
}

/// What a request with an `Authorization` header presents.
///
/// It keeps the canonical request and no headers, so that a request can be verified after it was taken
/// apart.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::wire) struct Presented {
    pub(in crate::wire) access_key_id: String,
    pub(in crate::wire) security_token: Option<String>,
    pub(in crate::wire) nonce: Option<String>,
    pub(in crate::wire) stamped: Option<String>,
    algorithm: Algorithm,
    signature: String,
    canonical_request: String,
    /// Whether the header tells the hash of the body that arrived.
    body_as_hashed: bool,
}

/// The parts of a request that ACS3 covers.
pub(in crate::wire) struct Sent<'a> {
    pub(in crate::wire) method: &'a str,
    pub(in crate::wire) path: &'a str,
    /// The canonical query: what came in the query and not in the body, sorted and encoded.
    pub(in crate::wire) query: &'a str,
    pub(in crate::wire) headers: &'a HeaderMap,
    pub(in crate::wire) body: &'a [u8],
}

impl Presented {
    /// Reads the `Authorization` header and writes the canonical request that it should sign.
    ///
    /// The last line of that is the hash of the body as it arrived, whatever the header says.
    pub(in crate::wire) fn read(authorization: &str, sent: &Sent<'_>) -> Result<Self, GatewayError> {
        let authorization = Authorization::parse(authorization);
        let algorithm =
            Algorithm::named(authorization.algorithm).ok_or(GatewayError::InvalidSignatureMethod)?;
        let signed = authorization.signed_headers.unwrap_or_default();
        let names: Vec<&str> = signed.split(';').collect();
        if names.len() > SIGNED_HEADERS_MAX || repeats(&names) {
            return Err(GatewayError::IncompleteSignature { string_to_sign: String::new() });
        }
        let body_hash = algorithm.hash(sent.body);
        let values = names.iter().map(|name| (*name, all_values(sent.headers, name)));
        let canonical_request =
            canonical_request(sent.method, sent.path, sent.query, values, signed, &body_hash);
        let is_covered = |name: &&str| !sent.headers.contains_key(*name) || names.contains(name);
        let (Some(access_key_id), Some(signature), true) =
            (authorization.credential, authorization.signature, SIGNED_IF_SENT.iter().all(is_covered))
        else {
            let string_to_sign = algorithm.string_to_sign(&canonical_request);
            return Err(GatewayError::IncompleteSignature { string_to_sign });
        };
        let owned = |name| Ok::<_, GatewayError>(single(sent.headers, name)?.map(str::to_owned));
        let told = owned(BODY_HASHES[0])?.or(owned(BODY_HASHES[1])?);
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            security_token: owned("x-acs-security-token")?,
            nonce: owned("x-acs-signature-nonce")?,
            stamped: owned("x-acs-date")?,
            algorithm,
            signature: signature.to_owned(),
            canonical_request,
            body_as_hashed: told == Some(body_hash),
        })
    }

    pub(super) fn verify(&self, secret: &Secret) -> Result<(), GatewayError> {
        let expected = self.algorithm.sign(&self.canonical_request, secret);
        if same(expected.as_bytes(), self.signature.as_bytes()) && self.body_as_hashed {
            return Ok(());
        }
        Err(GatewayError::SignatureDoesNotMatchAcs3 {
            string_to_sign: self.algorithm.string_to_sign(&self.canonical_request),
            canonical_request: self.canonical_request.clone(),
        })
    }
}

/// Writes the six pieces of a canonical request: method, path, query, headers, their names, body hash.
///
/// The headers come in the order of `signed`, with lower-case names and trimmed values.
///
/// Source: protocol, ACS3 signature.
pub(in crate::wire) fn canonical_request<'a>(
    method: &str,
    path: &str,
    query: &str,
    headers: impl Iterator<Item = (&'a str, String)>,
    signed: &str,
    body_hash: &str,
) -> String {
    let mut out = format!("{method}\n{path}\n{query}\n");
    for (name, value) in headers {
        out.extend([name, ":", &value, "\n"]);
    }
    // The empty line behind the headers is part of the form.
    out.extend(["\n", signed, "\n", body_hash]);
    out
}

/// All values of a header, sorted and joined with commas.
fn all_values(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter();
    let mut values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.sort();
    values.iter().map(|value| value.trim()).collect::<Vec<_>>().join(",")
}

fn repeats(names: &[&str]) -> bool {
    names.iter().enumerate().any(|(at, name)| names[..at].contains(name))
}

#[cfg(test)]
mod tests;

//! Calls of operations, signed ahead.

use std::fmt::Write as _;
use std::net::SocketAddr;

use calotype::clock::{Clock, chance};
use calotype::wire::encode;
use calotype::wire::sign::{Call, Key, sign_acs3, sign_v1};
use calotype::wire::signature::Secret;
use calotype::wire::signature::acs3::Algorithm;

/// The access key of a user whose policy allows all that is measured.
pub const KEY: (&str, &str) = ("benchmarkid", "benchmarksecret");

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// HMAC-SHA1 over the parameters.
    V1,
    /// ACS3-HMAC-SHA256 over the whole request.
    Acs3,
}

/// An operation and what it is called with.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The version of its API.
    pub version: &'static str,
    /// Its name.
    pub action: &'static str,
    /// Its parameters.
    pub parameters: Vec<(String, String)>,
}

impl Operation {
    /// An operation without parameters.
    #[must_use]
    pub fn new(version: &'static str, action: &'static str) -> Self {
        Self { version, action, parameters: Vec::new() }
    }

    /// The same with one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    /// The request as it goes over the wire, with a signature of now.
    #[must_use]
    pub fn request(&self, server: SocketAddr, signing: Signing) -> Vec<u8> {
        let secret = Secret::new(KEY.1);
        let key = Key { access_key_id: KEY.0, secret: &secret, security_token: None };
        let (now, nonce) = (Clock::System.now(), encode::hex(&chance::<16>()));
        match signing {
            Signing::V1 => {
                let common = [("Action", self.action), ("Version", self.version), ("Format", "JSON")];
                let mut parameters: Vec<_> =
                    common.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
                parameters.extend(self.parameters.iter().cloned());
                let signed = sign_v1(key, "GET", &parameters, now, &nonce);
                let query = query(&signed);
                format!("GET /?{query} HTTP/1.1\r\nhost: {server}\r\n\r\n").into_bytes()
            }
            Signing::Acs3 => {
                let host = server.to_string();
                let call = Call {
                    method: "POST",
                    host: &host,
                    action: self.action,
                    version: self.version,
                    query: &self.parameters,
                    content_type: None,
                    body: b"",
                };
                let query = query(&self.parameters);
                let mut text = format!("POST /?{query} HTTP/1.1\r\ncontent-length: 0\r\n");
                for (name, value) in sign_acs3(key, Algorithm::Sha256, &call, now, &nonce) {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{name}: {value}\r\n");
                }
                text.push_str("\r\n");
                text.into_bytes()
            }
        }
    }
}

fn query(parameters: &[(String, String)]) -> String {
    encode::query(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

//! Requests as bytes, for what the client of the tests does not send.

use std::net::SocketAddr;

use calotype::clock::chance;
use calotype::wire::encode;
use calotype::wire::sign::{Call, Key, sign_acs3, sign_v1};
use calotype::wire::signature::Secret;
use calotype::wire::signature::acs3::Algorithm;
use calotype_core::time::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::World;

/// A reply as it came.
#[derive(Debug)]
pub struct RawReply {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl RawReply {
    /// The value of a header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or_else(|| panic!("no header {name}"), |(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The error code, whether the body is JSON or XML.
    pub fn code(&self) -> String {
        self.member("Code")
    }

    /// A member of an error, whether the body is JSON or XML.
    pub fn member(&self, name: &str) -> String {
        if self.body.starts_with('{') {
            return self.json()[name].as_str().unwrap_or_default().to_owned();
        }
        let inside = self.body.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
        let inside = inside.and_then(|rest| rest.split_once(&format!("</{name}>")));
        inside.map_or_else(String::new, |(text, _)| text.to_owned())
    }
}

/// Sends bytes over a connection of their own, and reads one reply.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> RawReply {
    try_exchange(address, request).await.expect("the server answers")
}

/// As [`exchange`], if the server does not hang up. It need not wait for the end of what it refuses.
pub async fn try_exchange(address: SocketAddr, request: &[u8]) -> Option<RawReply> {
    exchange_over(TcpStream::connect(address).await.unwrap(), request).await
}

/// As [`try_exchange`], over a stream that is open.
pub async fn exchange_over(stream: impl AsyncRead + AsyncWrite, request: &[u8]) -> Option<RawReply> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let receiving = async {
        let mut received = Vec::new();
        loop {
            if let Some(reply) = complete(&received) {
                return Some(reply);
            }
            if reading.read_buf(&mut received).await.unwrap_or_default() == 0 {
                return None;
            }
        }
    };
    let sending = async {
        let _ = writing.write_all(request).await;
        let _ = writing.flush().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        reply = receiving => reply,
        () = sending => None,
    }
}

fn complete(received: &[u8]) -> Option<RawReply> {
    let text = std::str::from_utf8(received).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse::<usize>().ok()?;
    (body.len() == length).then(|| RawReply { status, headers, body: body.to_owned() })
}

/// A V1 call with its parameters in the query or in the form, signed as `testid`.
pub struct V1<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Whether everything travels in the form.
    pub in_form: bool,
    /// `JSON` or `XML`.
    pub format: &'a str,
}

impl V1<'_> {
    /// The bytes of a call of an ENS operation.
    pub fn bytes(&self, world: &World, action: &str, params: &[(&str, &str)]) -> Vec<u8> {
        let mut all = vec![("Action", action), ("Version", super::ENS), ("Format", self.format)];
        all.extend(params);
        let all: Vec<(String, String)> =
            all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let secret = Secret::new("testsecret");
        let key = Key { access_key_id: "testid", secret: &secret, security_token: None };
        let signed = sign_v1(key, self.method, &all, world.clock.now(), &encode::hex(&chance::<16>()));
        let signed = encode::query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.unsigned(world.address, &signed)
    }

    /// The bytes of a request with these parameters, whatever they are.
    pub fn unsigned(&self, address: SocketAddr, params: &str) -> Vec<u8> {
        let method = self.method;
        if self.in_form {
            let length = params.len();
            let kind = "content-type: application/x-www-form-urlencoded";
            return format!(
                "{method} / HTTP/1.1\r\nhost: {address}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{params}"
            )
            .into_bytes();
        }
        format!("{method} /?{params} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n").into_bytes()
    }
}

/// A call of any operation, signed by anybody at any time.
pub struct Signed<'a> {
    /// Who signs.
    pub key: Key<'a>,
    /// The version of the API.
    pub version: &'a str,
    /// The operation.
    pub action: &'a str,
    /// Its parameters.
    pub params: &'a [(&'a str, &'a str)],
    /// The time that it says.
    pub at: Timestamp,
    /// Its nonce.
    pub nonce: &'a str,
}

impl Signed<'_> {
    /// The bytes of a V1 call, all of it in the form.
    pub fn v1(&self, address: SocketAddr) -> Vec<u8> {
        let common = [("Action", self.action), ("Version", self.version), ("Format", "JSON")];
        let all = owned(common.iter().chain(self.params));
        let signed = sign_v1(self.key, "POST", &all, self.at, self.nonce);
        let form = encode::query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        V1 { method: "POST", in_form: true, format: "JSON" }.unsigned(address, &form)
    }

    /// The bytes of an ACS3 call, its parameters in the query.
    pub fn acs3(&self, address: SocketAddr, algorithm: Algorithm) -> Vec<u8> {
        let (host, query) = (address.to_string(), owned(self.params.iter()));
        let (action, version) = (self.action, self.version);
        let call = Call {
            method: "GET",
            host: &host,
            action,
            version,
            query: &query,
            content_type: None,
            body: b"",
        };
        let headers = sign_acs3(self.key, algorithm, &call, self.at, self.nonce);
        let query = encode::query(self.params.iter().copied());
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        format!("GET /?{query} HTTP/1.1\r\n{lines}\r\n").into_bytes()
    }
}

fn owned<'p>(params: impl Iterator<Item = &'p (&'p str, &'p str)>) -> Vec<(String, String)> {
    params.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A nonce that nobody has used.
pub fn fresh_nonce() -> String {
    encode::hex(&chance::<16>())
}

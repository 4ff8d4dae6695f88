//! Answers on their way out, as JSON or XML.
//!
//! A reply always has a body and a `Content-Type`; there are clients that fail without either. What the
//! members of a success are is for the products; what an error looks like is decided here.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::encode;
use super::fault::Fault;
use super::request::Format;

mod xml;

/// Where an error sends the reader for help.
const RECOMMEND: &str = "https://api.aliyun.com/troubleshoot";

/// An answer, complete but for what the HTTP server adds itself (date, length, connection).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers to set, `content-type` among them. Names are lower case and unique.
    pub headers: Vec<(&'static str, String)>,
    /// The body, never empty.
    pub body: Bytes,
}

impl Reply {
    /// Renders a success. `body` is an object, to which `RequestId` is added; anything else counts as empty.
    ///
    /// In XML the root is the action and `Response`, and an array is its key repeated, once per item.
    ///
    /// Source: protocol, replies.
    #[must_use]
    pub fn success(format: Format, action: &str, request_id: &str, body: Value) -> Self {
        let mut members = if let Value::Object(members) = body { members } else { Map::new() };
        members.insert("RequestId".to_owned(), request_id.into());
        let body = match format {
            Format::Json => json_bytes(&Value::Object(members)),
            Format::Xml => xml::document(&format!("{action}Response"), members.iter()),
        };
        Self::new(format, 200, request_id, body)
    }

    /// Renders a refusal. `host` is the host that was called, `product_code` whose API it was.
    ///
    /// Source: protocol, replies, how the clients read a reply.
    #[must_use]
    pub fn fault(format: Format, fault: &Fault, request_id: &str, host: &str, product_code: &str) -> Self {
        let mut members: Vec<(&str, Value)> = vec![
            ("RequestId", request_id.into()),
            ("HostId", host.into()),
            ("Code", (*fault.code).into()),
            ("Message", (*fault.message).into()),
        ];
        if format == Format::Json {
            members.push(("Recommend", recommend(&fault.code, product_code, request_id).into()));
        }
        if !fault.access_denied.is_empty() {
            let detail = fault.access_denied.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
            members.push(("AccessDeniedDetail", Value::Object(detail.collect())));
        }
        for (name, value) in &fault.extra {
            if !members.iter().any(|(taken, _)| taken == name) {
                members.push((name, value.clone()));
            }
        }
        let body = match format {
            Format::Json => json_bytes(&members.into_iter().collect()),
            Format::Xml => xml::document("Error", members.iter().map(|(name, value)| (*name, value))),
        };
        let mut reply = Self::new(format, fault.status, request_id, body);
        if let Some(retry_after_ms) = fault.retry_after_ms {
            reply.headers.push(("x-acs-retry-after", retry_after_ms.to_string()));
        }
        reply
    }

    fn new(format: Format, status: u16, request_id: &str, body: Vec<u8>) -> Self {
        let hex_digits = request_id.chars().filter(char::is_ascii_hexdigit);
        let headers = vec![
            ("content-type", format.content_type().to_owned()),
            ("access-control-allow-origin", "*".to_owned()),
            ("access-control-expose-headers", "*".to_owned()),
            ("x-acs-request-id", request_id.to_owned()),
            ("x-acs-trace-id", hex_digits.map(|digit| digit.to_ascii_lowercase()).collect()),
        ];
        Self { status, headers, body: body.into() }
    }
}

/// The page about an error, with its code, its product and the request.
fn recommend(code: &str, product_code: &str, request_id: &str) -> String {
    let query = encode::query([("q", code), ("product", product_code), ("requestId", request_id)]);
    format!("{RECOMMEND}?{query}")
}

fn json_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value has text keys only and can be written")
}

#[cfg(test)]
mod tests;

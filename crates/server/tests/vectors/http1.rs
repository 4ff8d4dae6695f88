//! A reader of recorded HTTP/1.1 requests, small enough to be checked by eye.
//!
//! It shares nothing with the server: neither the framing nor the decoding of names and values.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};

pub struct Sent {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Reads one request, whose body is framed by `Content-Length`, by chunks, or by nothing.
pub fn read(raw: &[u8]) -> Sent {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("the head ends");
    let head = std::str::from_utf8(&raw[..end]).expect("the head is text");
    let mut lines = head.split("\r\n");
    let mut first = lines.next().expect("there is a request line").split(' ');
    let method = first.next().expect("there is a method").parse().expect("it is a method");
    let uri = first.next().expect("there is a target").parse().expect("it is a target");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header has a colon");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("it is a header name");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("it is a header value"));
    }
    let rest = &raw[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|value| value == "chunked");
    let body = if chunked { dechunked(rest) } else { rest.to_vec() };
    if let Some(length) = headers.get("content-length") {
        assert_eq!(length.to_str().expect("it is text"), body.len().to_string());
    }
    Sent { method, uri, headers, body }
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk has a size line");
        let size = std::str::from_utf8(&rest[..end]).expect("the size is text");
        let size = usize::from_str_radix(size, 16).expect("the size is hexadecimal");
        rest = &rest[end + 2..];
        if size == 0 {
            assert_eq!(rest, b"\r\n", "the last chunk ends the body");
            return body;
        }
        body.extend_from_slice(&rest[..size]);
        rest = rest[size..].strip_prefix(b"\r\n").expect("a chunk ends with its line");
    }
}

/// Decodes canonical text, in which a blank is `%20` and never a plus sign.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut pieces = text.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hexadecimal digits follow"));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("the text is UTF-8")
}

/// The pairs of a canonical query, decoded, in their order.
pub fn pairs(canonical: &str) -> Vec<(String, String)> {
    let pairs = canonical.split('&').filter(|pair| !pair.is_empty());
    let split = |pair: &str| pair.split_once('=').map(|(n, v)| (percent_decode(n), percent_decode(v)));
    pairs.map(|pair| split(pair).expect("a pair has an equals sign")).collect()
}

//! A request as it came over the wire, and what it claims about its sender.
//!
//! [`Request::parse`] finds out what is called and in which format the answer is due; [`Request::claim`]
//! checks everything about the sender that can be checked without looking anything up. In between and
//! afterwards the order is fixed: form, operation named, credentials present, time, key, token, signature,
//! nonce. What is called need not exist; that is for the dispatcher, and for callers with a name only.

use std::fmt;

use calotype_core::time::Timestamp;
use hyper::{HeaderMap, Method, Uri};

use super::encode;
use super::fault::GatewayError;
use super::params::Params;
use super::signature::acs3::{Presented, Sent};
use super::signature::v1;

/// How far the time of a request may be from the server's, in either direction, in milliseconds.
pub const CLOCK_WINDOW_MS: i64 = 15 * 60 * 1000;

/// How long a nonce may be, in bytes. Clients send 32 or 36.
pub const NONCE_BYTES_MAX: usize = 128;

/// How long an access key id may be, in bytes. No longer one exists, so none is looked up.
pub const ACCESS_KEY_ID_BYTES_MAX: usize = 128;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `JSON`, in any case.
    Json,
    /// `XML`, in any case.
    Xml,
}

/// A request whose form is in order. Who sent it is not proven yet.
pub struct Request {
    /// The operation that is called, as the client spells it.
    pub action: String,
    /// The version of the API, a date.
    pub version: String,
    /// The form in which the answer is due.
    pub format: Format,
    /// All parameters of query and body, the common ones included.
    pub params: Params,
    method: &'static str,
    credentials: Credentials,
}

/// How a request says who sent it.
enum Credentials {
    /// Among the parameters, signed with HMAC-SHA1.
    V1,
    /// In the headers. What is wrong with them is told in its turn, by [`Request::claim`].
    Acs3(Result<Presented, GatewayError>),
    /// Not by an access key: a bearer or identity token, or nothing at all. No operation here takes that.
    Keyless,
}

/// Who a request says it is from, and when. Nothing of it is proven until [`super::signature::verify`].
pub struct Claim<'r> {
    /// The access key to look up.
    pub access_key_id: &'r str,
    /// The token that goes with a temporary key.
    pub security_token: Option<&'r str>,
    /// The nonce to spend once the signature is proven.
    pub nonce: &'r str,
    /// When the client says it made the request; inside the clock window.
    pub stamped: Timestamp,
    pub(super) proof: Proof<'r>,
}

/// The signature of a claim and what it should be over.
pub(super) enum Proof<'r> {
    V1 { method: &'static str, params: &'r Params, signature: &'r str },
    Acs3(&'r Presented),
}

impl Request {
    /// Parses a request from its parts. `body` is complete and without transfer encoding.
    ///
    /// Operation and version come from the parameters or, unless V1 signs the request, from the headers; in
    /// both places they must agree.
    ///
    /// # Errors
    /// The format in which to answer, and in this order: [`GatewayError::UnsupportedHttpMethod`] for
    /// anything but GET and POST, [`GatewayError::InvalidParameterFormat`] for parameters beyond the limits,
    /// a JSON body that does not parse, an unknown `Format` or a repeated header, [`GatewayError::Missing`]
    /// without action or version, [`GatewayError::InvalidParameter`] where headers contradict parameters.
    ///
    /// Source: protocol, which service, where the parameters travel, replies.
    pub fn parse(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, (Format, GatewayError)> {
        let query = uri.query().unwrap_or_default();
        let early = |error| (early_format(query, headers, body), error);
        let method = match method.as_str() {
            "GET" => "GET",
            "POST" => "POST",
            _ => return Err(early(GatewayError::UnsupportedHttpMethod)),
        };
        let mut params = Params::parse(query).map_err(|error| early(error.into()))?;
        // ACS3 signs the query apart from the body, so it is written down before they become one.
        let authorization = acs_authorization(headers);
        let query = if authorization == Ok(None) { String::new() } else { encode::query(params.iter()) };
        params.merge_body(body).map_err(|error| early(error.into()))?;

        let default = default_format(&params, headers);
        let format = match params.text("Format") {
            None => default,
            Some(name) => Format::named(name).ok_or((default, GatewayError::InvalidParameterFormat))?,
        };
        let is_v1 = authorization == Ok(None) && has_key(&params);
        let named = |name, header| {
            let called = called(name, params.text(name), single(headers, header), is_v1);
            called.map_err(|error| (format, error))
        };
        let (action, version) = (named("Action", "x-acs-action")?, named("Version", "x-acs-version")?);
        let credentials = match authorization {
            Ok(Some(authorization)) => {
                let sent = Sent { method, path: uri.path(), query: &query, headers, body };
                Credentials::Acs3(Presented::read(authorization, &sent))
            }
            Ok(None) if is_v1 => Credentials::V1,
            Ok(None) => Credentials::Keyless,
            Err(error) => Credentials::Acs3(Err(error)),
        };
        Ok(Self { action, version, format, params, method, credentials })
    }

    /// What the request claims about its sender.
    ///
    /// # Errors
    /// In this order: [`GatewayError::Missing`], [`GatewayError::InvalidSignatureMethod`] and
    /// [`GatewayError::IncompleteSignature`] for absent, unknown and incomplete credentials,
    /// [`GatewayError::InvalidParameter`] for a nonce that is too long,
    /// [`GatewayError::InvalidTimeStampFormat`], [`GatewayError::InvalidTimeStampExpired`], and
    /// [`GatewayError::InvalidAccessKeyIdNotFound`] for a key id longer than any.
    ///
    /// Source: protocol, common parameters, clock and replay, order of checks.
    pub fn claim(&self, now: Timestamp) -> Result<Claim<'_>, GatewayError> {
        match &self.credentials {
            Credentials::V1 => self.claim_v1(now),
            Credentials::Acs3(presented) => claim_acs3(presented.as_ref().map_err(Clone::clone)?, now),
            Credentials::Keyless => Err(GatewayError::Missing { name: "AccessKeyId" }),
        }
    }

    fn claim_v1(&self, now: Timestamp) -> Result<Claim<'_>, GatewayError> {
        let params = &self.params;
        let access_key_id = present("AccessKeyId", params.text("AccessKeyId"))?;
        let signature = present("Signature", params.text("Signature"))?;
        let by_hmac = present("SignatureMethod", params.text("SignatureMethod"))? == v1::SIGNATURE_METHOD;
        if !by_hmac || params.text("SignatureType").is_some() {
            return Err(GatewayError::InvalidSignatureMethod);
        }
        if params.text("SignatureVersion").is_some_and(|version| version != v1::SIGNATURE_VERSION) {
            return Err(GatewayError::InvalidParameter { name: "SignatureVersion".to_owned() });
        }
        let nonce = nonce(params.text("SignatureNonce"))?;
        let stamped = stamped(params.text("Timestamp"), now)?;
        Ok(Claim {
            access_key_id: possible_key(access_key_id)?,
            security_token: params.text("SecurityToken"),
            nonce,
            stamped,
            proof: Proof::V1 { method: self.method, params, signature },
        })
    }
}

fn claim_acs3(presented: &Presented, now: Timestamp) -> Result<Claim<'_>, GatewayError> {
    let nonce = nonce(presented.nonce.as_deref())?;
    let stamped = stamped(presented.stamped.as_deref(), now)?;
    Ok(Claim {
        access_key_id: possible_key(&presented.access_key_id)?,
        security_token: presented.security_token.as_deref(),
        nonce,
        stamped,
        proof: Proof::Acs3(presented),
    })
}

impl Format {
    /// The format with this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let named = |known: &str| name.eq_ignore_ascii_case(known);
        if named("JSON") { Some(Self::Json) } else { Some(Self::Xml).filter(|_| named("XML")) }
    }

    /// The `Content-Type` of an answer, spelled as the clients need it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// The only value of a header; one without a value is absent.
///
/// A header that decides something must not come twice, or two readers of the request could each take
/// another one for the true one.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, GatewayError> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let text =
        first.map(|value| value.to_str().map_err(|_| GatewayError::InvalidParameterFormat)).transpose()?;
    if second.is_some() {
        return Err(GatewayError::InvalidParameterFormat);
    }
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

/// What is called, from the parameters or else from a header. The two must not contradict each other, and
/// V1 signs no header, so there a header alone does not count.
fn called(
    name: &'static str,
    param: Option<&str>,
    header: Result<Option<&str>, GatewayError>,
    is_v1: bool,
) -> Result<String, GatewayError> {
    match (param, header?) {
        (Some(one), Some(other)) if one != other => {
            Err(GatewayError::InvalidParameter { name: name.to_owned() })
        }
        (Some(text), _) => Ok(text.to_owned()),
        (None, Some(text)) if !is_v1 => Ok(text.to_owned()),
        (None, _) => Err(GatewayError::Missing { name }),
    }
}

fn present<'r>(name: &'static str, value: Option<&'r str>) -> Result<&'r str, GatewayError> {
    value.ok_or(GatewayError::Missing { name })
}

fn nonce(text: Option<&str>) -> Result<&str, GatewayError> {
    let nonce = present("SignatureNonce", text)?;
    if nonce.len() > NONCE_BYTES_MAX {
        return Err(GatewayError::InvalidParameter { name: "SignatureNonce".to_owned() });
    }
    Ok(nonce)
}

fn stamped(text: Option<&str>, now: Timestamp) -> Result<Timestamp, GatewayError> {
    let text = present("Timestamp", text)?;
    let stamped = Timestamp::parse(text).map_err(|_| GatewayError::InvalidTimeStampFormat)?;
    if stamped.as_millis().abs_diff(now.as_millis()) > CLOCK_WINDOW_MS.unsigned_abs() {
        return Err(GatewayError::InvalidTimeStampExpired);
    }
    Ok(stamped)
}

fn possible_key(id: &str) -> Result<&str, GatewayError> {
    if id.len() > ACCESS_KEY_ID_BYTES_MAX { Err(GatewayError::InvalidAccessKeyIdNotFound) } else { Ok(id) }
}

/// The `Authorization` header, if it is of the vendor's kind. Another scheme may be a proxy's business.
fn acs_authorization(headers: &HeaderMap) -> Result<Option<&str>, GatewayError> {
    Ok(single(headers, "authorization")?.filter(|text| text.starts_with("ACS")))
}

fn has_key(params: &Params) -> bool {
    ["AccessKeyId", "Signature", "SignatureMethod"].iter().any(|name| params.text(name).is_some())
}

/// The format of an answer if the request does not name one: XML in the older style, where everything is
/// a parameter, and JSON in the newer one, where headers say what is called.
fn default_format(params: &Params, headers: &HeaderMap) -> Format {
    let unsigned = || headers.contains_key("x-acs-action") && !has_key(params);
    let newer = acs_authorization(headers) != Ok(None) || unsigned();
    if newer { Format::Json } else { Format::Xml }
}

/// The format of an answer to a request whose parameters are beyond the limits: what it names itself
/// still counts, because clients that asked for JSON cannot read anything else.
fn early_format(query: &str, headers: &HeaderMap, body: &[u8]) -> Format {
    let mut pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
    let named = pairs.find(|(name, _)| name == "Format");
    let named = named.and_then(|(_, value)| Format::named(&value));
    named.unwrap_or_else(|| default_format(&Params::default(), headers))
}

/// Prints what is called, and of the parameters what is not sensitive.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("action", &self.action).field("version", &self.version).field("format", &self.format);
        shown.field("params", &self.params).finish_non_exhaustive()
    }
}

/// Prints whose claim it is, without token and signature.
impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Claim");
        shown.field("access_key_id", &self.access_key_id).field("stamped", &self.stamped);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

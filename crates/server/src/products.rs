//! The vendor's APIs over the one domain: what is called, with what, and what is answered.
//!
//! Each operation is one file with a constant of type [`Operation`]; everything that must know the
//! operations (routing, RAM actions, documents, tests) reads those constants.

pub mod appstream;
pub mod calotype;
pub mod documented;
pub mod ecd;
pub mod ens;
mod paging;
pub mod sts;

use base64::Engine as _;
use calotype_core::delete_image::{DeleteRefusal, DeleteRules};
use calotype_core::image::Product;
use calotype_core::ram::{Denied, diagnostic_message};
use calotype_core::time::Timestamp;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::app::App;
use crate::service::Caller;
use crate::wire::fault::{ErrorRow, Fault};
use crate::wire::params::{InvalidParameter, Params};

/// One version of one API.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    /// What the API is called in RAM actions and documents.
    pub name: &'static str,
    /// What it is called in the advice of errors.
    pub product_code: &'static str,
    /// The version on the wire, a date.
    pub version: &'static str,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// The API it belongs to.
    pub api: &'static Api,
    /// Its name on the wire.
    pub name: &'static str,
    /// The RAM action that a policy names.
    pub action: &'static str,
    /// Its parameters, in the order of their names.
    pub parameters: &'static [Parameter],
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What serves it.
    pub handler: Handler,
}

/// Serves a call: the members of the answer but for `RequestId`, or a fault.
pub type Handler = for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Result<Value, Fault>>;

/// A proven call of an operation.
#[derive(Debug)]
pub struct Call<'a> {
    /// What serves it.
    pub app: &'a App,
    /// Who calls.
    pub caller: Caller,
    /// What was sent along.
    pub params: &'a Params,
    /// The time of the request, the same all the way.
    pub now: Timestamp,
}

/// One parameter of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type and the way it travels.
    pub kind: Kind,
    /// Whether the vendor declares it as required.
    pub required: bool,
}

/// The type of a parameter and the way it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A decimal number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// `Name.1`, `Name.2`, or with members `Name.1.Member`.
    FlatList,
    /// A JSON array in one text.
    JsonList,
    /// Items joined by commas.
    CommaList,
    /// A decimal fraction.
    Number,
    /// A JSON object in one text.
    JsonObject,
    /// `Name.Member`.
    FlatObject,
}

impl Parameter {
    /// A parameter that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false }
    }

    /// A parameter that must be there.
    #[must_use]
    pub const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: true }
    }
}

/// Why an image is deleted, in the caller's words. The vendor has no such parameter; it is ours on every
/// `DeleteImage`, kept with the deletion.
pub const REASON: Parameter = Parameter::optional("Reason", Kind::Text);

/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 256;

/// The reason that was given for a delete.
fn reason(params: &Params) -> Result<Option<&str>, InvalidParameter> {
    let reason = params.text(REASON.name);
    let bad = |text: &str| text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control);
    if reason.is_some_and(bad) { Err(InvalidParameter::new(REASON.name)) } else { Ok(reason) }
}

/// What a product rules of a delete.
fn delete_rules(product: Product) -> &'static DeleteRules {
    match product {
        Product::Ens => &ens::RULES,
        Product::AppStreaming => &appstream::RULES,
    }
}

/// What a product's `DeleteImage` answers when the ladder refuses.
fn delete_refusal_row(product: Product, refusal: DeleteRefusal) -> ErrorRow {
    match product {
        Product::Ens => ens::error::EnsError::from(refusal).row(),
        Product::AppStreaming => appstream::error::AppStreamError::from(refusal).row(),
    }
}

/// The members of `AccessDeniedDetail`: which policy refused what to whom.
fn access_denied(denied: &Denied, call: &Call<'_>) -> Vec<(&'static str, String)> {
    let diagnostic = diagnostic_message(&call.caller.request_id, call.now);
    let encoded = base64::engine::general_purpose::STANDARD.encode(diagnostic);
    denied.detail().into_iter().chain([("EncodedDiagnosticMessage", encoded)]).collect()
}

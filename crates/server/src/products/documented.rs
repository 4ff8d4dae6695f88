//! Every refusal of every API, read off the tables that the products refuse with.

use calotype_core::ids::AccountId;
use calotype_core::ram::{Arn, Context, Denied, Policies, Principal, PrincipalKind, authorize};
use calotype_core::time::Timestamp;

use super::appstream::error::AppStreamError;
use super::calotype::error::CalotypeError;
use super::ecd::error::EcdError;
use super::ens::error::EnsError;
use super::sts::error::StsError;
use super::{Api, Call};
use crate::wire::fault::{ANY_NAME, ErrorRow, Fault, GatewayError};

/// A refusal as it is documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// What the caller sees; a code or text that names a parameter has `%s` in its place.
    pub row: ErrorRow,
    /// When it is met, in a few words.
    pub when: String,
}

/// The refusals of an API, in the order of its table.
#[must_use]
pub fn refusals(api: &Api) -> Vec<Documented> {
    macro_rules! told {
        ($every:expr) => {
            $every.iter().map(|error| Documented { row: error.row(), when: error.to_string() }).collect()
        };
    }
    let denied = denial("ens:DeleteImage", None);
    match api.name {
        "ens" => told!(EnsError::every(ANY_NAME, &denied)),
        "appstreaming" => told!(AppStreamError::every(ANY_NAME, &denied)),
        "ecd" => told!(EcdError::every(ANY_NAME, &denied)),
        "sts" => told!(StsError::every(ANY_NAME, &denied)),
        _ => told!(CalotypeError::every(ANY_NAME, &denied)),
    }
}

/// The refusals of the gateway, which every operation can meet.
#[must_use]
pub fn gateway_refusals() -> Vec<ErrorRow> {
    GatewayError::every(ANY_NAME).iter().map(GatewayError::row).collect()
}

/// The refusal with this code as the caller of a call would see it, the first that `fits`; nothing if neither the API
/// of the call nor the gateway has one.
#[must_use]
pub fn refusal(call: &Call<'_>, api: &Api, code: &str, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
    macro_rules! seen {
        ($every:expr) => {
            $every.into_iter().map(|error| error.into_fault(call)).collect::<Vec<_>>()
        };
    }
    let denied = denial(call.caller.action, Some(call));
    parameters(code).into_iter().find_map(|name| {
        let product = match api.name {
            "ens" => seen!(EnsError::every(name, &denied)),
            "appstreaming" => seen!(AppStreamError::every(name, &denied)),
            "ecd" => seen!(EcdError::every(name, &denied)),
            "sts" => seen!(StsError::every(name, &denied)),
            _ => seen!(CalotypeError::every(name, &denied)),
        };
        let gateway = GatewayError::every(name).into_iter().map(Fault::from);
        product.into_iter().chain(gateway).find(|fault| fault.code == code && fits(fault))
    })
}

/// Whether a call of this API can be refused with this code.
#[must_use]
pub fn is_documented(api: &Api, code: &str) -> bool {
    let denied = denial("ens:DeleteImage", None);
    macro_rules! has {
        ($every:expr) => {
            $every.iter().any(|error| error.row().code == code)
        };
    }
    parameters(code).into_iter().any(|name| {
        has!(GatewayError::every(name))
            || match api.name {
                "ens" => has!(EnsError::every(name, &denied)),
                "appstreaming" => has!(AppStreamError::every(name, &denied)),
                "ecd" => has!(EcdError::every(name, &denied)),
                "sts" => has!(StsError::every(name, &denied)),
                _ => has!(CalotypeError::every(name, &denied)),
            }
    })
}

/// The names of parameters that a code may have been made with.
fn parameters(code: &str) -> Vec<&str> {
    let prefixes = ["InvalidParameter.", "Missing", "Invalid"];
    let named = prefixes.into_iter().filter_map(|prefix| code.strip_prefix(prefix));
    named.filter(|name| !name.is_empty()).chain([ANY_NAME]).collect()
}

/// The denial of an action to the caller, or to a user who may do nothing where the caller may do everything.
fn denial(action: &'static str, call: Option<&Call<'_>>) -> Denied {
    let account = call.map_or_else(|| AccountId::trusted("0"), |call| call.caller.account().clone());
    let user = PrincipalKind::User { name: "lab".to_owned(), id: "lab".to_owned() };
    let user = Principal { account: account.clone(), kind: user };
    let context = Context {
        source_ip: None,
        secure_transport: false,
        now: Timestamp::from_millis(0),
        user_agent: None,
        principal_arn: user.arn(),
        access_key_id: String::new(),
        external_id: None,
        request_tags: Vec::new(),
        resource_tags: Vec::new(),
    };
    let service = action.split_once(':').map_or(action, |(service, _)| service);
    let deny = |principal: &Principal| {
        authorize(principal, &Policies::default(), action, Arn::all(service, &account), &context).err()
    };
    let caller = call.and_then(|call| deny(&call.caller.principal));
    caller.or_else(|| deny(&user)).expect("a user without policies is denied everything")
}

//! Tests of the policy engine; what they share.

mod cases;
mod conditions;
mod delete_image;
mod policies;
mod properties;
mod refusals;
mod resources;
mod trust;

use std::sync::Arc;

use super::{
    Arn, Authorized, Context, Decision, Denied, Layer, Policies, Policy, Principal, PrincipalKind, authorize,
    evaluate,
};
use crate::ids::AccountId;
use crate::time::Timestamp;

const DELETE: &str = "ens:DeleteImage";
const ALLOWED: Decision = Decision::Allow;
const NOT_ALLOWED: Decision = Decision::ImplicitDeny(Layer::Identity);
const DENIED: Decision = Decision::ExplicitDeny(Layer::Identity);

fn account() -> AccountId {
    AccountId::trusted("1000000000000001")
}

fn image() -> Arn {
    Arn::of("ens", &account(), "image", "m-1")
}

fn root() -> Principal {
    Principal { account: account(), kind: PrincipalKind::Root }
}

fn user() -> Principal {
    let kind = PrincipalKind::User { name: "ci".to_owned(), id: "200000000000000001".to_owned() };
    Principal { account: account(), kind }
}

fn role_session() -> Principal {
    let kind = PrincipalKind::RoleSession { role: "builder".to_owned(), session: "night".to_owned() };
    Principal { account: account(), kind }
}

/// A call over TLS from 192.0.2.7 at 2026-03-27T08:09:10.500Z, with one tag of each sort.
fn context() -> Context {
    let tags = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    Context {
        source_ip: Some("192.0.2.7".parse().unwrap()),
        secure_transport: true,
        now: Timestamp::parse("2026-03-27T08:09:10Z").unwrap().plus_millis(500),
        user_agent: Some("aliyun-cli/3.0".to_owned()),
        principal_arn: user().arn(),
        access_key_id: "ciid".to_owned(),
        external_id: None,
        request_tags: tags("team", "Dev"),
        resource_tags: tags("size", "42"),
    }
}

/// A policy of the statements, which are JSON objects separated by commas.
fn policy(statements: &str) -> Arc<Policy> {
    let document = format!(r#"{{"Version":"1","Statement":[{statements}]}}"#);
    Arc::new(Policy::parse("p", &document).unwrap())
}

/// A statement with the members that were left out: any action, on anything.
fn statement(effect: &str, members: &str) -> String {
    let action = if members.contains("Action\"") { "" } else { r#","Action":"*""# };
    let resource = if members.contains("Resource\"") { "" } else { r#","Resource":"*""# };
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"Effect":"{effect}"{action}{resource}{comma}{members}}}"#)
}

fn allow(members: &str) -> String {
    statement("Allow", members)
}

fn deny(members: &str) -> String {
    statement("Deny", members)
}

/// What identity policies with these statements say about the action on the image `m-1`.
fn ask_in(statements: &[String], action: &str, context: &Context) -> Decision {
    let policies: Vec<Arc<Policy>> = statements.iter().map(|text| policy(text)).collect();
    evaluate(&[(Layer::Identity, &policies)], action, &image(), context)
}

fn ask(statements: &[String], action: &str) -> Decision {
    ask_in(statements, action, &context())
}

/// What the server asks about a `DeleteImage` of `m-1` by a user with one policy of these statements.
fn delete_by_user(statements: &str) -> Result<Authorized, Denied> {
    let policies = Policies { identity: vec![policy(statements)], session: None };
    authorize(&user(), &policies, DELETE, image(), &context())
}

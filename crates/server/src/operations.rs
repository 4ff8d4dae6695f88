//! The one way in: every operation, and how a request reaches it.

mod between;
mod prove;

use std::net::IpAddr;
use std::time::Duration;

use calotype_core::ram::Context;
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::nonces::SpentNonce;
use hyper::{HeaderMap, Method, Uri};
use serde_json::Value;

use crate::app::App;
use crate::clock::request_id;
use crate::products::{Api, Call, Operation, appstream, calotype, ecd, ens, sts};
use crate::service::Caller;
use crate::throttle::TooSoon;
use crate::wire::fault::{ErrorRow, Fault, GatewayError};
use crate::wire::reply::Reply;
use crate::wire::request::{CLOCK_WINDOW_MS, Format, Request};
use prove::prove;

pub use between::{Between, MaybeBetween};

/// Every operation that is served.
pub const OPERATIONS: &[Operation] = &[
    appstream::create_app_instance_group::OPERATION,
    appstream::create_image_by_instance::OPERATION,
    appstream::create_image_from_app_instance_group::OPERATION,
    appstream::create_wuying_server::OPERATION,
    appstream::delete_app_instance_group::OPERATION,
    appstream::delete_app_instances::OPERATION,
    appstream::delete_image::OPERATION,
    appstream::delete_wuying_server::OPERATION,
    appstream::describe_wuying_server::OPERATION,
    appstream::get_app_instance_group::OPERATION,
    appstream::list_app_instance_group::OPERATION,
    appstream::list_app_instances::OPERATION,
    appstream::list_image::OPERATION,
    appstream::list_regions::OPERATION,
    appstream::list_wuying_server::OPERATION,
    appstream::start_task_for_distribute_image::OPERATION,
    appstream::start_wuying_server::OPERATION,
    appstream::stop_wuying_server::OPERATION,
    appstream::update_app_instance_group_image::OPERATION,
    appstream::update_wuying_server_image::OPERATION,
    calotype::explain_delete_image::OPERATION,
    calotype::get_deletion::OPERATION,
    calotype::list_deletions::OPERATION,
    #[cfg(feature = "bench")]
    calotype::no_op::OPERATION,
    calotype::publish_community_image::OPERATION,
    calotype::restore_image::OPERATION,
    calotype::withdraw_community_image::OPERATION,
    ecd::copy_image::OPERATION,
    ecd::create_bundle::OPERATION,
    ecd::create_template::OPERATION,
    ecd::delete_bundles::OPERATION,
    ecd::delete_images::OPERATION,
    ecd::delete_templates::OPERATION,
    ecd::describe_bundles::OPERATION,
    ecd::describe_image_permission::OPERATION,
    ecd::describe_images::OPERATION,
    ecd::describe_templates::OPERATION,
    ecd::modify_image_attribute::OPERATION,
    ecd::modify_image_permission::OPERATION,
    ecd::modify_template::OPERATION,
    ens::create_image::OPERATION,
    ens::create_instance::OPERATION,
    ens::create_snapshot::OPERATION,
    ens::delete_image::OPERATION,
    ens::delete_snapshot::OPERATION,
    ens::describe_disks::OPERATION,
    ens::describe_ens_regions::OPERATION,
    ens::describe_export_image_info::OPERATION,
    ens::describe_export_image_status::OPERATION,
    ens::describe_image_infos::OPERATION,
    ens::describe_image_share_permission::OPERATION,
    ens::describe_images::OPERATION,
    ens::describe_instances::OPERATION,
    ens::describe_self_images::OPERATION,
    ens::describe_snapshots::OPERATION,
    ens::export_image::OPERATION,
    ens::import_image::OPERATION,
    ens::list_tag_resources::OPERATION,
    ens::modify_image_attribute::OPERATION,
    ens::modify_image_share_permission::OPERATION,
    ens::modify_instance_attribute::OPERATION,
    ens::modify_snapshot_attribute::OPERATION,
    ens::reboot_instance::OPERATION,
    ens::reboot_instances::OPERATION,
    ens::reinit_instance::OPERATION,
    ens::reinit_instances::OPERATION,
    ens::release_instance::OPERATION,
    ens::release_post_paid_instance::OPERATION,
    ens::release_pre_paid_instance::OPERATION,
    ens::run_instances::OPERATION,
    ens::start_instance::OPERATION,
    ens::start_instances::OPERATION,
    ens::stop_instance::OPERATION,
    ens::stop_instances::OPERATION,
    sts::assume_role::OPERATION,
    sts::get_caller_identity::OPERATION,
];

/// How often a call that met another transaction is tried, the first time included.
const TRIES_MAX: u32 = 5;

/// How long after its arrival a call is begun anew, in milliseconds: clients give up, some after three seconds.
const REPEATS_MS: i64 = 2_000;

/// The longest user agent that policies see, in bytes.
const USER_AGENT_BYTES_MAX: usize = 512;

/// A request as it came in, complete.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, without transfer encoding.
    pub body: &'a [u8],
    /// The address it came from.
    pub peer: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
}

/// Answers a request, whatever it is.
pub async fn dispatch(app: &App, incoming: &Incoming<'_>) -> Reply {
    answer(app, None, incoming).await
}

/// Answers a request behind whoever stands between, who may keep the answer back.
pub async fn dispatch_behind(app: &App, between: &MaybeBetween, incoming: &Incoming<'_>) -> Option<Reply> {
    match between {
        None => Some(answer(app, None, incoming).await),
        Some(between) => {
            between.around(incoming, Box::pin(answer(app, Some(between.as_ref()), incoming))).await
        }
    }
}

async fn answer(app: &App, between: Option<&dyn Between>, incoming: &Incoming<'_>) -> Reply {
    let now = app.clock.now();
    let request_id = app.chance.request_id();
    let host = host(incoming.headers);
    let mut counting = app.metrics.requests.begin(table);
    let request = match Request::parse(incoming.method, incoming.uri, incoming.headers, incoming.body) {
        Ok(request) => request,
        Err((format, error)) => {
            let fault = Fault::from(error);
            fault.log(&request_id);
            counting.refused(fault.code.clone());
            return Reply::fault(format, &fault, &request_id, host, "");
        }
    };
    let found = find(&request.version, &request.action);
    counting.is_for(found.as_ref().ok().map(|(position, _)| *position));
    match serve(app, between, incoming, &request, &request_id, now, found).await {
        Ok(body) => {
            counting.succeeded();
            Reply::success(request.format, &request.action, &request_id, body)
        }
        Err(fault) => {
            fault.log(&request_id);
            counting.refused(fault.code.clone());
            let product = api(&request.version).map_or("", |api| api.product_code);
            Reply::fault(request.format, &fault, &request_id, host, product)
        }
    }
}

/// Refuses a request that cannot be read.
#[must_use]
pub fn refuse(app: &App, headers: &HeaderMap, row: ErrorRow) -> Reply {
    let request_id = request_id();
    let fault = Fault::new(row);
    fault.log(&request_id);
    app.metrics.requests.begin(table).refused(fault.code.clone());
    Reply::fault(Format::Json, &fault, &request_id, host(headers), "")
}

/// Proves the caller, then calls the operation that was found: a stranger learns nothing about what there is.
async fn serve(
    app: &App,
    between: Option<&dyn Between>,
    incoming: &Incoming<'_>,
    request: &Request,
    request_id: &str,
    now: Timestamp,
    found: Result<(usize, &'static Operation), GatewayError>,
) -> Result<Value, Fault> {
    // Nothing, but in a lab.
    let behind_ms = app.clock.clients_behind_ms();
    let signed = now.plus_millis(-behind_ms);
    let claim = request.claim(signed)?;
    let proven = prove(app, &claim, now, signed).await?;
    let (position, operation) = found?;
    app.throttle.admit(&proven.principal.account, position, now).map_err(too_soon)?;
    let context = Context {
        source_ip: incoming.peer,
        secure_transport: incoming.secure,
        now,
        user_agent: user_agent(incoming.headers),
        principal_arn: proven.principal.arn(),
        access_key_id: claim.access_key_id.to_owned(),
        external_id: None,
        request_tags: Vec::new(),
        resource_tags: Vec::new(),
    };
    let caller = Caller {
        principal: proven.principal,
        policies: proven.policies,
        context,
        action: operation.action,
        request_id: request_id.to_owned(),
        nonce: SpentNonce {
            request: i64::from_ne_bytes(app.chance.bytes()),
            access_key_id: claim.access_key_id.to_owned(),
            nonce: claim.nonce.to_owned(),
            expires: claim.stamped.plus_millis(behind_ms + CLOCK_WINDOW_MS),
        },
        repeats: true,
    };
    let call = Call { app, caller, params: &request.params, now };
    if let Some(between) = between {
        between.meet(operation, &call).await?;
    }
    carry_out(operation, call).await
}

/// Calls the operation, again if it met another transaction.
async fn carry_out(operation: &'static Operation, mut call: Call<'_>) -> Result<Value, Fault> {
    let app = call.app;
    let (mut tries, give_up) = (1, call.now.plus_millis(REPEATS_MS));
    loop {
        call.caller.repeats = tries < TRIES_MAX && app.clock.now() < give_up;
        match (operation.handler)(&call).await {
            Err(fault) if call.caller.repeats && is_conflict(&fault) => {
                tokio::time::sleep(pause(tries, app.chance.bytes())).await;
                tries += 1;
            }
            Err(fault) => {
                // What it rests on may be released and not durable yet; what was lost is decided anew.
                if app.db.settle().await.is_ok() || tries == TRIES_MAX {
                    return Err(fault);
                }
                tries += 1;
            }
            Ok(body) => return Ok(body),
        }
    }
}

fn too_soon(refused: TooSoon) -> GatewayError {
    match refused {
        TooSoon::Account { retry_after_ms } => GatewayError::ThrottlingUser { retry_after_ms },
        TooSoon::Operation { retry_after_ms } => GatewayError::ThrottlingApi { retry_after_ms },
    }
}

fn api(version: &str) -> Option<&'static Api> {
    OPERATIONS.iter().map(|operation| operation.api).find(|api| api.version == version)
}

/// The operation and its position in the table.
fn find(version: &str, action: &str) -> Result<(usize, &'static Operation), GatewayError> {
    let api = api(version).ok_or(GatewayError::InvalidVersion)?;
    OPERATIONS
        .iter()
        .enumerate()
        .find(|(_, operation)| operation.api == api && operation.name == action)
        .ok_or(GatewayError::InvalidActionNotFound)
}

/// API and name of every operation, for the metrics.
fn table() -> Vec<(&'static str, &'static str)> {
    OPERATIONS.iter().map(|operation| (operation.api.name, operation.name)).collect()
}

fn is_conflict(fault: &Fault) -> bool {
    let source = fault.source.as_deref().and_then(|source| source.downcast_ref::<StoreError>());
    matches!(source, Some(StoreError::Conflict))
}

/// Doubling from two milliseconds, half of it by chance.
fn pause(tries: u32, [chance]: [u8; 1]) -> Duration {
    let whole_us = 2_000_u64 << tries.min(8);
    Duration::from_micros(whole_us / 2 + whole_us / 2 * u64::from(chance) / 255)
}

fn host(headers: &HeaderMap) -> &str {
    headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("user-agent")?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_BYTES_MAX).collect())
}

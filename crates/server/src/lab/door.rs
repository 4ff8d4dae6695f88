//! The lab's own listener: JSON over HTTP, for this machine alone.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming as Body;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Lab;
use super::routes::{self, Asked, Problem};
use crate::app::App;

/// The largest body of a request to the lab, in bytes.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// Connections at once.
const CONNECTIONS_MAX: usize = 1_024;

/// How long a client may take to send the headers of a request, or to begin with the next one.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the lab of an App until the task is dropped.
pub async fn serve(app: Arc<App>, lab: Arc<Lab>, tcp: TcpListener) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut serving = JoinSet::new();
    loop {
        while serving.try_join_next().is_some() {}
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let stream = match tcp.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the lab could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        drop(stream.set_nodelay(true));
        let (app, lab) = (Arc::clone(&app), Arc::clone(&lab));
        serving.spawn(async move {
            let service = service_fn(|request| async {
                Ok::<_, Infallible>(respond(answer(&app, &lab, request).await))
            });
            let spoken = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = spoken.await {
                tracing::debug!(%error, "a connection to the lab ended");
            }
            drop(seat);
        });
    }
}

async fn answer(app: &Arc<App>, lab: &Lab, request: Request<Body>) -> Result<Value, Problem> {
    let (head, body) = request.into_parts();
    guard(&head.headers)?;
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let body = body.map_err(|_| Problem::bad("the body took too long"))?;
    let body =
        body.map_err(|_| Problem::full(format!("a body has {BODY_BYTES_MAX} bytes at most")))?.to_bytes();
    let is_toml = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"toml"));
    let query = head.uri.query().unwrap_or_default();
    let asked = Asked { method: head.method.as_str(), path: head.uri.path(), query, body: &body, is_toml };
    routes::answer(app, lab, &asked).await
}

/// Lets programs of this machine in, and no page that a browser on it shows: those send where they come from, or
/// call this address by a name of their own.
fn guard(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_local = name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if is_local && !headers.contains_key(ORIGIN) {
        Ok(())
    } else {
        Err(Problem::new(403, "the lab is for programs of this machine"))
    }
}

fn respond(answer: Result<Value, Problem>) -> Response<Full<Bytes>> {
    let (status, value) = match answer {
        Ok(value) => (StatusCode::OK, value),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, json!({ "error": problem.text }))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{value:#}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(host: &'static str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        guard(&headers).is_ok()
    }

    #[test]
    fn programs_of_this_machine_come_in_and_pages_do_not() {
        for host in ["127.0.0.1:8471", "127.0.0.1", "localhost:1", "[::1]:8471", "[::1]", "127.8.9.1:1"] {
            assert!(lets_in(host, None), "{host}");
            assert!(!lets_in(host, Some("http://localhost:3000")), "{host}");
        }
        for host in ["", "example.com", "example.com:8471", "192.0.2.1:8471", "[2001:db8::1]:1"] {
            assert!(!lets_in(host, None), "{host}");
        }
    }
}

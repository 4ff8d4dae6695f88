//! The listener: bounds what a client can hold or send, and hands complete requests to dispatch.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming as Body};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::App;
use crate::operations::{Incoming, dispatch, refuse};
use crate::wire::fault::{ErrorRow, GatewayError};
use crate::wire::reply::Reply;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 1_024;

/// How long a client may take to send the headers of a request.
pub const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests that are being served may go on after the server was asked to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers of a request, at most.
const HEADERS_MAX: usize = 100;

/// Bytes of a request that are read before they are looked at: bounds its line and headers.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// The path that tells whether the server is up.
const HEALTH_PATH: &str = "/healthz";

/// The vendor documents no words for these two.
const TOO_LARGE: ErrorRow =
    ErrorRow::fixed(413, "RequestEntityTooLarge", "The request body is larger than 1 MiB.");
const TOO_SLOW: ErrorRow = ErrorRow::fixed(408, "RequestTimeout", "The request body took too long.");

/// Serves connections until `stop` comes, then lets those that are busy finish, for
/// [`STOP_TIMEOUT`] at most.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut serving = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        // Connections that have ended.
        while serving.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(Arc::clone(&app), stream, peer);
                let watched = graceful.watch(connection);
                serving.spawn(async move {
                    if let Err(error) = watched.await {
                        tracing::debug!(%peer, %error, "connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    if tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still being served after {STOP_TIMEOUT:?}");
    }
}

fn connection(
    app: Arc<App>,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Answers are small and whole; waiting to fill a packet only delays them.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(answer(&app, request, peer).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
}

async fn answer(app: &App, request: Request<Body>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let refused = |row| respond(refuse(&head.headers, row));
    match head.uri.path() {
        "/" => {}
        HEALTH_PATH => return healthy(),
        _ => return refused(GatewayError::InvalidProductNotFound.row()),
    }
    // What says beforehand that it is too large need not be waited for.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return refused(TOO_LARGE);
    }
    let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return refused(TOO_LARGE),
        Ok(Err(_)) => return refused(GatewayError::InvalidParameterFormat.row()),
        Err(_) => return refused(TOO_SLOW),
    };
    let incoming = Incoming {
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
        body: &body,
        peer: Some(peer.ip()),
    };
    respond(dispatch(app, &incoming).await)
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn healthy() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"ok\n")));
    let kind = HeaderValue::from_static("text/plain;charset=utf-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}

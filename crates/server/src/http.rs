//! The listener: bounds what a client can hold or send, and hands complete requests to dispatch.

mod seats;
mod stall;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming as Body};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::metrics::CONTENT_TYPE;
use crate::operations::{Incoming, MaybeBetween, dispatch_behind, refuse};
use crate::tls::Tls;
use crate::wire::fault::{ErrorRow, GatewayError};
use crate::wire::reply::Reply;
use seats::{Seat, Seats};
use stall::Stall;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 1_024;

/// How long a client may take to agree on TLS.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to send the headers of a request, or to begin with the next one.
pub const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take nothing of an answer.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests that are being served may go on after the server was asked to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers of a request, at most: as many as the library takes if it is told nothing.
pub const HEADERS_MAX: usize = 100;

/// Bytes of the target and the headers of a request. Not much more is ever held of a head.
pub const HEAD_BYTES_MAX: usize = 256 * 1024;

/// The path that tells whether the server is up.
const HEALTH_PATH: &str = "/healthz";

/// The path of the metrics.
const METRICS_PATH: &str = "/metrics";

/// The vendor documents no words for these.
const LONG_HEAD: ErrorRow =
    ErrorRow::fixed(431, "RequestHeaderFieldsTooLarge", "The request head is larger than 256 KiB.");
const TOO_LARGE: ErrorRow =
    ErrorRow::fixed(413, "RequestEntityTooLarge", "The request body is larger than 1 MiB.");
const TOO_SLOW: ErrorRow = ErrorRow::fixed(408, "RequestTimeout", "The request body took too long.");

/// The first byte of whoever greets in TLS.
const TLS_GREETING: u8 = 0x16;

/// What bounds a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// How long a client may take to agree on TLS.
    pub handshake: Duration,
    /// How long it may take to send the headers of a request, or to begin with the next one.
    pub headers: Duration,
    /// How long it may take to send a body.
    pub body: Duration,
    /// How long it may take nothing of an answer.
    pub stall: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            handshake: HANDSHAKE_TIMEOUT,
            headers: HEADERS_TIMEOUT,
            body: BODY_TIMEOUT,
            stall: STALL_TIMEOUT,
        }
    }
}

/// Where the server listens, and how it treats whoever comes.
#[derive(Debug)]
pub struct Listener {
    /// The port.
    pub tcp: TcpListener,
    /// The certificate to show; without one, it is plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// What bounds a connection.
    pub bounds: Bounds,
    /// Who stands between requests and operations.
    pub between: MaybeBetween,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None, bounds: Bounds::default(), between: None }
    }
}

/// What every connection needs.
#[derive(Debug)]
struct Front {
    app: Arc<App>,
    tls: Option<Arc<Tls>>,
    bounds: Bounds,
    between: MaybeBetween,
}

/// The request gets no answer, and the connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the answer is kept back")]
struct KeptBack;

/// What is known of a connection before it has said anything.
#[derive(Debug)]
struct Connection {
    front: Arc<Front>,
    seat: Seat,
    peer: SocketAddr,
    /// Ends when the server is asked to stop.
    stopping: watch::Receiver<()>,
}

/// How a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
    /// In plain HTTP where TLS is spoken.
    Unprotected,
}

/// Serves connections until `stop` comes, then lets those that are busy finish, for
/// [`STOP_TIMEOUT`] at most.
pub async fn serve(app: Arc<App>, listener: impl Into<Listener>, stop: impl Future<Output = ()>) {
    let Listener { tcp, tls, bounds, between } = listener.into();
    let front = Arc::new(Front { app, tls, bounds, between });
    let seats = Seats::new(bounds.connections);
    let graceful = GracefulShutdown::new();
    let (serves, stopping) = watch::channel(());
    let mut serving = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            match tcp.accept().await {
                Ok((stream, peer)) => Ok((stream, peer, seats.take().await)),
                Err(error) => Err(error),
            }
        };
        let accepted = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        // Connections that have ended.
        while serving.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, seat)) => {
                let connection =
                    Connection { front: Arc::clone(&front), seat, peer, stopping: stopping.clone() };
                serving.spawn(connection.serve(stream, graceful.watcher()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((tcp, serves));
    if tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still being served after {STOP_TIMEOUT:?}");
    }
}

impl Connection {
    /// Serves the connection to its end, or until it has to make room.
    async fn serve(mut self, stream: TcpStream, watcher: Watcher) {
        let open = self.front.app.metrics.connection();
        // Answers are small and whole; waiting to fill a packet only delays them.
        drop(stream.set_nodelay(true));
        let Some(tls) = self.front.tls.clone() else {
            self.speak(stream, Way::Plain, watcher).await;
            return drop(open);
        };
        let greeting = async {
            let mut first = [0];
            let greets = stream.peek(&mut first).await? > 0;
            if greets && first[0] != TLS_GREETING {
                return Ok(Err(stream));
            }
            tls.acceptor().accept(stream).await.map(Ok)
        };
        let greeted = tokio::select! {
            greeted = tokio::time::timeout(self.front.bounds.handshake, greeting) => greeted,
            () = self.seat.asked_to_leave() => return,
            _ = self.stopping.changed() => return,
        };
        match greeted {
            Ok(Ok(Ok(stream))) => self.speak(stream, Way::Tls, watcher).await,
            Ok(Ok(Err(stream))) => self.speak(stream, Way::Unprotected, watcher).await,
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "no agreement on TLS"),
            Err(_) => tracing::debug!(peer = %self.peer, "no agreement on TLS in time"),
        }
        drop(open);
    }

    /// Answers one request after the other.
    async fn speak<S>(&self, stream: S, way: Way, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let service = service_fn(|request| answer(self, request, way));
        let bounds = self.front.bounds;
        let spoken = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.headers)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(Stall::new(stream, bounds.stall)), service);
        tokio::select! {
            ended = watcher.watch(spoken) => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %self.peer, %error, "connection ended");
                }
            }
            () = self.seat.asked_to_leave() => {
                tracing::debug!(peer = %self.peer, "connection closed to make room");
            }
        }
    }
}

async fn answer(
    connection: &Connection,
    request: Request<Body>,
    way: Way,
) -> Result<Response<Full<Bytes>>, KeptBack> {
    let Connection { front, seat, peer, .. } = connection;
    let app = &front.app;
    let (head, body) = request.into_parts();
    let refused = |row| Ok(respond(refuse(app, &head.headers, row)));
    if way == Way::Unprotected {
        return refused(GatewayError::InvalidProtocolNeedSsl.row());
    }
    if bytes(&head) > HEAD_BYTES_MAX {
        return refused(LONG_HEAD);
    }
    match head.uri.path() {
        "/" => {}
        HEALTH_PATH => return Ok(plain("text/plain;charset=utf-8", Bytes::from_static(b"ok\n"))),
        METRICS_PATH => {
            let _busy = seat.busy().await;
            let text = app.metrics.read(&app.db, app.clock.now()).await;
            return Ok(plain(CONTENT_TYPE, text.into()));
        }
        _ => return refused(GatewayError::InvalidProductNotFound.row()),
    }
    // What says beforehand that it is too large need not be waited for.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return refused(TOO_LARGE);
    }
    let body = tokio::time::timeout(front.bounds.body, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let body = match body {
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
        secure: way == Way::Tls,
    };
    let _busy = seat.busy().await;
    dispatch_behind(app, &front.between, &incoming).await.map(respond).ok_or(KeptBack)
}

/// The bytes of target and headers, line ends and all.
fn bytes(head: &Parts) -> usize {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    target + headers.sum::<usize>()
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

fn plain(kind: &'static str, text: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text));
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

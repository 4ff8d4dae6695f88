//! HTTP for the S3 client: connections that are kept, TLS, and an end for calls that hang.

use std::error::Error;
use std::io::ErrorKind;
use std::iter::successors;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{TryStreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client, connect::HttpConnector as Tcp};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::ObjectError;
use super::failed;

/// How long a connection may take to come up.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a call may go on without a byte moving. Large bodies may take as long as they need.
const STILL_MAX: Duration = Duration::from_secs(15);

/// How long a connection is kept that nobody uses: less than what servers keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Sends requests.
#[derive(Clone, Debug)]
pub(super) struct Transport(Client<HttpsConnector<Tcp>, Watched>);

impl Transport {
    /// Trusts the authorities in a file, or else those of the machine.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, ObjectError> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = ca {
            for certificate in CertificateDer::pem_file_iter(ca).map_err(failed)? {
                roots.add(certificate.map_err(failed)?).map_err(failed)?;
            }
            if roots.is_empty() {
                return Err(failed(format!("there is no certificate in {}", ca.display())));
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE_MAX).pool_timer(TokioTimer::new());
        Ok(Self(client.build(connector)))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let moved = Arc::new(Notify::new());
        let request = request.map(|body| Watched { body, moved: Arc::clone(&moved) });
        let mut answer = std::pin::pin!(self.0.request(request));
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer.map_err(|error| broken(&error))?.map(watched)),
                () = moved.notified() => {}
                () = tokio::time::sleep(STILL_MAX) => return Err(still()),
            }
        }
    }
}

impl HttpService for Transport {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.clone().send(request))
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// A body that tells when some of it is taken.
struct Watched {
    body: HttpRequestBody,
    moved: Arc<Notify>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.moved.notify_one();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that fails when nothing of it comes for too long.
fn watched(body: Incoming) -> HttpResponseBody {
    let frames = stream::try_unfold(body, async |mut body| {
        let frame = timeout(STILL_MAX, body.frame()).await.map_err(|_| still())?;
        let frame = frame.transpose().map_err(|error| broken(&error))?;
        Ok(frame.map(|frame| (frame, body)))
    });
    HttpResponseBody::new(StreamBody::new(frames.into_stream()))
}

/// A failure that is not tried again at once.
fn still() -> HttpError {
    let text = format!("no byte moved within {STILL_MAX:?}");
    HttpError::new(HttpErrorKind::Unknown, std::io::Error::new(ErrorKind::TimedOut, text))
}

/// Keeps what the error came from in its text, where nothing else would show it.
fn broken(error: &(dyn Error + 'static)) -> HttpError {
    let text: Vec<_> = causes(error).map(ToString::to_string).collect();
    HttpError::new(kind(error), std::io::Error::other(text.join(": ")))
}

/// What kind of failure it was, which tells whether the request may be sent again.
fn kind(error: &(dyn Error + 'static)) -> HttpErrorKind {
    let one = |error: &(dyn Error + 'static)| {
        if error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect) {
            return Some(HttpErrorKind::Connect);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            let is_cut = error.is_closed() || error.is_canceled() || error.is_incomplete_message();
            return (is_cut || error.is_body_write_aborted()).then_some(HttpErrorKind::Request);
        }
        let found = error.downcast_ref::<std::io::Error>()?.kind();
        let is_cut = [
            ErrorKind::ConnectionAborted,
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::UnexpectedEof,
        ];
        is_cut.contains(&found).then_some(HttpErrorKind::Interrupted)
    };
    causes(error).find_map(one).unwrap_or(HttpErrorKind::Unknown)
}

/// An error, and what it came from.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

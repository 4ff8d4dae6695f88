//! A client of the server's own wire form: what the demonstration and the tests call with.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::clock::{Clock, chance};
use crate::wire::encode;
use crate::wire::sign::{Key, sign_v1};
use crate::wire::signature::Secret;

/// A client with one access key and one connection, which it opens when it needs it.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    access_key_id: String,
    secret: Secret,
    security_token: Option<Secret>,
    clock: Clock,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
}

impl Answer {
    /// The error code, if this is a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        if self.status < 400 { None } else { self.body["Code"].as_str() }
    }
}

/// The server could not be reached, or did not answer in JSON.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the server")]
pub struct NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>);

impl NoAnswer {
    fn because(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl Client {
    /// A client for the server at this address.
    #[must_use]
    pub fn new(server: SocketAddr, access_key_id: &str, secret: &str, clock: Clock) -> Self {
        Self {
            server,
            access_key_id: access_key_id.to_owned(),
            secret: Secret::new(secret),
            security_token: None,
            clock,
            connection: Mutex::new(None),
        }
    }

    /// The same client, whose key is a temporary one with this token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { security_token: Some(Secret::new(token)), ..self }
    }

    /// Calls an operation with a signed POST.
    ///
    /// # Errors
    /// [`NoAnswer`]; a refusal is an answer.
    pub async fn call(
        &self,
        version: &str,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Answer, NoAnswer> {
        let mut all = vec![
            ("Action".to_owned(), action.to_owned()),
            ("Version".to_owned(), version.to_owned()),
            ("Format".to_owned(), "JSON".to_owned()),
        ];
        all.extend(params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let nonce = encode::hex(&chance::<16>());
        let key = Key {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            security_token: self.security_token.as_ref().map(Secret::expose),
        };
        let signed = sign_v1(key, "POST", &all, self.clock.now(), &nonce);
        let request = Request::post("/")
            .header("host", self.server.to_string())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(encode::query(
                signed.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            ))))
            .map_err(NoAnswer::because)?;
        self.send(request).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let mut connection = self.connection.lock().await;
        let mut open = match connection.take().filter(|open| !open.sender.is_closed()) {
            Some(open) => open,
            None => connect(self.server).await?,
        };
        open.sender.ready().await.map_err(NoAnswer::because)?;
        let response = open.sender.send_request(request).await.map_err(NoAnswer::because)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(NoAnswer::because)?.to_bytes();
        *connection = Some(open);
        Ok(Answer { status, body: serde_json::from_slice(&body).map_err(NoAnswer::because)? })
    }
}

async fn connect(server: SocketAddr) -> Result<Connection, NoAnswer> {
    let stream = TcpStream::connect(server).await.map_err(NoAnswer::because)?;
    stream.set_nodelay(true).map_err(NoAnswer::because)?;
    let (sender, driving) = handshake(TokioIo::new(stream)).await.map_err(NoAnswer::because)?;
    #[expect(clippy::disallowed_methods, reason = "the connection owns its driver and ends it")]
    let driver = tokio::spawn(async move {
        if let Err(error) = driving.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Ok(Connection { sender, driver })
}

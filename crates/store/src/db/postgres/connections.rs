//! The pool of connections, and what each is told first.

use std::time::Duration;

use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};

use super::super::{Result, StoreError};
use super::address::Address;
use super::errors::{Driver, unavailable};

/// How long a connection is waited for, be it one of the pool or a new one. Some clients give up after three
/// seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// A commit that was acknowledged must outlive the database, and its primary where a standby stands by. A value
/// that waits for more is left alone.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit', true) IN ('off', 'local')";

pub(super) fn pool(address: &Address) -> Result<Pool> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_connect(Config::new(), AnyHost(address.clone()), recycling);
    Pool::builder(manager)
        .max_size(address.connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECT_TIMEOUT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .post_create(Hook::async_fn(|connection, _| {
            Box::pin(async move { connection.batch_execute(DURABLE).await.map_err(HookError::Backend) })
        }))
        .build()
        .map_err(unavailable)
}

/// Connects to whichever host is the first to take it: one that is silent holds nobody up.
struct AnyHost(Address);

impl Connect for AnyHost {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Driver<(Client, JoinHandle<()>)>> {
        let mut tries: FuturesUnordered<_> = self.0.hosts.iter().map(|host| self.connect_to(host)).collect();
        Box::pin(async move {
            loop {
                match tries.next().await {
                    Some(Err(_)) if !tries.is_empty() => {}
                    Some(tried) => return tried,
                    // There is always a host.
                    None => std::future::pending().await,
                }
            }
        })
    }
}

impl AnyHost {
    async fn connect_to(&self, host: &Config) -> Driver<(Client, JoinHandle<()>)> {
        if let Some(tls) = &self.0.tls {
            let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls.as_ref().clone());
            let (client, connection) = host.connect(tls).await?;
            return Ok((client, drive(connection)));
        }
        let (client, connection) = host.connect(tokio_postgres::NoTls).await?;
        Ok((client, drive(connection)))
    }
}

/// Lets a connection work until it ends.
#[expect(
    clippy::disallowed_methods,
    reason = "the pool holds the handle, and ends the task with the connection"
)]
fn drive(connection: impl Future<Output = Driver<()>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the database has ended");
        }
    })
}

/// A connection, an old one or a new one.
pub(super) async fn take(pool: &Pool) -> Result<Object> {
    pool.get().await.map_err(unavailable)
}

/// A new connection: after one was found dead, the others of its time are, too.
pub(super) async fn take_fresh(pool: &Pool) -> Result<Object> {
    pool.retain(|_, _| false);
    take(pool).await
}

/// Looks whether the database can be used; gives whether it compares texts byte by byte.
pub(super) async fn examine(pool: &Pool) -> Result<bool> {
    let connection = take(pool).await?;
    let rows = connection
        .query("SELECT current_setting('server_encoding'), 'a' < 'B'", &[])
        .await
        .map_err(unavailable)?;
    let row = rows.first().ok_or_else(|| unavailable("no answer"))?;
    let encoding: &str = row.try_get(0).map_err(unavailable)?;
    if !encoding.eq_ignore_ascii_case("utf8") {
        return Err(StoreError::Unavailable(
            format!("its encoding is {encoding}; make the database with ENCODING 'UTF8'").into(),
        ));
    }
    let by_language: bool = row.try_get(1).map_err(unavailable)?;
    Ok(!by_language)
}

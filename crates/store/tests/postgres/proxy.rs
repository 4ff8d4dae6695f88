//! A way to the database that can be cut, held up, and counted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Listens, and hands on to the database. Ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// Nothing is handed on.
    held: AtomicBool,
    /// New connections are closed at once.
    closed: AtomicBool,
    trips: AtomicUsize,
    bytes: AtomicUsize,
    connections: Mutex<Vec<AbortHandle>>,
}

impl Proxy {
    pub async fn to(url: &str) -> Self {
        let target: tokio_postgres::Config = url.parse().unwrap();
        let port = target.get_ports()[0];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if shared.closed.load(Ordering::SeqCst) {
                    continue;
                }
                let database = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let handle = serving.spawn(hand_on(client, database, Arc::clone(&shared)));
                shared.connections.lock().unwrap().push(handle);
            }
        });
        Self { address, state, _tasks: tasks }
    }

    /// The address of the database by way of this.
    pub fn url(&self, url: &str) -> String {
        let target: tokio_postgres::Config = url.parse().unwrap();
        let old = format!("127.0.0.1:{}", target.get_ports()[0]);
        assert!(url.contains(&old));
        url.replace(&old, &self.address.to_string())
    }

    /// How often something was sent to the database after it had answered, or for the first time. The end of a
    /// transaction that nobody waits for does not count.
    pub fn trips(&self) -> usize {
        self.state.trips.load(Ordering::SeqCst)
    }

    /// How many bytes went either way.
    pub fn bytes(&self) -> usize {
        self.state.bytes.load(Ordering::SeqCst)
    }

    /// Hands nothing on any more, or everything again.
    pub fn hold(&self, held: bool) {
        self.state.held.store(held, Ordering::SeqCst);
    }

    /// Closes every connection, and new ones, too, until it is opened.
    pub fn close(&self) {
        self.state.closed.store(true, Ordering::SeqCst);
        self.cut();
    }

    pub fn open(&self) {
        self.state.closed.store(false, Ordering::SeqCst);
    }

    /// Closes the connections that there are.
    pub fn cut(&self) {
        self.state.connections.lock().unwrap().drain(..).for_each(|connection| connection.abort());
    }
}

async fn hand_on(mut client: TcpStream, mut database: TcpStream, state: Arc<State>) {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut answered = true;
    loop {
        let (bytes, to) = tokio::select! {
            read = client.read(&mut up) => {
                let sent = &up[..read.unwrap_or(0)];
                if !is_ending(sent) && std::mem::take(&mut answered) {
                    state.trips.fetch_add(1, Ordering::SeqCst);
                }
                (sent, &mut database)
            }
            read = database.read(&mut down) => {
                answered = true;
                (&down[..read.unwrap_or(0)], &mut client)
            }
        };
        while state.held.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        state.bytes.fetch_add(bytes.len(), Ordering::SeqCst);
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// Whether these bytes are nothing but the end of a transaction, as a statement by itself.
fn is_ending(sent: &[u8]) -> bool {
    [&b"Q\0\0\0\x0dROLLBACK\0"[..], b"Q\0\0\0\x0bCOMMIT\0"].contains(&sent)
}

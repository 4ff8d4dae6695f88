//! The front of the server under bytes that nobody should send: against the real listeners, in this process.
//!
//! However odd a request is, nothing panics, nothing is answered with the server's own failure, each connection is
//! answered or closed in time, memory does not grow, and whoever behaves is served all the while.
//!
//! `CALOTYPE_FUZZ_SECONDS` sets how long it runs. Each case follows from a seed of its own, which is told when it
//! fails: `CALOTYPE_FUZZ_SEED` begins with that case.

#![expect(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

#[path = "fuzz/make.rs"]
mod make;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/replies.rs"]
mod replies;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use calotype::app::App;
use calotype::client::Client;
use calotype::clock::{Chance, Clock};
use calotype::config::{Config, Overrides, TlsSource};
use calotype::http::{self, Bounds, Listener};
use calotype::tls::{self, Tls};
use calotype_core::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use make::{Case, Pace, make};

/// How long it runs if nothing else is said.
const SECONDS: u64 = 5;

/// Cases that are under way at once.
const CLIENTS: usize = 24;

/// How long the server may wait for a client here.
const WAIT: Duration = Duration::from_millis(250);

/// How long a connection may stay open when nothing more is said: several waits, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// By how much memory may grow from the first half to the end: what cases under way hold, and no more.
const GROWTH_BYTES_MAX: u64 = 48 << 20;

/// The one who behaves, and whose requests are spoiled.
pub const KEY: (&str, &str) = ("ak-fuzz", "secret-of-fuzz");

/// The time of the server, which stands still.
pub const NOW: &str = "2026-03-27T08:09:10Z";

const CONFIG: &str = "[[account]]\nid = '1000000000000001'\n\
    [[account.access_key]]\nid = 'ak-fuzz'\nsecret = 'secret-of-fuzz'\n\
    [throttling]\naccount_per_second = 0\noperation_per_second = 0\n";

/// A server that listens in both ways, and what is noticed about it.
struct Target {
    plain: SocketAddr,
    secure: SocketAddr,
    good: Client,
    panics: Arc<AtomicUsize>,
    /// How often each status came back.
    statuses: Mutex<BTreeMap<u16, usize>>,
    _serving: JoinSet<()>,
}

impl Target {
    async fn start(folder: &Path) -> Self {
        let file = folder.join("calotype.toml");
        std::fs::write(&file, CONFIG).unwrap();
        let data = folder.join("data");
        let overrides = Overrides { config: Some(file), data: Some(data.clone()), ..Overrides::default() };
        let config = Config::load(&overrides, |_| None).unwrap();
        let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
        let app = App::open(config, clock.clone()).await.unwrap();
        // A connection is answered or closed sooner than here is waited for.
        let bounds =
            Bounds { connections: 2 * CLIENTS, handshake: WAIT, headers: WAIT, body: WAIT, stall: WAIT };
        let mut serving = JoinSet::new();
        let mut listen = async |tls: Option<Arc<Tls>>| {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = tcp.local_addr().unwrap();
            let listener = Listener { tls, bounds, ..Listener::from(tcp) };
            serving.spawn(http::serve(Arc::clone(&app), listener, std::future::pending()));
            address
        };
        let plain = listen(None).await;
        let source = TlsSource::SelfSigned { names: Vec::new() };
        let shown = tls::load(&source, &data, plain, clock.now()).unwrap();
        let secure = listen(Some(Arc::new(Tls::new(shown)))).await;
        let good = Client::new(plain, KEY.0, KEY.1, clock);
        let (panics, statuses) = (noticed_panics(), Mutex::default());
        Self { plain, secure, good, panics, statuses, _serving: serving }
    }

    /// Sends a case and gives what came back.
    async fn send(&self, case: &Case) -> Vec<u8> {
        let address = if case.to_tls { self.secure } else { self.plain };
        let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
        let sending = async {
            for piece in case.pieces() {
                if writing.write_all(piece).await.is_err() {
                    break;
                }
                if case.pace == Pace::Slow {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            match case.pace {
                Pace::Abrupt => drop(writing),
                Pace::HalfClosed | Pace::Slow => {
                    let _ = writing.shutdown().await;
                    std::future::pending::<()>().await;
                }
                Pace::Open => std::future::pending::<()>().await,
            }
            std::future::pending::<()>().await;
        };
        let receiving = async {
            let mut received = Vec::new();
            // Hanging up on somebody who is still sending resets the connection, which is as good.
            let _ = reading.read_to_end(&mut received).await;
            received
        };
        let exchange = async {
            tokio::select! {
                received = receiving => received,
                () = sending => Vec::new(),
            }
        };
        timeout(PATIENCE, exchange).await.expect("the connection is answered or closed")
    }

    fn count(&self, statuses: Vec<u16>) {
        let mut counts = self.statuses.lock().unwrap();
        for status in statuses {
            *counts.entry(status).or_default() += 1;
        }
    }

    /// Whether a client that behaves is served.
    async fn serves(&self) -> bool {
        // A kept connection may have had to make room.
        for _ in 0..3 {
            let calling = self.good.call("2017-11-10", "DescribeImages", &[]);
            if let Ok(Ok(answer)) = timeout(PATIENCE, calling).await {
                return answer.status == 200;
            }
        }
        false
    }
}

/// Counts panics, wherever they are, besides telling about them.
fn noticed_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let (counting, tell) = (Arc::clone(&panics), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        // What this test itself finds is told by it.
        let by_test = info.location().is_some_and(|place| place.file().contains("tests/fuzz"));
        counting.fetch_add(usize::from(!by_test), Ordering::SeqCst);
        tell(info);
    }));
    panics
}

/// The memory of this process that is in use.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Runs cases until the time is over.
async fn run(target: Arc<Target>, next: Arc<AtomicU64>, until: Instant) {
    while Instant::now() < until {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        let case = make(&Chance::seeded(seed));
        let received = target.send(&case).await;
        let panics = target.panics.load(Ordering::SeqCst);
        match replies::check(&received, case.to_tls) {
            Ok(statuses) => target.count(statuses),
            Err(error) => panic!(
                "CALOTYPE_FUZZ_SEED={seed}: {error}\nsent {}\ngot {}",
                shown(&case.bytes),
                shown(&received)
            ),
        }
        assert_eq!(panics, 0, "at or before CALOTYPE_FUZZ_SEED={seed}, sent {}", shown(&case.bytes));
        if seed.is_multiple_of(64) {
            assert!(target.serves().await, "after CALOTYPE_FUZZ_SEED={seed}, sent {}", shown(&case.bytes));
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    let beginning = bytes[..bytes.len().min(1_500)].escape_ascii();
    format!("{} bytes: {beginning}", bytes.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_bytes_are_answered_or_hung_up_on() {
    let seconds = variable("CALOTYPE_FUZZ_SECONDS").unwrap_or(SECONDS);
    let by_chance = || u64::from_le_bytes(calotype::clock::chance::<8>()) >> 8;
    let seed = variable("CALOTYPE_FUZZ_SEED").unwrap_or_else(by_chance);
    println!("CALOTYPE_FUZZ_SEED={seed}, {seconds} s");
    let folder = tempfile::tempdir().unwrap();
    let target = Arc::new(Target::start(folder.path()).await);
    assert!(target.serves().await);

    let (next, started) = (Arc::new(AtomicU64::new(seed)), Instant::now());
    let mut halfway = 0;
    for half in 1..=2 {
        let until = started + Duration::from_millis(seconds * 500 * half);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(run(Arc::clone(&target), Arc::clone(&next), until));
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        let resident = resident_bytes();
        println!("{} cases, {} KiB resident", next.load(Ordering::SeqCst) - seed, resident / 1_024);
        if half == 1 {
            halfway = resident;
        } else {
            assert!(resident < halfway + GROWTH_BYTES_MAX, "memory grew from {halfway} to {resident} bytes");
        }
    }
    assert!(target.serves().await);
    assert_eq!(target.panics.load(Ordering::SeqCst), 0);
    // What is spoiled must not be all that comes: some of it gets through to the operations.
    let statuses = target.statuses.lock().unwrap();
    println!("{statuses:?}");
    assert!([200, 400, 403, 404].iter().all(|status| statuses.contains_key(status)), "{statuses:?}");
}

//! Clients that hold connections without using them: slow ones, silent ones, and many of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use calotype::http::{self, Bounds, Listener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::World;
use crate::support::raw::{V1, exchange};

/// Times that a test can wait for.
const SHORT: Duration = Duration::from_millis(400);

/// As long as anything here may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

fn bounds() -> Bounds {
    Bounds { headers: SHORT, body: SHORT, stall: SHORT, ..Bounds::default() }
}

/// Another listener of the world's App, with bounds of its own. It ends when the set is dropped.
async fn listen(world: &World, bounds: Bounds) -> (SocketAddr, JoinSet<()>) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener { bounds, ..Listener::from(tcp) };
    let mut serving = JoinSet::new();
    serving.spawn(http::serve(Arc::clone(&world.app), listener, std::future::pending()));
    (address, serving)
}

async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until the server hangs up.
async fn to_its_end(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    // Hanging up on somebody who is still sending may reset the connection.
    drop(read.expect("the server hangs up"));
    String::from_utf8_lossy(&received).into_owned()
}

/// Whether a client who behaves is served.
async fn is_served(world: &World, address: SocketAddr) -> bool {
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let bytes = v1.bytes(world, "DescribeEnsRegions", &[]);
    let reply = tokio::time::timeout(PATIENCE, exchange(address, &bytes)).await;
    reply.is_ok_and(|reply| reply.status == 200)
}

#[test]
fn the_bounds_are_those_of_the_document() {
    let Bounds { connections, handshake, headers, body, stall } = Bounds::default();
    let seconds = [handshake, headers, body, stall].map(|bound| bound.as_secs());
    assert_eq!((connections, seconds), (1_024, [10, 15, 30, 30]));
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let world = World::new().await;
    let (address, _serving) = listen(&world, bounds()).await;
    for said in ["", "G", "POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: x\r\nx-slow:"] {
        let since = Instant::now();
        let stream = connect(address, said.as_bytes()).await;
        let received = to_its_end(stream).await;
        assert!(since.elapsed() >= SHORT, "{said:?}: after {:?}", since.elapsed());
        assert!(received.is_empty() || received.starts_with("HTTP/1.1 408 "), "{said:?}: {received}");
    }
}

#[tokio::test]
async fn who_has_been_answered_and_says_nothing_more_is_not_waited_for() {
    let world = World::new().await;
    let (address, _serving) = listen(&world, bounds()).await;
    let stream = connect(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let received = to_its_end(stream).await;
    assert!(received.starts_with("HTTP/1.1 200 ") && received.ends_with("ok\n"), "{received}");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_refused_in_time() {
    let world = World::new().await;
    let (address, _serving) = listen(&world, bounds()).await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let (mut reading, mut writing) = connect(address, head.as_bytes()).await.into_split();
    let mut trickling = JoinSet::new();
    trickling.spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 20).await;
        }
    });
    let mut received = vec![0; 4_096];
    let count = tokio::time::timeout(PATIENCE, reading.read(&mut received)).await.unwrap().unwrap();
    let received = String::from_utf8_lossy(&received[..count]).into_owned();
    assert!(received.starts_with("HTTP/1.1 408 ") && received.contains("RequestTimeout"), "{received}");
}

/// Somebody asks a lot and takes nothing of the answers.
#[tokio::test]
async fn who_does_not_take_its_answers_is_given_up() {
    let world = World::new().await;
    let (address, _serving) = listen(&world, bounds()).await;
    let (_reading, mut writing) = connect(address, b"").await.into_split();
    let requests = "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    // At some time nothing more is taken from the client either; then the server hangs up.
    let asking = async { while writing.write_all(requests.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, asking).await.expect("the server hangs up");
    assert!(is_served(&world, address).await);
}

/// As many connections as there may be, and all of them wait: whoever comes next is served all the same.
#[tokio::test]
async fn many_who_say_nothing_keep_nobody_out() {
    let world = World::new().await;
    let places = 64;
    let bounds = Bounds { connections: places, ..Bounds::default() };
    let (address, _serving) = listen(&world, bounds).await;
    let mut slow = Vec::new();
    for number in 0..4 * places {
        let said = ["", "POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nxx"];
        slow.push(connect(address, said[number % 3].as_bytes()).await);
        if number % 16 == 0 {
            let since = Instant::now();
            assert!(is_served(&world, address).await, "with {number} slow ones");
            assert!(since.elapsed() < PATIENCE / 2, "{:?} with {number} slow ones", since.elapsed());
        }
    }
    // Those that came first had to leave.
    let left = to_its_end(slow.remove(0)).await;
    assert_eq!(left, "");
}

/// What is being carried out is not cut off, however many press in.
#[tokio::test]
async fn who_is_being_served_does_not_make_room() {
    let world = World::new().await;
    let bounds = Bounds { connections: 4, ..Bounds::default() };
    let (address, _serving) = listen(&world, bounds).await;
    // Writers wait for the turn that this transaction has.
    let tx = world.app.db.begin().await.unwrap();
    let key = world.put(&crate::support::disk("x"));
    let v1 = V1 { method: "POST", in_form: true, format: "JSON" };
    let mut busy = JoinSet::new();
    for _ in 0..4 {
        let bytes = v1.bytes(&world, "ImportImage", &crate::support::import_params(&key));
        busy.spawn(async move { exchange(address, &bytes).await.status });
    }
    let mut pressing = Vec::new();
    tokio::time::sleep(SHORT).await;
    for _ in 0..20 {
        pressing.push(connect(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await);
    }
    tokio::time::sleep(SHORT).await;
    drop(tx);
    let mut served = Vec::new();
    while let Some(status) = busy.join_next().await {
        served.push(status.unwrap());
    }
    assert_eq!(served, [200; 4]);
    assert!(is_served(&world, address).await);
}

/// An idle connection is used again as long as there is room.
#[tokio::test]
async fn a_connection_is_kept_while_there_is_room() {
    let world = World::new().await;
    let (address, _serving) = listen(&world, Bounds { connections: 2, ..Bounds::default() }).await;
    let mut stream = connect(address, b"").await;
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut received = [0; 4_096];
        let count = stream.read(&mut received).await.unwrap();
        assert!(received[..count].ends_with(b"ok\n"));
        assert!(is_served(&world, address).await);
    }
}

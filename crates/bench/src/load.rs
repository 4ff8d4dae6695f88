//! Load: requests that were made ahead, sent over connections that stay open.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio::time::Instant;

use crate::Outcome;
use crate::server::keeps_to_one_of_its_own;

/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Requests as they go over the wire, each with the status that it must get.
pub type Requests = Vec<(Vec<u8>, u16)>;

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each connection sends the next one when it has the answer of the last.
    Closed,
    /// One is due after each interval, and whoever comes late counts from when it was due.
    Every(Duration),
}

/// How a load went.
#[derive(Debug)]
pub struct Answered {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The time that each request took, in order of length.
    pub latencies: Vec<Duration>,
}

impl Answered {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time that this part of the requests took at most.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        let position = (self.latencies.len() as f64 * part) as usize;
        self.latencies[position.min(self.latencies.len() - 1)]
    }
}

/// Sends all requests over so many connections at once.
///
/// # Errors
/// A text if a connection fails or an answer has another status than it must have.
pub async fn send(
    server: SocketAddr,
    connections: usize,
    requests: Requests,
    pace: Pace,
) -> Outcome<Answered> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(server).await?);
    }
    let (requests, next) = (Rc::new(requests), Rc::new(Cell::new(0)));
    let began = Instant::now();
    let tasks = LocalSet::new();
    let mut sending = JoinSet::new();
    for mut connection in open {
        let (requests, next) = (Rc::clone(&requests), Rc::clone(&next));
        sending.spawn_local_on(
            async move {
                let mut latencies = Vec::new();
                loop {
                    let number = next.get();
                    let Some((request, status)) = requests.get(number) else { return Ok(latencies) };
                    next.set(number + 1);
                    let due = due(began, number, pace).await;
                    connection.ask(request, *status).await?;
                    latencies.push(due.elapsed());
                }
            },
            &tasks,
        );
    }
    let mut latencies = Vec::with_capacity(requests.len());
    let all = async {
        while let Some(sent) = sending.join_next().await {
            let sent: Outcome<Vec<Duration>> = sent.map_err(|error| error.to_string())?;
            latencies.extend(sent?);
        }
        Ok::<_, String>(())
    };
    let all = async {
        tokio::select! {
            biased;
            sent = all => sent,
            () = stay_awake(keeps_to_one_of_its_own()) => Ok(()),
        }
    };
    tasks.run_until(all).await?;
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    Ok(Answered { elapsed, latencies })
}

/// Sends one request over a connection of its own, and gives its answer, which must be a good one.
///
/// # Errors
/// A text.
pub async fn ask(server: SocketAddr, request: &[u8]) -> Outcome<String> {
    let mut connection = Connection::open(server).await?;
    connection.ask(request, 200).await?;
    Ok(String::from_utf8_lossy(&connection.answer).into_owned())
}

/// Never ends, and keeps the thread from sleeping: else a server that is slower than the load would have to wake it for
/// each answer, which costs as much as the answer.
async fn stay_awake(wanted: bool) {
    if !wanted {
        std::future::pending::<()>().await;
    }
    loop {
        yield_now().await;
    }
}

/// Waits until the request may be sent; gives from when its time counts.
async fn due(began: Instant, number: usize, pace: Pace) -> Instant {
    let Pace::Every(interval) = pace else { return Instant::now() };
    let due = began + interval * u32::try_from(number).unwrap_or(u32::MAX);
    // Timers are too coarse for this.
    while Instant::now() < due {
        yield_now().await;
    }
    due
}

/// An open connection, and the answer that is being read.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(server: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(server).await.map_err(|error| format!("{server}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, answer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer, which must have this status.
    async fn ask(&mut self, request: &[u8], status: u16) -> Outcome {
        self.stream.write_all(request).await.map_err(|error| error.to_string())?;
        self.answer.clear();
        let mut length = None;
        while length.is_none_or(|length| self.answer.len() < length) {
            let read = self.stream.read_buf(&mut self.answer).await.map_err(|error| error.to_string())?;
            if read == 0 || self.answer.len() > ANSWER_BYTES_MAX {
                return Err(format!("no whole answer: {}", String::from_utf8_lossy(&self.answer)));
            }
            length = length.or_else(|| answer_length(&self.answer));
        }
        if self.answer.get(9..12) == Some(status.to_string().as_bytes()) {
            Ok(())
        } else {
            Err(format!("not {status}: {}", String::from_utf8_lossy(&self.answer)))
        }
    }
}

/// The length of an answer, head and body, once its head is there.
fn answer_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = answer[..head].split(|byte| *byte == b'\n');
    let length = lines.find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"content-length")
            .then(|| std::str::from_utf8(&value[1..]).ok()?.trim().parse().ok())?
    });
    Some(head + 4 + length.unwrap_or(0))
}

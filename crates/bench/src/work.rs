//! Works: a kind of request, so many of them in a repetition. Several take turns.

use std::cell::Cell;
use std::time::Duration;

use crate::Outcome;
use crate::calls::Signing;
use crate::disk::written_bytes;
use crate::load::{self, Pace, Requests};
use crate::measured::{Sample, Samples};
use crate::requests::Request;
use crate::server::Server;

/// Works take turns so often.
pub const ROUNDS: usize = 5;

/// A repetition takes about so long at most, unless it has fewer requests than this.
const REPETITION: Duration = Duration::from_millis(1_500);
const COUNT_MIN: u64 = 50;

/// A server counts as quiet when it has used less than this in a pause, and is not waited for longer than that.
const QUIET: Duration = Duration::from_micros(300);
const PAUSE: Duration = Duration::from_millis(15);
const PAUSES_MAX: u32 = 200;

/// A kind of request, and how many are sent in a repetition.
pub struct Work<'a> {
    /// Its name.
    pub name: &'static str,
    count: Cell<u64>,
    request: Box<dyn Fn(u64) -> Request + 'a>,
    next: Cell<u64>,
}

impl<'a> Work<'a> {
    /// A work. Requests are numbered on from one repetition to the next.
    pub fn new(name: &'static str, count: u64, request: impl Fn(u64) -> Request + 'a) -> Self {
        Self { name, count: Cell::new(count), request: Box::new(request), next: Cell::new(0) }
    }

    /// The next requests, signed now.
    fn requests(&self, count: u64, server: &Server, signing: Signing) -> Requests {
        let first = self.next.replace(self.next.get() + count);
        let numbers = first..first + count;
        let signed = numbers.map(|number| {
            let (operation, status) = (self.request)(number);
            (operation.request(server.address, signing), status)
        });
        signed.collect()
    }
}

/// How requests are sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Over so many connections.
    pub connections: usize,
    /// Signed like this.
    pub signing: Signing,
    /// At this pace.
    pub pace: Pace,
}

impl Load {
    /// As fast as answers come, with the older signature.
    #[must_use]
    pub fn over(connections: usize) -> Self {
        Self { connections, signing: Signing::V1, pace: Pace::Closed }
    }
}

/// One repetition of a work. What the server does afterwards, such as moving pages, counts too.
///
/// # Errors
/// A text.
pub async fn once(server: &Server, work: &Work<'_>, load: Load) -> Outcome<Sample> {
    part(server, work, work.count.get(), load).await
}

/// A tenth of a repetition, so that caches and connections are as they will be; gives how many requests that is. What
/// would take too long is made shorter.
///
/// # Errors
/// A text.
pub async fn warm(server: &Server, work: &Work<'_>, load: Load) -> Outcome<f64> {
    let count = (work.count.get() / 10).max(1);
    let sample = part(server, work, count, load).await?;
    let most = (sample.rate * REPETITION.as_secs_f64()) as u64;
    work.count.set(work.count.get().min(most.max(COUNT_MIN)));
    Ok(count as f64)
}

async fn part(server: &Server, work: &Work<'_>, count: u64, load: Load) -> Outcome<Sample> {
    let requests = work.requests(count, server, load.signing);
    let count = requests.len() as f64;
    let (written, before) = (written_bytes(&server.data)?, server.cpu()?);
    let answered = load::send(server.address, load.connections, requests, load.pace)
        .await
        .map_err(|error| format!("{}: {error}", work.name))?;
    let after = quiet(server).await?;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    Ok(Sample {
        rate: answered.rate(),
        cpu_us: micros(after.saturating_sub(before)) / count,
        written: (written_bytes(&server.data)? - written) / count,
        p50_us: micros(answered.quantile(0.5)),
        p99_us: micros(answered.quantile(0.99)),
    })
}

/// All works, one after the other, again and again.
///
/// # Errors
/// A text.
pub async fn take_turns(server: &Server, works: &[Work<'_>], load: Load) -> Outcome<Samples> {
    let mut samples = Samples::default();
    for work in works {
        warm(server, work, load).await?;
    }
    for _ in 0..ROUNDS {
        for work in works {
            samples.push(work.name, once(server, work, load).await?);
        }
    }
    Ok(samples)
}

/// Waits until the server does nothing more; gives its time on processors by then.
///
/// # Errors
/// A text.
pub async fn quiet(server: &Server) -> Outcome<Duration> {
    let mut last = server.cpu()?;
    for _ in 0..PAUSES_MAX {
        tokio::time::sleep(PAUSE).await;
        let now = server.cpu()?;
        if now.saturating_sub(last) < QUIET {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

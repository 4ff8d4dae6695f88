//! The places that connections take: so many, and under pressure those that do nothing make room.
//!
//! A connection is busy while its request is being carried out, and waiting otherwise: between requests, while
//! a head or a body trickles in, while an answer is taken slowly. When all places are taken and somebody new
//! comes, the one that has been waiting longest has to leave. So nobody keeps others out by connecting and saying
//! nothing, and nothing that is being carried out is cut off.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How long to wait for a place before somebody is asked to leave again: all may have been busy.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Its request is being carried out.
const BUSY: u64 = 0;

/// It has been asked to leave.
const LEAVING: u64 = 1;

/// The first moment. Moments are counted, not measured.
const FIRST: u64 = 2;

/// The places.
#[derive(Debug)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
    taken: Arc<Taken>,
}

#[derive(Debug)]
struct Taken {
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    moment: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    /// [`BUSY`], [`LEAVING`], or the moment since which it has been waiting.
    state: AtomicU64,
    leave: Notify,
}

/// The place of one connection, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    connection: Arc<Connection>,
    taken: Arc<Taken>,
    _permit: OwnedSemaphorePermit,
}

/// A connection is busy as long as this is kept.
#[derive(Debug)]
pub(super) struct Busy<'s>(&'s Seat);

impl Seats {
    pub(super) fn new(places: usize) -> Self {
        let taken = Taken { connections: Mutex::default(), moment: AtomicU64::new(FIRST) };
        Self { free: Arc::new(Semaphore::new(places)), taken: Arc::new(taken) }
    }

    /// Takes a place, and waits for one if there is none.
    pub(super) async fn take(&self) -> Seat {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                break permit;
            }
            self.taken.ask_one_to_leave();
            let permit = tokio::time::timeout(LOOK_AGAIN, Arc::clone(&self.free).acquire_owned()).await;
            if let Ok(Ok(permit)) = permit {
                break permit;
            }
        };
        let number = self.taken.next();
        let connection = Arc::new(Connection { state: AtomicU64::new(number), leave: Notify::new() });
        self.taken.lock().insert(number, Arc::clone(&connection));
        Seat { number, connection, taken: Arc::clone(&self.taken), _permit: permit }
    }
}

impl Seat {
    /// Says that the request is carried out from now on. One that has to leave does not get this far.
    pub(super) async fn busy(&self) -> Busy<'_> {
        let take = |state| (state != LEAVING).then_some(BUSY);
        let order = Ordering::SeqCst;
        if self.connection.state.fetch_update(order, order, take).is_err() {
            std::future::pending::<()>().await;
        }
        Busy(self)
    }

    /// Returns when the connection has to make room.
    pub(super) async fn asked_to_leave(&self) {
        self.connection.leave.notified().await;
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.connection.state.store(self.0.taken.next(), Ordering::SeqCst);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.taken.lock().remove(&self.number);
    }
}

impl Taken {
    /// Asks the one that has been waiting longest.
    fn ask_one_to_leave(&self) {
        loop {
            let waiting = |connection: &Arc<Connection>| {
                let since = connection.state.load(Ordering::SeqCst);
                (since >= FIRST).then(|| (since, Arc::clone(connection)))
            };
            let longest = self.lock().values().filter_map(waiting).min_by_key(|(since, _)| *since);
            let Some((since, connection)) = longest else { return };
            let order = Ordering::SeqCst;
            if connection.state.compare_exchange(since, LEAVING, order, order).is_ok() {
                connection.leave.notify_one();
                return;
            }
        }
    }

    fn next(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a future is done without waiting.
    async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(1), future).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_waits_longest_makes_room() {
        let seats = Seats::new(3);
        let (one, two, three) = (seats.take().await, seats.take().await, seats.take().await);
        // The first has said something since.
        drop(one.busy().await);
        let next = tokio::join!(at_once(seats.take()), async {
            assert!(at_once(two.asked_to_leave()).await.is_some());
            drop(two);
        });
        assert!(next.0.is_some() || at_once(seats.take()).await.is_some());
        assert!(at_once(one.asked_to_leave()).await.is_none());
        assert!(at_once(three.asked_to_leave()).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_busy_stays() {
        let seats = Seats::new(1);
        let seat = seats.take().await;
        let busy = seat.busy().await;
        let (next, asked) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(1), seats.take()),
            at_once(seat.asked_to_leave())
        );
        assert!(next.is_err() && asked.is_none());
        drop(busy);
        // Now it is not, and is asked when somebody looks again.
        let (_next, ()) = tokio::join!(seats.take(), async {
            seat.asked_to_leave().await;
            assert!(at_once(seat.busy()).await.is_none(), "nothing begins any more");
            drop(seat);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back() {
        let seats = Seats::new(1);
        for _ in 0..100 {
            let seat = seats.take().await;
            drop(seat.busy().await);
        }
        assert!(seats.taken.lock().is_empty());
    }
}

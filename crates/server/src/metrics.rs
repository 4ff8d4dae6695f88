//! What is counted while the server runs, and how Prometheus reads it.
//!
//! Everything on the way of a request is resolved beforehand: to count is to add to a number, without a lock. What
//! the rows know (what is pending, what waits) is not counted but asked for when somebody reads.

mod labelled;
mod requests;
mod scrape;

use std::sync::Arc;

use calotype_core::ids::RegionId;
use calotype_core::image::Product;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;

use labelled::Labelled;

pub use requests::{Counting, Requests};
pub use scrape::CONTENT_TYPE;

/// What stands in front of every name.
const PREFIX: &str = "calotype";

/// How a decision about a delete may end; what is neither accepted nor one of the next three is a kind of refusal.
const OUTCOMES: [&str; 15] = [
    ACCEPTED,
    DENIED,
    FAILED,
    UNKNOWN,
    "bundled",
    "community_parent",
    "created_use",
    "exporting",
    "making",
    "not_found",
    "public",
    "replayed",
    "shared_in",
    "shared_out",
    "switched_use",
];

/// The image is deleted.
pub const ACCEPTED: &str = "accepted";

/// RAM does not allow it.
pub const DENIED: &str = "denied";

/// Something did not do its part, and nothing was changed.
pub const FAILED: &str = "failed";

/// Nobody knows whether it was done: the answer to the commit was lost.
pub const UNKNOWN: &str = "unknown";

/// What is done to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Its bytes are written.
    Fill,
    /// Its bytes are erased.
    Erase,
}

impl Task {
    /// The word for it in labels.
    const fn label(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Erase => "erase",
        }
    }
}

/// How an attempt at a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// As it should.
    Done,
    /// It failed, and is tried again.
    Retry,
    /// It failed for good. Nothing gives up erasing.
    Failed,
    /// Its end was not recorded: another worker has the task by now, or the store did not answer.
    Lost,
}

impl Attempt {
    /// The word for it in labels.
    const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// Every kind of task with every end that it may have.
const TASKS: [(Task, Attempt); 7] = [
    (Task::Fill, Attempt::Done),
    (Task::Fill, Attempt::Retry),
    (Task::Fill, Attempt::Failed),
    (Task::Fill, Attempt::Lost),
    (Task::Erase, Attempt::Done),
    (Task::Erase, Attempt::Retry),
    (Task::Erase, Attempt::Lost),
];

/// The metrics of one App.
#[derive(Debug)]
pub struct Metrics {
    /// The requests.
    pub requests: Requests,
    registry: Registry,
    decisions: Labelled<2, Counter>,
    tasks: Labelled<3, Counter>,
    erased_bytes: Labelled<1, Counter>,
    connections: Gauge,
    /// Held by whoever asks the store: readers of metrics must not pile up in front of it.
    asking: Arc<Mutex<()>>,
    regions: Vec<RegionId>,
}

impl Metrics {
    /// Metrics of a server that works in these regions.
    pub fn new<'a>(regions: impl IntoIterator<Item = &'a RegionId>) -> Self {
        let regions: Vec<RegionId> = regions.into_iter().cloned().collect();
        let mut registry = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", build);
        let requests = Requests::registered(&mut registry);
        let decisions = Labelled::new(["product", "outcome"], decision_labels());
        let help = "Decisions of DeleteImage and DeleteImages: accepted, or why not";
        registry.register("delete_decisions", help, decisions.clone());
        let tasks = Labelled::new(["region", "kind", "outcome"], task_labels(&regions));
        registry.register("tasks", "Attempts to write or erase the bytes of a replica", tasks.clone());
        let by_region = regions.iter().map(|region| [region.as_str().to_owned()]);
        let erased_bytes = Labelled::new(["region"], by_region);
        let help = "Bytes of deleted images and snapshots that were erased";
        registry.register_with_unit("erased", help, Unit::Bytes, erased_bytes.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections that are open", connections.clone());
        let asking = Arc::default();
        Self { requests, registry, decisions, tasks, erased_bytes, connections, asking, regions }
    }

    /// Counts a decision about a delete.
    pub fn decided(&self, product: Product, outcome: &str) {
        self.decisions.with([product_label(product), outcome], Counter::inc);
    }

    /// Counts an attempt at a task.
    pub fn tried(&self, region: &RegionId, task: Task, attempt: Attempt) {
        self.tasks.with([region.as_str(), task.label(), attempt.label()], Counter::inc);
    }

    /// Counts bytes that are gone.
    pub fn erased(&self, region: &RegionId, bytes: u64) {
        self.erased_bytes.with([region.as_str()], |counter| counter.inc_by(bytes));
    }

    /// Counts a connection for as long as what is given is kept.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connections.inc();
        Connection(self.connections.clone())
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct Connection(Gauge);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The word for a product in labels and in the log.
#[must_use]
pub const fn product_label(product: Product) -> &'static str {
    match product {
        Product::Ens => "ens",
        Product::AppStreaming => "appstreaming",
    }
}

fn decision_labels() -> impl Iterator<Item = [String; 2]> {
    let products = [Product::Ens, Product::AppStreaming].into_iter().map(product_label);
    products.flat_map(|product| OUTCOMES.map(|outcome| [product.to_owned(), outcome.to_owned()]))
}

fn task_labels(regions: &[RegionId]) -> impl Iterator<Item = [String; 3]> {
    regions.iter().flat_map(|region| {
        TASKS.map(|(task, end)| [region.as_str().to_owned(), task.label().to_owned(), end.label().to_owned()])
    })
}

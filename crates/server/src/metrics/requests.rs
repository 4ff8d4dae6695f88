//! The requests: how many, how answered, how long.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

/// The code of an answer that is no refusal.
const OK: &str = "OK";

/// The code of a request that its caller did not wait for.
const ABANDONED: &str = "Abandoned";

/// The API and the operation of a request for something that is not served.
const UNKNOWN: &str = "unknown";

/// Different refusals, over all operations, that are told apart. There are fewer; should a code ever be made of
/// what a request brings along, this keeps the memory.
const REFUSALS_MAX: usize = 2_000;

/// The code of all others.
const OTHER: &str = "other";

/// Upper bounds of the buckets of durations, in microseconds.
const BOUNDS_US: [u64; 6] = [1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000];

/// The labels of a request: API, operation, code.
type Labels = [(&'static str, Cow<'static, str>); 3];

/// Every request, by operation and code.
#[derive(Debug)]
pub struct Requests {
    counts: Family<Labels, Counter>,
    operations: Operations,
    refusals: AtomicUsize,
}

/// The operations in the order of their table, and behind them the one that stands for what is not served. They are
/// not known before the first request.
#[derive(Clone, Debug, Default)]
struct Operations(Arc<OnceLock<Vec<OperationMetrics>>>);

/// What is counted on the way of a request that is not refused.
#[derive(Debug)]
struct OperationMetrics {
    api: &'static str,
    name: &'static str,
    ok: Counter,
    durations: Durations,
}

impl Requests {
    /// Requests that a registry tells of.
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let (counts, operations) = (Family::default(), Operations::default());
        registry.register("requests", "Requests that were answered, by operation and code", counts.clone());
        let help = "Time from the last byte of a request to its answer";
        registry.register_with_unit("request_duration", help, Unit::Seconds, operations.clone());
        Self { counts, operations, refusals: AtomicUsize::new(0) }
    }

    /// Begins to count a request. `table` gives API and name of every operation; it is asked once.
    pub fn begin(&self, table: impl FnOnce() -> Vec<(&'static str, &'static str)>) -> Counting<'_> {
        let operations = self.operations.0.get_or_init(|| {
            let all = table().into_iter().chain([(UNKNOWN, UNKNOWN)]);
            all.map(|(api, name)| self.operation(api, name)).collect()
        });
        Counting { requests: self, operations, position: None, started: Instant::now(), is_over: false }
    }

    fn operation(&self, api: &'static str, name: &'static str) -> OperationMetrics {
        let durations = Durations::default();
        if api == UNKNOWN {
            // What is not served is never answered with a success.
            return OperationMetrics { api, name, ok: Counter::default(), durations };
        }
        let ok = self.counts.get_or_create_owned(&labels(api, name, OK.into()));
        OperationMetrics { api, name, ok, durations }
    }

    fn refused(&self, operation: &OperationMetrics, code: Cow<'static, str>) {
        let mut labels = labels(operation.api, operation.name, code);
        if let Some(counter) = self.counts.get(&labels) {
            counter.inc();
            return;
        }
        if self.refusals.fetch_add(1, Ordering::Relaxed) >= REFUSALS_MAX {
            labels[2].1 = OTHER.into();
        }
        self.counts.get_or_create(&labels).inc();
    }
}

fn labels(api: &'static str, operation: &'static str, code: Cow<'static, str>) -> Labels {
    [("api", api.into()), ("operation", operation.into()), ("code", code)]
}

/// A request that is being answered. One that is dropped before was abandoned by its caller.
#[derive(Debug)]
pub struct Counting<'a> {
    requests: &'a Requests,
    operations: &'a [OperationMetrics],
    position: Option<usize>,
    started: Instant,
    is_over: bool,
}

impl<'a> Counting<'a> {
    /// Says at which position of the table the operation stands; without this, it is one that is not served.
    pub fn is_for(&mut self, position: Option<usize>) {
        self.position = position;
    }

    /// Counts a success.
    pub fn succeeded(mut self) {
        if let Some(operation) = self.end() {
            operation.ok.inc();
        }
    }

    /// Counts a refusal.
    pub fn refused(mut self, code: Cow<'static, str>) {
        if let Some(operation) = self.end() {
            self.requests.refused(operation, code);
        }
    }

    fn end(&mut self) -> Option<&'a OperationMetrics> {
        self.is_over = true;
        let operation = self.position.and_then(|position| self.operations.get(position));
        let operation = operation.or_else(|| self.operations.last())?;
        operation.durations.count(self.started.elapsed());
        Some(operation)
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        let requests = self.requests;
        if !self.is_over
            && let Some(operation) = self.end()
        {
            requests.refused(operation, ABANDONED.into());
        }
    }
}

/// Durations in buckets. Other than the library's own histogram, it takes no lock.
#[derive(Debug, Default)]
struct Durations {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    fn count(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Upper bounds with counts, and the sum; nothing if nothing was counted.
    fn read(&self) -> Option<(Vec<(f64, u64)>, f64)> {
        let bounds = BOUNDS_US.iter().map(|us| seconds(*us)).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let is_empty = buckets.iter().all(|(_, count)| *count == 0);
        (!is_empty).then(|| (buckets, seconds(self.sum_us.load(Ordering::Relaxed))))
    }
}

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// Operations that were never called have no durations, and are left out.
impl EncodeMetric for Operations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for operation in self.0.get().into_iter().flatten() {
            let Some((buckets, sum)) = operation.durations.read() else { continue };
            let count = buckets.iter().map(|(_, count)| count).sum();
            let labels = [("api", operation.api), ("operation", operation.name)];
            let mut encoder = encoder.encode_family(&labels)?;
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let durations = Durations::default();
        assert_eq!(durations.read(), None);
        for us in [0, 1_000, 1_001, 2_500_000, 2_500_001, u64::MAX / 2] {
            durations.count(Duration::from_micros(us));
        }
        let (buckets, _) = durations.read().unwrap();
        let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 1, 2]);
    }

    /// However many codes there are, the memory for them has an end.
    #[test]
    fn refusals_are_bounded() {
        let mut registry = Registry::default();
        let requests = Requests::registered(&mut registry);
        for number in 0..2 * REFUSALS_MAX {
            requests.begin(Vec::new).refused(format!("Invalid{number}").into());
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = text.lines().filter(|line| line.starts_with("requests_total{")).count();
        assert_eq!(series, REFUSALS_MAX + 1);
        let other = format!(
            "requests_total{{api=\"unknown\",operation=\"unknown\",code=\"other\"}} {REFUSALS_MAX}\n"
        );
        assert!(text.contains(&other));
    }
}

//! One reading of all metrics: those that were counted, and those that the store is asked for.

use std::sync::Arc;
use std::time::Duration;

use calotype_core::ids::RegionId;
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, Load, StoreError};
use calotype_store::replicas::Waiting;
use calotype_store::{deletions, replicas};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::runtime::Handle;

use super::labelled::Labelled;
use super::{Metrics, PREFIX, Task};

/// The media type of what [`Metrics::read`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text;version=1.0.0;charset=utf-8";

/// How long the store may take to answer. Well within what Prometheus waits for.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// What the rows know.
struct Asked {
    pending: u64,
    oldest: Option<Timestamp>,
    waiting: Vec<Waiting>,
}

impl Metrics {
    /// Everything, as text. Without an answer of the store, its part is left out and `store_up` is 0.
    pub async fn read(&self, db: &Db, now: Timestamp) -> String {
        let asked = self.ask(db).await;
        let mut registry = Registry::with_prefix(PREFIX);
        let up = ConstGauge::new(i64::from(asked.is_some()));
        registry.register("store_up", "Whether the database answered just now", up);
        if let Some(asked) = asked {
            self.register_asked(&mut registry, &asked, now);
        }
        register_load(&mut registry, db.load());
        let mut text = String::with_capacity(32 * 1024);
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &registry))
            .and_then(|()| encode_eof(&mut text));
        if written.is_err() {
            tracing::error!("metrics could not be written");
        }
        text
    }

    /// Asks the store, on a thread of its own: statements run in place, and counting many rows must neither hold
    /// up requests nor go on when nobody waits any more. One at a time, so that those who ask do not pile up.
    async fn ask(&self, db: &Db) -> Option<Asked> {
        let (asking, db) = (Arc::clone(&self.asking), db.clone());
        let answer = async move {
            let turn = asking.lock_owned().await;
            let runtime = Handle::current();
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                // What waits inside, for a connection say, ends as well.
                runtime.block_on(tokio::time::timeout(ASK_TIMEOUT, ask(&db)))
            })
            .await
        };
        let failed = |error: &dyn std::error::Error| {
            tracing::warn!(%error, cause = ?error.source(), "the store was asked for metrics in vain");
        };
        match tokio::time::timeout(ASK_TIMEOUT, answer).await {
            Ok(Ok(Ok(Ok(asked)))) => return Some(asked),
            Ok(Ok(Ok(Err(error)))) => failed(&error),
            Ok(Err(error)) => failed(&error),
            Err(error) | Ok(Ok(Err(error))) => failed(&error),
        }
        None
    }

    fn register_asked(&self, registry: &mut Registry, asked: &Asked, now: Timestamp) {
        let pending = ConstGauge::new(number(asked.pending));
        registry.register("deletions_pending", "Accepted deletes whose bytes are not erased yet", pending);
        let age_ms = asked.oldest.map_or(0, |oldest| now.as_millis().saturating_sub(oldest.as_millis()));
        let age = ConstGauge::new(Duration::from_millis(age_ms.max(0).unsigned_abs()).as_secs_f64());
        let help = "Time since the oldest of them was accepted, its grace period included";
        registry.register_with_unit("deletions_oldest_age", help, Unit::Seconds, age);
        let count = |region: &str, task| {
            let found = asked.waiting.iter().find(|waiting| waiting.region.as_str() == region);
            number(found.map_or(0, |waiting| match task {
                Task::Fill => waiting.fills,
                Task::Erase => waiting.erasures,
            }))
        };
        // Another server of this installation may know more regions.
        let mut regions: Vec<&str> = self.regions.iter().map(RegionId::as_str).collect();
        regions.extend(asked.waiting.iter().map(|waiting| waiting.region.as_str()));
        regions.sort_unstable();
        regions.dedup();
        let all = regions.into_iter().flat_map(|region| {
            [Task::Fill, Task::Erase].map(|task| {
                ([region.to_owned(), task.label().to_owned()], ConstGauge::new(count(region, task)))
            })
        });
        let help = "Replicas to be written or erased, now or later: the depth of the queue";
        registry.register("tasks_waiting", help, Labelled::of(["region", "kind"], all));
    }
}

async fn ask(db: &Db) -> Result<Asked, StoreError> {
    let mut tx = db.read().await?;
    let (pending, oldest) = deletions::pending(&mut tx).await?;
    let waiting = replicas::waiting(&mut tx).await?;
    Ok(Asked { pending, oldest, waiting })
}

fn register_load(registry: &mut Registry, load: Load) {
    registry.register("commits", "Commits of the database", ConstCounter::new(load.commits));
    let transactions = ConstCounter::new(load.transactions);
    registry.register("committed_transactions", "Transactions that they made durable", transactions);
    let largest = ConstGauge::new(number(load.group_max));
    registry.register("commit_group_max", "Transactions of the largest commit", largest);
    let waiting = ConstGauge::new(number(load.waiting));
    registry.register("transactions_waiting", "Transactions that wait for their turn to write", waiting);
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

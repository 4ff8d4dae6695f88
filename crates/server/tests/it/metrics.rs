//! What `/metrics` tells: counted once, under bounded labels, and told whatever the store does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use calotype::operations::OPERATIONS;
use calotype_store::seam::{Effect, Fault, Seam, Step};
use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::operations::drive::Stage;
use crate::support::caller::Caller;
use crate::support::folders::RegionAway;
use crate::support::raw::exchange;
use crate::support::{ENS, Setup, World, disk};

/// A name and its labels, in the order of theirs.
type Series = (String, Vec<(String, String)>);

/// Everything that was told at one time.
pub struct Sample {
    values: BTreeMap<Series, String>,
}

impl Sample {
    /// Reads the metrics of a world.
    pub async fn read(world: &World) -> Self {
        Self::parse(&text(world).await)
    }

    fn parse(text: &str) -> Self {
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let values: BTreeMap<_, _> = samples.clone().map(sample).collect();
        assert_eq!(values.len(), samples.count(), "a series stands there twice");
        Self { values }
    }

    /// The value of a series as it was told, if there is such a one.
    fn told(&self, name: &str, labels: &[(&str, &str)]) -> Option<&str> {
        let mut labels: Vec<_> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.sort();
        self.values.get(&(name.to_owned(), labels)).map(String::as_str)
    }

    /// The value of a series without its fraction, if there is such a one.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        self.told(name, labels).map(whole)
    }

    /// The value of a series that must be there.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?}"))
    }

    /// The sum of all series of this name.
    fn sum(&self, name: &str) -> u64 {
        self.values.iter().filter(|((other, _), _)| other == name).map(|(_, value)| whole(value)).sum()
    }

    /// The series of this name that changed since, with their labels' values.
    fn changed(&self, since: &Self, name: &str) -> Vec<(Vec<String>, u64)> {
        let mut changed = Vec::new();
        for (series, value) in self.values.iter().filter(|((other, _), _)| other == name) {
            let before = since.values.get(series).map_or(0, |value| whole(value));
            if whole(value) != before {
                let labels = series.1.iter().map(|(_, value)| value.clone()).collect();
                changed.push((labels, whole(value) - before));
            }
        }
        changed
    }
}

fn whole(value: &str) -> u64 {
    value.split('.').next().unwrap_or_default().parse().unwrap()
}

fn sample(line: &str) -> (Series, String) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let mut labels: Vec<_> = labels
        .trim_end_matches('}')
        .split(',')
        .filter_map(|label| label.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    labels.sort();
    ((name.to_owned(), labels), value.to_owned())
}

async fn text(world: &World) -> String {
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", world.address);
    let reply = exchange(world.address, request.as_bytes()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/openmetrics-text;version=1.0.0;charset=utf-8");
    reply.body
}

/// Labels come in the order of their names: API, code, operation.
fn request(api: &str, code: &str, operation: &str) -> (Vec<String>, u64) {
    ([api, code, operation].map(str::to_owned).to_vec(), 1)
}

#[tokio::test]
async fn every_operation_is_counted_under_its_own_name_and_code() {
    let world = World::open(Setup::with("deletion = { grace = '1h' }\n")).await;
    let stage = Stage::set(&world).await;
    let thief = Caller::with_secret(world.address, "owner", "not the secret", &world.clock);
    for operation in OPERATIONS {
        let (api, version, name) = (operation.api.name, operation.api.version, operation.name);
        let params = stage.params(&world, operation).await;
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = Sample::read(&world).await;
        let answer = thief.call(version, name, &params).await;
        let between = Sample::read(&world).await;
        let code = answer.code().unwrap();
        assert_eq!(between.changed(&before, "calotype_requests_total"), [request(api, code, name)]);
        let caller = Stage::caller(&world, operation);
        assert_eq!(caller.call(version, name, &params).await.status, 200, "{name}");
        let after = Sample::read(&world).await;
        assert_eq!(after.changed(&between, "calotype_requests_total"), [request(api, "OK", name)]);

        let labels = [("api", api), ("operation", name)];
        let durations = |sample: &Sample| sample.find("calotype_request_duration_seconds_count", &labels);
        assert_eq!(durations(&after).unwrap(), durations(&before).unwrap_or_default() + 2);
        let all = [&labels[..], &[("le", "+Inf")]].concat();
        assert_eq!(after.find("calotype_request_duration_seconds_bucket", &all), durations(&after));
        assert_ne!(after.told("calotype_request_duration_seconds_sum", &labels), Some("0.0"));
    }
}

/// What a request brings along never becomes a label.
#[tokio::test]
async fn what_is_not_served_counts_as_unknown() {
    let world = World::new().await;
    for number in 0..20 {
        let (action, version) = (format!("Action{number}"), format!("2020-01-{number}"));
        world.owner.call(ENS, &action, &[]).await;
        world.owner.call(&version, "DeleteImage", &[]).await;
    }
    let raw = [
        "GET /?Action=%00%22%7D HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /elsewhere HTTP/1.1\r\nhost: x\r\n\r\n",
        "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1048577\r\n\r\n",
    ];
    for request in raw {
        exchange(world.address, request.as_bytes()).await;
    }
    let sample = Sample::read(&world).await;
    let unknown = |code| {
        let labels = [("api", "unknown"), ("operation", "unknown"), ("code", code)];
        sample.find("calotype_requests_total", &labels).unwrap_or_default()
    };
    assert_eq!(unknown("InvalidAction.NotFound"), 20);
    assert_eq!(unknown("InvalidVersion"), 20);
    assert_eq!(unknown("RequestEntityTooLarge"), 1);
    assert_eq!(unknown("InvalidProduct.NotFound"), 1);
    assert_eq!(sample.sum("calotype_requests_total"), 44, "nothing else was counted");
    for (name, labels) in sample.values.keys() {
        for (label, value) in labels {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
            assert!(value.chars().all(is_plain), "{name} {label}={value}");
            assert!(!value.starts_with("Action") && !value.starts_with("2020"), "{name} {label}={value}");
        }
    }
}

#[tokio::test]
async fn a_deletion_is_followed_to_its_end() {
    let world = World::new().await;
    let bytes = disk("to be erased");
    let image = world.import_disk(&bytes).await;
    let far = [("region", "cn-beijing")];
    let task = |sample: &Sample, kind, outcome| {
        sample.value("calotype_tasks_total", &[far[0], ("kind", kind), ("outcome", outcome)])
    };
    let waiting = |sample: &Sample, kind| sample.value("calotype_tasks_waiting", &[far[0], ("kind", kind)]);
    let idle = Sample::read(&world).await;
    assert_eq!((idle.value("calotype_store_up", &[]), idle.value("calotype_deletions_pending", &[])), (1, 0));
    assert_eq!(idle.value("calotype_deletions_oldest_age_seconds", &[]), 0);
    assert_eq!((waiting(&idle, "fill"), waiting(&idle, "erase")), (0, 0));

    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let away = RegionAway::take(&world.path("objects/cn-beijing"));
    world.pass(90);
    world.drain().await;
    let pending = Sample::read(&world).await;
    assert_eq!(pending.value("calotype_deletions_pending", &[]), 1);
    assert_eq!(pending.value("calotype_deletions_oldest_age_seconds", &[]), 90);
    assert_eq!(waiting(&pending, "erase"), 1);
    assert_eq!(task(&pending, "erase", "retry"), 1);
    assert_eq!(task(&pending, "erase", "done"), 0);

    world.begin_import(&disk("in vain")).await;
    assert_eq!(waiting(&Sample::read(&world).await, "fill"), 1);
    for _ in 0..8 {
        world.drain().await;
        world.pass(600);
    }
    drop(away);
    world.pass(600);
    world.drain().await;
    let after = Sample::read(&world).await;
    assert_eq!(after.value("calotype_deletions_pending", &[]), 0);
    assert_eq!(after.value("calotype_deletions_oldest_age_seconds", &[]), 0);
    assert_eq!((waiting(&after, "fill"), waiting(&after, "erase")), (0, 0));
    assert_eq!(task(&after, "erase", "done"), 1);
    assert_eq!(after.value("calotype_erased_bytes_total", &far), bytes.len() as u64);
    assert_eq!((task(&after, "fill", "retry"), task(&after, "fill", "failed")), (5, 1));
    assert_eq!(task(&after, "fill", "done"), task(&idle, "fill", "done"));
}

/// Whose end could not be recorded was done for nothing.
#[tokio::test]
async fn attempts_that_could_not_be_recorded_are_lost() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    let lost = async |kind| {
        let labels = [("region", "cn-beijing"), ("kind", kind), ("outcome", "lost")];
        Sample::read(&world).await.value("calotype_tasks_total", &labels)
    };
    world.faults().arm(Fault { statement: "SET state = 'erased'", effect: Effect::Nothing });
    world.drain().await;
    assert_eq!(lost("erase").await, 1, "another worker has it");
    world.faults().clear();
    world.faults().arm(Fault { statement: "SET state = 'erased'", effect: Effect::Unavailable });
    world.pass(61);
    calotype::workers::drain(&world.app).await.unwrap_err();
    assert_eq!(lost("erase").await, 2, "the store did not answer");
    world.faults().clear();
    world.faults().arm(Fault { statement: "SET state = 'available'", effect: Effect::Unavailable });
    world.begin_import(&disk("twice")).await;
    world.drain().await;
    assert_eq!(lost("fill").await, 1);
    world.faults().clear();
    world.pass(61);
    world.drain().await;
    world.assert_erased(&image).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn commits_and_connections_are_counted() {
    let world = World::new().await;
    let before = Sample::read(&world).await;
    world.import().await;
    let after = Sample::read(&world).await;
    for name in ["calotype_commits_total", "calotype_committed_transactions_total"] {
        assert!(after.value(name, &[]) > before.value(name, &[]), "{name}");
    }
    assert!(after.value("calotype_commit_group_max", &[]) >= 1);
    assert_eq!(after.value("calotype_transactions_waiting", &[]), 0);
    assert_eq!(after.value("calotype_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1);

    let open = async || Sample::read(&world).await.value("calotype_connections", &[]);
    // The owner's, and the one that this is read over.
    assert_eq!(open().await, 2);
    let more =
        [TcpStream::connect(world.address).await.unwrap(), TcpStream::connect(world.address).await.unwrap()];
    assert_eq!(open().await, 4);
    drop(more);
    for _ in 0..2_000 {
        if open().await == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("connections that have ended still count");
}

/// Reads, at least, hang while this is so.
#[derive(Debug, Default)]
struct Deaf(AtomicBool);

impl Seam for Deaf {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        if step == Step::Begin && self.0.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(Effect::Go))
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_and_the_rest_is_given() {
    let world = World::new().await;
    world.faults().arm(Fault { statement: "FROM deletions", effect: Effect::Unavailable });
    let sample = Sample::read(&world).await;
    assert_eq!(sample.value("calotype_store_up", &[]), 0);
    assert_eq!(sample.find("calotype_deletions_pending", &[]), None, "no number is better than a wrong one");
    assert!(sample.value("calotype_commits_total", &[]) > 0);
    assert!(sample.find("calotype_connections", &[]).is_some());
    world.faults().clear();
    assert_eq!(Sample::read(&world).await.value("calotype_store_up", &[]), 1);
}

/// However many ask, and however long the store is silent, all are answered in time.
#[tokio::test]
async fn a_store_that_hangs_does_not_hold_anybody_up() {
    let deaf = Arc::new(Deaf::default());
    let seam = Some(Arc::clone(&deaf) as Arc<dyn Seam>);
    let world = World::open(Setup { seam, ..Setup::default() }).await;
    deaf.0.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let samples = futures::future::join_all((0..20).map(|_| Sample::read(&world))).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    for sample in samples {
        assert_eq!(sample.value("calotype_store_up", &[]), 0);
    }
}

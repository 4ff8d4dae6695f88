//! The log: one event for each decision, one line for each step of a deletion, and never a secret.

mod decisions;
mod restores;
mod secrets;
mod steps;

use std::io;
use std::sync::{Arc, Mutex};

use calotype_store::seam::{Effect, Seam, Step};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::caller::is_upper_uuid;
use crate::support::{Setup, World};

/// Everything that is logged on this thread, as a server with JSON lines would write it.
struct Log {
    written: Written,
    read: usize,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Listens to everything there is, until this is dropped.
    fn listen() -> Self {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(written.clone())
            .finish();
        Self { written, read: 0, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// All of it.
    fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines since the last time.
    fn news(&mut self) -> Vec<Value> {
        let text = self.text();
        let news = text[self.read..].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        self.read = text.len();
        news
    }

    /// The events of the audit since the last time.
    fn audited(&mut self) -> Vec<Value> {
        self.news().into_iter().filter(|line| line["target"] == calotype::audit::TARGET).collect()
    }

    /// The one event since the last time.
    fn one(&mut self) -> Value {
        let mut events = self.audited();
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }
}

/// The lines of this text.
fn of<'l>(lines: &'l [Value], message: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["message"] == message).collect()
}

/// Checks the fields of an event that are the same for all of its kind, and that these stand in it.
fn check(event: &Value, expected: &[(&str, Value)]) {
    let named = format!("{} {}", event["event"].as_str().unwrap(), event["decision"].as_str().unwrap());
    assert_eq!(event["message"], named);
    assert_eq!((&event["level"], &event["source_ip"]), (&"INFO".into(), &"127.0.0.1".into()), "{event}");
    assert!(event["request_id"].as_str().is_some_and(is_upper_uuid), "{event}");
    for (field, value) in expected {
        assert_eq!(event[field], *value, "{field} of {event:#}");
    }
}

/// A seam that does one unusual thing, once.
#[derive(Debug, Default)]
struct Mood {
    armed: Mutex<Option<(When, Effect)>>,
    /// Rings when a commit is held.
    held: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Instead of a statement with this text in it.
    Statement(&'static str),
    /// Instead of a commit, or after it.
    Commit,
    /// Before a commit that never goes on.
    Held,
}

impl Mood {
    /// A world with this seam.
    async fn world(settings: &str) -> (World, Arc<Self>) {
        let mood = Arc::new(Self::default());
        let seam = Some(Arc::clone(&mood) as Arc<dyn Seam>);
        (World::open(Setup { seam, ..Setup::with(settings) }).await, mood)
    }

    fn arm(&self, when: When, effect: Effect) {
        *self.armed.lock().unwrap() = Some((when, effect));
    }
}

impl Seam for Mood {
    fn meet<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Effect> {
        let mut armed = self.armed.lock().unwrap();
        let effect = match (*armed, step) {
            (Some((When::Statement(text), effect)), Step::Statement(sql)) if sql.contains(text) => effect,
            (Some((When::Commit, effect)), Step::Commit) => effect,
            (Some((When::Held, _)), Step::Commit) => {
                *armed = None;
                self.held.notify_one();
                return Box::pin(std::future::pending());
            }
            _ => return Box::pin(std::future::ready(Effect::Go)),
        };
        *armed = None;
        Box::pin(std::future::ready(effect))
    }
}

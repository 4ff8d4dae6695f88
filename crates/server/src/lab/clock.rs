//! The clock, which can be moved forward.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::routes::Problem;
use crate::app::App;

/// How far the clock may be ahead of the machine's, in milliseconds: ten years.
const AHEAD_MS_MAX: i64 = 10 * 365 * 24 * 3_600 * 1_000;

/// A move of the clock.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// How far, such as `90s` or `2h`.
    advance: String,
    /// Whether the signatures of clients that have not moved still count.
    #[serde(default)]
    clients: Clients,
}

/// What becomes of clients whose clocks have stayed where they were.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Clients {
    /// What they sign is as old as it looks.
    #[default]
    Behind,
    /// They are taken to have moved along.
    Along,
}

/// The time, and how far it is ahead.
pub(super) fn show(app: &App) -> Value {
    json!({
        "now": app.clock.now().to_string(),
        "now_ms": app.clock.now().as_millis(),
        "ahead_ms": app.clock.ahead_ms(),
        "clients_along_ms": app.clock.clients_behind_ms(),
    })
}

/// Moves the clock, and lets everybody look at it who waits for a time.
pub(super) fn advance(app: &App, step: &Move) -> Result<Value, Problem> {
    let bad =
        || Problem::bad("advance must be a duration such as 90s or 2h, forward, to ten years ahead at most");
    let duration: SignedDuration = step.advance.parse().map_err(|_| bad())?;
    let millis = i64::try_from(duration.as_millis()).map_err(|_| bad())?;
    if millis < 0 || app.clock.ahead_ms().saturating_add(millis) > AHEAD_MS_MAX {
        return Err(bad());
    }
    // First, so that no request is too old in between.
    if step.clients == Clients::Along {
        app.clock.leave_clients_behind(millis);
    }
    app.clock.advance_millis(millis);
    ring(app);
    Ok(show(app))
}

/// Lets every worker look for what is due.
pub(super) fn ring(app: &App) {
    app.wake.fills.ring();
    app.wake.erasures.ring();
    app.wake.reinits.notify_one();
    app.wake.exports.notify_one();
}

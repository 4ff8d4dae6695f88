//! Faults: which calls go wrong, and how.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lock;
use super::routes::Problem;
use crate::operations::OPERATIONS;
use crate::products::documented::{is_documented, refusal};
use crate::products::{Api, Call, Operation};
use crate::wire::fault::Fault;

/// Faults that are armed at once, at most.
pub const FAULTS_MAX: usize = 10_000;

/// The longest delay, in milliseconds.
const DELAY_MS_MAX: u64 = 600_000;

/// A fault as it is asked for and listed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Armed {
    /// Its number, given when it is armed.
    #[serde(skip_deserializing)]
    id: u64,
    /// The API, as the list of operations has it; any, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    /// The operation; any, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// The account that calls; any, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// The image that a parameter names; any or none, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// The first of the calls that it is meant for which meets it, from 1.
    nth: u64,
    /// How many calls meet it; 0 for all until it is cleared.
    times: u64,
    /// How long the call waits first, in milliseconds.
    delay_ms: u64,
    /// The code that it is refused with.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The message, where one code has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The status, where one code has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Whether the connection ends without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<Drop>,
    /// The calls that it was meant for so far.
    #[serde(skip_deserializing)]
    seen: u64,
    /// Those that have met it.
    #[serde(skip_deserializing)]
    met: u64,
}

impl Default for Armed {
    fn default() -> Self {
        Self {
            id: 0,
            api: None,
            operation: None,
            account: None,
            image: None,
            nth: 1,
            times: 1,
            delay_ms: 0,
            error: None,
            message: None,
            status: None,
            drop: None,
            seen: 0,
            met: 0,
        }
    }
}

/// When a connection ends without an answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Drop {
    /// Before anything is done.
    Before,
    /// After everything is done and durable.
    After,
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) struct Fate {
    /// It waits first.
    pub(super) delay: Duration,
    /// It is refused.
    pub(super) fault: Option<Fault>,
    /// Its connection ends.
    pub(super) drop: Option<Drop>,
}

/// The faults that are armed, in the order in which they were.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    armed: Vec<Armed>,
}

impl Armed {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Checks that it can ever happen, and fills in what was left out.
    fn checked(mut self) -> Result<Self, Problem> {
        (self.seen, self.met) = (0, 0);
        let outcomes = [self.error.is_some(), self.drop.is_some(), self.delay_ms > 0];
        if !outcomes.contains(&true) {
            return Err(Problem::bad("a fault has an error, a drop or a delay_ms"));
        }
        if self.error.is_some() && self.drop.is_some() {
            return Err(Problem::bad("a fault has an error or a drop, not both"));
        }
        if self.error.is_none() && (self.message.is_some() || self.status.is_some()) {
            return Err(Problem::bad("message and status belong to an error"));
        }
        if self.delay_ms > DELAY_MS_MAX {
            return Err(Problem::bad(format!("delay_ms is {DELAY_MS_MAX} at most")));
        }
        if self.nth == 0 {
            return Err(Problem::bad("nth begins with 1"));
        }
        let mut operations = OPERATIONS.iter().filter(|operation| self.is_for(operation)).peekable();
        if operations.peek().is_none() {
            return Err(Problem::bad("no such operation; `calotype operations` lists them"));
        }
        if let Some(code) = &self.error
            && !operations.any(|operation| is_documented(operation.api, code))
        {
            let text = format!("{code} is not documented there; GET /errors lists the codes of an API");
            return Err(Problem::bad(text));
        }
        Ok(self)
    }

    fn is_for(&self, operation: &Operation) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.api, operation.api.name) && is(&self.operation, operation.name)
    }

    fn is_meant(&self, operation: &Operation, call: &Call<'_>) -> bool {
        self.is_for(operation)
            && self.account.as_deref().is_none_or(|account| account == call.caller.account().as_str())
            && self.image.as_deref().is_none_or(|image| names(call, image))
    }

    /// What a call of this API is refused with, if that is documented there.
    fn fault(&self, call: &Call<'_>, api: &Api) -> Option<Fault> {
        let fits = |fault: &Fault| {
            self.message.as_deref().is_none_or(|message| message == fault.message)
                && self.status.is_none_or(|status| status == fault.status)
        };
        refusal(call, api, self.error.as_deref()?, fits)
    }

    fn is_over(&self) -> bool {
        self.times > 0 && self.met >= self.times
    }
}

/// Whether a parameter is this image, or a list with it.
fn names(call: &Call<'_>, image: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    call.params.iter().any(|(_, value)| value.split(|c| !is_part(c)).any(|part| part == image))
}

impl Faults {
    /// Arms a fault, and gives it as it will be listed.
    pub(super) fn arm(&self, fault: Armed) -> Result<Armed, Problem> {
        let mut fault = fault.checked()?;
        let mut state = lock(&self.0);
        if state.armed.len() >= FAULTS_MAX {
            return Err(Problem::full(format!("{FAULTS_MAX} faults are armed")));
        }
        state.last_id += 1;
        fault.id = state.last_id;
        state.armed.push(fault.clone());
        Ok(fault)
    }

    /// Lists the faults, those that are over included.
    pub(super) fn list(&self) -> Vec<Armed> {
        lock(&self.0).armed.clone()
    }

    /// Forgets the fault of this number; tells whether there was one.
    pub(super) fn clear(&self, id: u64) -> bool {
        let mut state = lock(&self.0);
        let before = state.armed.len();
        state.armed.retain(|fault| fault.id != id);
        state.armed.len() < before
    }

    /// Forgets the faults for this account, or all of them; gives how many.
    pub(super) fn clear_all(&self, account: Option<&str>) -> usize {
        let mut state = lock(&self.0);
        let before = state.armed.len();
        state.armed.retain(|fault| account.is_some() && fault.account.as_deref() != account);
        before - state.armed.len()
    }

    /// Decides about a call: it meets the first fault that is due for it, and counts for all that are meant for it.
    pub(super) fn meet(&self, operation: &Operation, call: &Call<'_>) -> Option<Fate> {
        let mut state = lock(&self.0);
        let mut fate = None;
        for armed in
            state.armed.iter_mut().filter(|armed| !armed.is_over() && armed.is_meant(operation, call))
        {
            armed.seen += 1;
            if fate.is_some() || armed.seen < armed.nth {
                continue;
            }
            let fault = armed.fault(call, operation.api);
            if armed.error.is_some() && fault.is_none() {
                continue;
            }
            armed.met += 1;
            fate = Some(Fate { delay: Duration::from_millis(armed.delay_ms), fault, drop: armed.drop });
        }
        fate
    }
}

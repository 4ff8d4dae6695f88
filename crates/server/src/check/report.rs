//! A report as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Entry, Outcome, Region, Report};

impl Report {
    /// What was seen, and a line for each finding with what can be done about it.
    #[must_use]
    pub fn plan_text(&self) -> String {
        let mut text = String::new();
        for (id, region) in &self.regions {
            let line = match region {
                Region::Compared { objects, bytes } => format!("{objects} objects, {bytes} bytes compared"),
                Region::Away(why) => format!("away, nothing compared: {why}"),
                Region::Unseen(why) => format!("not compared: {why}"),
            };
            push(&mut text, format_args!("{:16} {line}", id.as_str()));
        }
        for Entry { finding, repair, .. } in &self.entries {
            push(&mut text, format_args!("{}: {finding}; repair: {repair}", finding.kind()));
        }
        if self.more {
            push(&mut text, format_args!("there are more of these: repair them, and check again"));
        }
        text
    }

    /// How the repairs went, and what is left.
    #[must_use]
    pub fn end_text(&self) -> String {
        let mut text = String::new();
        for Entry { finding, outcome, .. } in &self.entries {
            if let Some(Outcome::Failed(why)) = outcome {
                push(&mut text, format_args!("not repaired: {}: {finding}: {why}", finding.kind()));
            }
        }
        let counts: Vec<String> =
            self.counts().iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let tried = self.entries.iter().any(|entry| entry.outcome.is_some());
        let can = self.entries.iter().filter(|entry| entry.repair.is_something()).count();
        let findings = match counts.len() {
            0 => "nothing is wrong".to_owned(),
            _ => format!("{} findings: {}", self.entries.len(), counts.join(", ")),
        };
        let rest = match (self.entries.len(), tried) {
            (0, _) => String::new(),
            (all, true) => format!("; {} repaired, {} remain", all - self.remaining(), self.remaining()),
            (_, false) => format!("; {can} can be repaired with --repair"),
        };
        let part = if self.is_complete() { "" } else { ", as far as could be seen" };
        push(&mut text, format_args!("{findings}{part}{rest}"));
        text
    }

    /// Everything, as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let region = |region: &Region| match region {
            Region::Compared { objects, bytes } => {
                json!({"state": "compared", "objects": objects, "bytes": bytes})
            }
            Region::Away(why) => json!({"state": "away", "reason": why}),
            Region::Unseen(why) => json!({"state": "unseen", "reason": why}),
        };
        let entry = |entry: &Entry| {
            let (outcome, failure) = match &entry.outcome {
                None => (Value::Null, Value::Null),
                Some(Outcome::Done) => ("done".into(), Value::Null),
                Some(Outcome::Gone) => ("gone".into(), Value::Null),
                Some(Outcome::Failed(why)) => ("failed".into(), why.as_str().into()),
            };
            json!({
                "kind": entry.finding.kind(),
                "region": entry.finding.region().map(ToString::to_string),
                "text": entry.finding.to_string(),
                "repairable": entry.repair.is_something(),
                "repair": entry.repair.to_string(),
                "outcome": outcome,
                "failure": failure,
            })
        };
        json!({
            "regions": self.regions.iter().map(|(id, seen)| (id.to_string(), region(seen))).collect::<BTreeMap<_, _>>(),
            "findings": self.entries.iter().map(entry).collect::<Vec<_>>(),
            "counts": self.counts(),
            "more": self.more,
            "remaining": self.remaining(),
            "complete": self.is_complete(),
            "status": self.status(),
        })
    }

    /// How many findings there are of each kind.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.finding.kind()).or_insert(0) += 1;
        }
        counts
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

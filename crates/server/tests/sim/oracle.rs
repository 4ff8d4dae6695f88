//! What the clients were told, and whether it is so.

use std::collections::BTreeSet;
use std::sync::Arc;

use calotype::wire::reply::Reply;
use serde_json::Value;

use crate::ledger::{Ledger, Rule, Violation};
use crate::requests::{Draft, Intent};

/// A signed request, which may be sent more than once.
#[derive(Debug)]
pub struct Signed {
    pub draft: Draft,
    pub body: Arc<[u8]>,
    pub sendings: Vec<Outcome>,
}

/// What the client knows of one sending.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It waits for the answer. These images were deleted before, as far as clients were told.
    Open { gone: BTreeSet<String> },
    /// It was told that it is done.
    Done { request_id: String, body: Value },
    /// It was told that it is not done.
    Refused { request_id: String, code: String },
    /// It was told nothing, or that something failed: it may be done.
    Unknown,
}

impl Outcome {
    fn of(reply: &Reply) -> Self {
        let body: Value = serde_json::from_slice(&reply.body).expect("answers are JSON");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let request_id = text("RequestId");
        if reply.status == 200 {
            return Self::Done { request_id, body };
        }
        let code = text("Code");
        // A transaction that fails at its commit may be durable all the same.
        if code == "ServiceUnavailable" { Self::Unknown } else { Self::Refused { request_id, code } }
    }
}

/// Everything that was sent, and what came back.
#[derive(Debug, Default)]
pub struct Oracle {
    pub sent: Vec<Signed>,
    /// Things whose removal was asked for, and not refused.
    removed: BTreeSet<String>,
    /// Images and accounts that they were to be shared with no longer.
    unshared: BTreeSet<(String, String)>,
    /// Images that are deleted, as clients were told, and that nobody has asked to have back since.
    gone: BTreeSet<String>,
}

impl Oracle {
    /// Takes down that a request is sent once more; gives which sending this is.
    pub fn sending(&mut self, request: usize) -> usize {
        let signed = &mut self.sent[request];
        if let Intent::Restore { image } = &signed.draft.intent {
            self.gone.remove(image);
        }
        signed.sendings.push(Outcome::Open { gone: self.gone.clone() });
        signed.sendings.len() - 1
    }

    /// Takes down that nobody will ever answer.
    pub fn lost(&mut self, (request, sending): (usize, usize)) {
        self.conclude(request, sending, Outcome::Unknown);
    }

    /// Takes an answer down, and judges what can be judged at once. `changed` says whether the request has
    /// changed anything.
    pub fn answered(
        &mut self,
        (request, sending): (usize, usize),
        reply: &Reply,
        changed: bool,
    ) -> Option<Violation> {
        let outcome = Outcome::of(reply);
        let signed = &self.sent[request];
        let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. });
        let name = signed.draft.action;
        let mutates = !matches!(signed.draft.intent, Intent::Read | Intent::List);
        let mut violation = self.shown_though_gone(request, sending, reply);
        if mutates && is_done(&outcome) && signed.sendings.iter().any(is_done) {
            violation =
                Some(Violation::new(Rule::Once, format!("request {request}, {name}, succeeded twice")));
        }
        if let (Outcome::Refused { code, .. }, true) = (&outcome, changed) {
            let text = format!("request {request}, {name}, was refused with {code} and changed something");
            violation = Some(Violation::new(Rule::Whole, text));
        }
        self.conclude(request, sending, outcome);
        violation
    }

    /// A listing shows no image that was deleted before it was asked for.
    fn shown_though_gone(&self, request: usize, sending: usize, reply: &Reply) -> Option<Violation> {
        let signed = &self.sent[request];
        let (Intent::List, Outcome::Open { gone }) = (&signed.draft.intent, &signed.sendings[sending]) else {
            return None;
        };
        let body = String::from_utf8_lossy(&reply.body);
        let shown =
            gone.intersection(&self.gone).find(|image| body.contains(&format!("\"ImageId\":\"{image}\"")))?;
        Some(Violation::new(Rule::Acknowledged, format!("request {request} shows {shown}, which is deleted")))
    }

    fn conclude(&mut self, request: usize, sending: usize, outcome: Outcome) {
        let signed = &mut self.sent[request];
        if let (Intent::Remove { id, .. }, Outcome::Done { .. } | Outcome::Unknown) =
            (&signed.draft.intent, &outcome)
        {
            self.removed.insert(id.clone());
        }
        if let (Intent::Share { image, account, add: false }, Outcome::Done { .. } | Outcome::Unknown) =
            (&signed.draft.intent, &outcome)
        {
            self.unshared.insert((image.clone(), account.clone()));
        }
        let deleted = match (&signed.draft.intent, &outcome) {
            (Intent::Delete { images }, Outcome::Done { .. }) => images.clone(),
            _ => Vec::new(),
        };
        signed.sendings[sending] = outcome;
        for image in deleted {
            if !self.is_being_restored(&image) {
                self.gone.insert(image);
            }
        }
    }

    /// Whether a request to have the image back is on the way.
    fn is_being_restored(&self, wanted: &str) -> bool {
        let restores = self
            .sent
            .iter()
            .filter(|signed| matches!(&signed.draft.intent, Intent::Restore { image } if image == wanted));
        restores.flat_map(|signed| &signed.sendings).any(|one| matches!(one, Outcome::Open { .. }))
    }

    /// Whether everything that was told is so.
    pub fn audit(&self, ledger: &Ledger) -> Option<Violation> {
        let found = self.sent.iter().enumerate().find_map(|(request, signed)| {
            let text = self.audit_one(signed, ledger)?;
            Some(Violation {
                text: format!("request {request}, {}: {}", signed.draft.action, text.text),
                ..text
            })
        });
        found.or_else(|| self.audit_deletions(ledger))
    }

    fn audit_one(&self, signed: &Signed, ledger: &Ledger) -> Option<Violation> {
        let draft = &signed.draft;
        if let Intent::Create { table, name, .. } = &draft.intent {
            let made = ledger.column(table.by_name, &[name]).len();
            if made > 1 {
                return Some(Violation::new(Rule::Once, format!("{made} things of one name")));
            }
            if made > 0 && self.is_all_refused(name) {
                return Some(Violation::new(Rule::Whole, "refused, but something was made"));
            }
        }
        signed.sendings.iter().find_map(|outcome| match outcome {
            Outcome::Done { request_id, body } => self.audit_done(draft, request_id, body, ledger),
            Outcome::Refused { request_id, .. } => {
                let sql = "SELECT image_id FROM deletions WHERE request_id = $1";
                ledger.has(sql, &[request_id]).then(|| Violation::new(Rule::Whole, "refused, but deleted"))
            }
            Outcome::Open { .. } | Outcome::Unknown => None,
        })
    }

    /// Whether nobody who asked for a thing of this name may have got it.
    fn is_all_refused(&self, wanted: &str) -> bool {
        let named = self
            .sent
            .iter()
            .filter(|signed| matches!(&signed.draft.intent, Intent::Create { name, .. } if name == wanted));
        named.flat_map(|signed| &signed.sendings).all(|one| matches!(one, Outcome::Refused { .. }))
    }

    fn audit_done(
        &self,
        draft: &Draft,
        request_id: &str,
        body: &Value,
        ledger: &Ledger,
    ) -> Option<Violation> {
        let lost = |what: String| Some(Violation::new(Rule::Acknowledged, what));
        match &draft.intent {
            Intent::Create { table, pointer, .. } => {
                let id = body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let gone = "SELECT 1 FROM deletions WHERE instr(kept, $1) > 0 AND restored_ms IS NULL";
                let there =
                    ledger.has(table.by_id, &[id]) || self.removed.contains(id) || ledger.has(gone, &[id]);
                if there { None } else { lost(format!("{id} was made, and is not there")) }
            }
            Intent::Remove { id, by_id } => ledger
                .has(by_id, &[id])
                .then(|| Violation::new(Rule::Acknowledged, format!("{id} is there again"))),
            Intent::Delete { images } => {
                let sql = "SELECT 1 FROM deletions WHERE request_id = $1 AND image_id = $2";
                let image = images.iter().find(|image| !ledger.has(sql, &[request_id, image]))?;
                lost(format!("the deletion of {image} is lost"))
            }
            Intent::Restore { .. } => {
                let id = body["DeletionId"].as_str().unwrap_or_default();
                let sql = "SELECT 1 FROM deletions WHERE id = $1 AND restored_ms IS NOT NULL";
                if ledger.has(sql, &[id]) { None } else { lost(format!("the restore of {id} is lost")) }
            }
            Intent::Share { image, account, add } => {
                let live = "SELECT 1 FROM images WHERE id = $1 AND deleted_ms IS NULL";
                let shared = "SELECT 1 FROM shares WHERE image_id = $1 AND account_id = $2";
                let must = *add && !self.unshared.contains(&(image.clone(), account.clone()));
                let is_lost = must && ledger.has(live, &[image]) && !ledger.has(shared, &[image, account]);
                if is_lost { lost(format!("{image} is not shared with {account}")) } else { None }
            }
            Intent::Read | Intent::List | Intent::Change => None,
        }
    }

    /// Every deletion was asked for by somebody who was not refused.
    fn audit_deletions(&self, ledger: &Ledger) -> Option<Violation> {
        for row in ledger.rows("SELECT request_id, image_id FROM deletions ORDER BY id", &[]) {
            let asked = self.sent.iter().any(|signed| {
                let Intent::Delete { images } = &signed.draft.intent else { return false };
                images.contains(&row[1])
                    && signed.sendings.iter().any(|outcome| match outcome {
                        Outcome::Done { request_id, .. } => *request_id == row[0],
                        Outcome::Unknown | Outcome::Open { .. } => true,
                        Outcome::Refused { .. } => false,
                    })
            });
            if !asked {
                return Some(Violation::new(Rule::Whole, format!("nobody deleted {}", row[1])));
            }
        }
        None
    }

    /// How many sendings ended in each way: done, refused, unknown.
    pub fn counts(&self) -> [usize; 3] {
        let all = || self.sent.iter().flat_map(|signed| &signed.sendings);
        [
            all().filter(|one| matches!(one, Outcome::Done { .. })).count(),
            all().filter(|one| matches!(one, Outcome::Refused { .. })).count(),
            all().filter(|one| matches!(one, Outcome::Unknown)).count(),
        ]
    }
}

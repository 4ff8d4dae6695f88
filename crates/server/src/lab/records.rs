//! Records: what a world has asked and was answered, without secrets.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;

use calotype_core::ids::AccountId;
use serde_json::{Map, Value, json};

use super::lock;
use super::worlds::{ACCOUNT_PREFIX, KEY_PREFIX};
use crate::operations::Incoming;
use crate::wire::reply::Reply;
use crate::wire::request::Request;

/// Requests that are kept of one world; the oldest are forgotten first.
pub const ENTRIES_MAX: usize = 10_000;

/// The longest answer that is kept, in bytes.
pub const ENTRY_BYTES_MAX: usize = 64 << 10;

/// What all worlds together may keep, in bytes of parameters and answers.
const BYTES_MAX: usize = 256 << 20;

/// Parameters of the signature, which say nothing about what is asked.
const COMMON: [&str; 11] = [
    "AccessKeyId",
    "Action",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// Members and parameters whose values are secrets.
const SECRET: [&str; 5] =
    ["AccessKeyId", "AccessKeySecret", "EncodedDiagnosticMessage", "Password", "SecurityToken"];

/// What stands in the place of a secret.
const REMOVED: &str = "<removed>";

/// The records of every world that was heard of.
#[derive(Debug, Default)]
pub(super) struct Records(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    worlds: BTreeMap<AccountId, Record>,
}

#[derive(Debug, Default)]
struct Record {
    entries: VecDeque<(usize, Value)>,
    left_out: u64,
}

impl State {
    fn forget(&mut self, account: &AccountId) {
        let record = self.worlds.remove(account).unwrap_or_default();
        self.bytes -= record.entries.iter().map(|(bytes, _)| bytes).sum::<usize>();
    }
}

impl Records {
    /// Keeps a request and its answer.
    pub(super) fn keep(&self, account: &AccountId, incoming: &Incoming<'_>, reply: &Reply, kept_back: bool) {
        if !account.as_str().starts_with(ACCOUNT_PREFIX) {
            return;
        }
        let request = Request::parse(incoming.method, incoming.uri, incoming.headers, incoming.body);
        let Ok(request) = request else { return };
        let asked: Map<String, Value> = request
            .params
            .iter()
            .filter(|(name, _)| !COMMON.contains(name))
            .map(|(name, value)| {
                (name.to_owned(), if is_secret(name) { REMOVED.into() } else { value.into() })
            })
            .collect();
        let mut answer = match reply.body.len() {
            0..=ENTRY_BYTES_MAX => serde_json::from_slice(&reply.body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&reply.body).into_owned().into()),
            bytes => json!({ "left_out_bytes": bytes }),
        };
        remove_secrets(&mut answer);
        let entry = json!({
            "operation": request.action,
            "version": request.version,
            "parameters": asked,
            "status": reply.status,
            "answer": answer,
            "answered": !kept_back,
        });
        let bytes = incoming.body.len() + reply.body.len().min(ENTRY_BYTES_MAX) + 256;
        let mut state = lock(&self.0);
        let is_full = state.bytes + bytes > BYTES_MAX;
        let State { bytes: sum, worlds } = &mut *state;
        let record = worlds.entry(account.clone()).or_default();
        if is_full {
            record.left_out += 1;
            return;
        }
        *sum += bytes;
        record.entries.push_back((bytes, entry));
        if record.entries.len() > ENTRIES_MAX {
            record.left_out += 1;
            *sum -= record.entries.pop_front().map_or(0, |(bytes, _)| bytes);
        }
    }

    /// Forgets what a world has asked so far.
    pub(super) fn forget(&self, account: &AccountId) {
        lock(&self.0).forget(account);
    }

    /// What a world has asked and was answered: as it was, or with marks in the place of what differs from run to
    /// run.
    pub(super) fn show(&self, account: &AccountId, is_plain: bool) -> Value {
        let (left_out, mut entries) = lock(&self.0).worlds.get(account).map_or_else(
            || (0, Vec::new()),
            |record| (record.left_out, record.entries.iter().map(|(_, entry)| entry.clone()).collect()),
        );
        if is_plain {
            return json!({ "account": account.as_str(), "left_out": left_out, "entries": entries });
        }
        let mut marks = Marks::default();
        for entry in &mut entries {
            marks.set(entry);
        }
        json!({ "left_out": left_out, "entries": entries })
    }
}

/// Passwords have names of many kinds.
fn is_secret(name: &str) -> bool {
    SECRET.contains(&name) || name.contains("Password") || name.contains("Secret")
}

fn remove_secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if is_secret(name) && value.is_string() {
                    *value = REMOVED.into();
                } else {
                    remove_secrets(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(remove_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Names for ids, in the order in which they come up: the same in every run that does the same.
#[derive(Debug, Default)]
struct Marks {
    given: HashMap<String, String>,
    counts: HashMap<&'static str, u32>,
}

impl Marks {
    fn set(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.marked(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.set(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    match name.as_str() {
                        "HostId" => *value = "<host>".into(),
                        "AliUid" => *value = self.marked(&value.to_string()).into(),
                        _ => self.set(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A text with marks for the ids and times in it.
    fn marked(&mut self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let (mut marked, mut rest) = (String::with_capacity(text.len()), text);
        while !rest.is_empty() {
            if let Some(length) = time_at(rest) {
                marked.push_str("<time>");
                rest = &rest[length..];
                continue;
            }
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (token, after) = rest.split_at(length);
            marked.push_str(&self.mark(token));
            let next = after.chars().next();
            marked.extend(next);
            rest = &after[next.map_or(0, char::len_utf8)..];
        }
        marked
    }

    fn mark(&mut self, token: &str) -> String {
        let Some(kind) = kind(token) else { return token.to_owned() };
        if let Some(mark) = self.given.get(token) {
            return mark.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let mark = format!("<{kind}-{count}>");
        self.given.insert(token.to_owned(), mark.clone());
        mark
    }
}

/// What kind of id this is, if it is one that is made afresh.
fn kind(token: &str) -> Option<&'static str> {
    const PREFIXES: [(&str, &str); 12] = [
        ("m-", "image"),
        ("imgc-", "image"),
        ("i-", "instance"),
        ("aig-", "group"),
        ("ws-", "workstation"),
        ("iv-", "version"),
        ("b-", "template"),
        ("d-", "disk"),
        ("s-", "snapshot"),
        ("r-", "replica"),
        ("del-", "deletion"),
        (KEY_PREFIX, "key"),
    ];
    const STEM_DIGITS: usize = 25;
    let is_stem = |rest: &str| rest.len() == STEM_DIGITS && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_key = |prefix: &str, rest: &str| prefix == KEY_PREFIX && !rest.is_empty();
    let prefixed = PREFIXES.iter().find_map(|(prefix, kind)| {
        token.strip_prefix(prefix).filter(|rest| is_stem(rest) || is_key(prefix, rest)).map(|_| *kind)
    });
    let is_uuid = || {
        let groups: Vec<usize> = token.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && token.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
    };
    let is_account = || {
        token.len() == 16 && token.starts_with(ACCOUNT_PREFIX) && token.bytes().all(|b| b.is_ascii_digit())
    };
    prefixed.or_else(|| is_uuid().then_some("request")).or_else(|| is_account().then_some("account"))
}

/// The length of the time that a text begins with, in one of the two forms that answers have.
fn time_at(text: &str) -> Option<usize> {
    ["0000-00-00T00:00:00Z", "0000-00-00T00:00Z", "0000-00-00 00:00:00"].into_iter().find_map(|form| {
        let start = text.as_bytes().get(..form.len())?;
        let fits = |(byte, mark): (&u8, u8)| if mark == b'0' { byte.is_ascii_digit() } else { *byte == mark };
        start.iter().zip(form.bytes()).all(fits).then_some(form.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_get_marks_that_are_the_same_in_every_run() {
        let mut marks = Marks::default();
        let image = "m-0mgw7d2k3abcdefghij012345";
        assert_eq!(marks.marked(image), "<image-1>");
        let text =
            format!("of {image}, m-0mgw7d2k3abcdefghij012346 at 2026-03-27T08:09:10Z (2026-03-27 08:09:10)");
        assert_eq!(marks.marked(&text), "of <image-1>, <image-2> at <time> (<time>)");
        assert_eq!(marks.marked("1900000000000001"), "<account-1>");
        assert_eq!(marks.marked("acs:ram::1900000000000001:root"), "acs:ram::<account-1>:root");
        assert_eq!(marks.marked("0D94920B-0349-5097-A57F-31876405F2E5"), "<request-1>");
        for same in ["m-1", "centos_6_08_64_20G_alibase_20171208", "cn-beijing", "i-", "é", "2026-03-27"] {
            assert_eq!(marks.marked(same), same);
        }
    }

    #[test]
    fn secrets_are_removed_wherever_they_are() {
        let mut answer =
            json!({ "Credentials": [{ "AccessKeySecret": "s", "SecurityToken": "t", "Expiration": "e" }] });
        remove_secrets(&mut answer);
        let removed = json!({ "AccessKeySecret": REMOVED, "SecurityToken": REMOVED, "Expiration": "e" });
        assert_eq!(answer, json!({ "Credentials": [removed] }));
        assert!(
            is_secret("Password")
                && is_secret("UserPassword")
                && !is_secret("PasswordInherit2".get(0..4).unwrap())
        );
    }
}

//! `docs/errors.md`: every code of every operation, and the test that meets it.
//!
//! The tables are the products' own; what the operations refuse with is what the tests have met, which they note in
//! the folder `CALOTYPE_MET`. `cargo xtask test` lets them, and then compares the document with the notes in
//! `CALOTYPE_ERRORS`; `cargo xtask errors` writes it anew. Without notes, it is only seen that no row is made up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use calotype::operations::OPERATIONS;
use calotype::products::documented::{Documented, gateway_refusals, refusals};
use calotype::products::{Api, Operation};
use calotype::wire::fault::ErrorRow;
use serde_json::Value;

/// The test that meets every code of every API on each of its operations, in the lab.
const BY_THE_LAB: &str = "e2e test_lab_faults::test_every_refusal_of_every_operation";

/// The statuses that the listener refuses with.
const LISTENER: [u16; 3] = [408, 413, 431];

/// What stands for the name of a parameter.
const ANY: &str = "%s";

const INTRODUCTION: &str = "\
# Errors

Written by `cargo xtask errors`, and compared by `cargo xtask test` with what the tests have met. Status, code and the
words of when are those of the tables that the server itself refuses with. The test in the last column has met the code
on that operation: `it` in `crates/server/tests/it`, `e2e` in `tests/e2e` with the official SDKs.

No row needs the lab, but those that say so. In [the lab](lab.md) every code of an API, and of the gateway, can be met
on every operation of that API. Before it is known what a request is, the listener refuses it with 408, 413 or 431 if it
is too slow or too large: see [configuration.md](configuration.md).
";

/// A refusal that a test has met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Met {
    version: String,
    operation: String,
    status: u16,
    code: String,
    message: String,
}

type Tests = BTreeMap<Met, BTreeSet<String>>;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md")
}

#[test]
fn errors_document_is_up_to_date() {
    let found = std::fs::read_to_string(path()).unwrap_or_default();
    let Some(folder) = std::env::var_os("CALOTYPE_ERRORS") else { return };
    let written = document(&notes(Path::new(&folder)), &found);
    if std::env::var_os("CALOTYPE_BLESS").is_some() {
        std::fs::write(path(), &written).unwrap();
        return;
    }
    assert_eq!(found, written, "run `cargo xtask errors`");
}

/// Whoever reads a row can run its test, and no code stands there that no table has.
#[test]
fn no_row_of_the_errors_document_is_made_up() {
    let found = std::fs::read_to_string(path()).unwrap();
    let sources = [sources("tests/it", "rs"), sources("../../tests/e2e", "py")].concat();
    for operation in OPERATIONS {
        let heading = format!("\n### {} {}\n", operation.api.name, operation.name);
        assert!(found.contains(&heading), "{heading}");
    }
    let mut api = None;
    for line in found.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            api = OPERATIONS.iter().map(|operation| operation.api).find(|api| title.starts_with(api.name));
        }
        let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect();
        let [status, code, _, test] = cells.as_slice() else { continue };
        let Ok(status) = status.parse::<u16>() else { continue };
        let rows = api.map(rows).unwrap_or_default();
        let gateway = gateway_refusals();
        let is_told = |row: &ErrorRow| row.status == status && (fits(&row.code, code) || row.code == *code);
        assert!(rows.iter().any(|told| is_told(&told.row)) || gateway.iter().any(is_told), "{line}");
        let name = test.rsplit("::").next().unwrap();
        let is_there =
            [format!("fn {name}("), format!("def {name}(")].iter().any(|text| sources.contains(text));
        assert!(is_there, "there is no test {name}: {line}");
    }
}

/// All source files of a folder, one after the other.
fn sources(folder: &str, ending: &str) -> String {
    let mut text = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

fn notes(folder: &Path) -> Tests {
    let mut tests = Tests::new();
    for suite in ["it", "e2e"] {
        let path = folder.join(format!("{suite}.jsonl"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for line in text.lines() {
            let note: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            let met = Met {
                version: text("version"),
                operation: text("operation"),
                status: u16::try_from(note["status"].as_u64().unwrap()).unwrap(),
                code: text("code"),
                message: text("message"),
            };
            // What is too large or too slow is refused before it is known what it is.
            if !LISTENER.contains(&met.status) {
                tests.entry(met).or_default().insert(text("test"));
            }
        }
    }
    tests
}

/// The refusals of an API; those that are seen alike are one.
fn rows(api: &Api) -> Vec<Documented> {
    let mut rows: Vec<Documented> = Vec::new();
    for refusal in refusals(api) {
        match rows.iter_mut().find(|row| row.row == refusal.row) {
            Some(row) if row.when != refusal.when => row.when = format!("{}; {}", row.when, refusal.when),
            Some(_) => {}
            None => rows.push(refusal),
        }
    }
    rows
}

/// Whether a text is one that a row stands for.
fn fits(row: &str, text: &str) -> bool {
    let mut parts = row.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let at = if index + 1 == parts.len() { rest.rfind(part) } else { rest.find(part) };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// The row that something met is of: with its words, or else with its code.
fn row_of<'r>(rows: &'r [Documented], met: &Met) -> Option<&'r Documented> {
    let like = |row: &&Documented| row.row.status == met.status && fits(&row.row.code, &met.code);
    let worded = |row: &&Documented| like(row) && fits(&row.row.message, &met.message);
    rows.iter().find(worded).or_else(|| rows.iter().find(like))
}

/// One of the tests: the one that stands there already, or one of the operation's own.
fn choose<'t>(tests: &'t BTreeSet<String>, operation: &str, found: &str) -> &'t str {
    let name: String =
        operation.chars().flat_map(|c| if c.is_uppercase() { vec!['_', c] } else { vec![c] }).collect();
    let own = format!("it {}::", name.to_lowercase().trim_start_matches('_'));
    let stands = tests.iter().find(|test| found.contains(&format!("`{test}`")));
    let own = tests.iter().find(|test| test.starts_with(&own));
    own.or(stands).or_else(|| tests.first()).unwrap()
}

fn document(tests: &Tests, found: &str) -> String {
    let mut text = INTRODUCTION.to_owned();
    let (apis, gateway) = by_operation(tests);
    text.push_str(
        "\n## Of every operation: the gateway\n\n| Status | Code | Message | Test |\n|---|---|---|---|\n",
    );
    for row in gateway_refusals() {
        let start = format!("| {} | `{}` | {} | ", row.status, row.code, row.message.replace('|', "\\|"));
        let stands = found.lines().find(|line| line.starts_with(&start)).unwrap_or_default();
        // Some repeat what was signed, so a row is met with many messages.
        let of_row = gateway.iter().filter(|(met, _)| is_of_row(met, &row));
        let tests: BTreeSet<String> = of_row.flat_map(|(_, tests)| tests).cloned().collect();
        let test = if tests.is_empty() {
            "e2e test_lab_faults::test_each_code_of_the_gateway"
        } else {
            choose(&tests, "", stands)
        };
        writeln!(text, "{start}`{test}` |").unwrap();
    }
    for (api, operations) in apis {
        writeln!(text, "\n## {} {}", api.name, api.version).unwrap();
        let mut seen = BTreeSet::new();
        for (operation, refused) in operations {
            writeln!(text, "\n### {} {}\n", api.name, operation.name).unwrap();
            if refused.is_empty() {
                text.push_str("Nothing but the gateway's.\n");
                continue;
            }
            text.push_str("| Status | Code | When | Test |\n|---|---|---|---|\n");
            for ((status, code, when), tests) in refused {
                let test = choose(&tests, operation.name, found);
                writeln!(text, "| {status} | `{code}` | {when} | `{test}` |").unwrap();
                seen.insert((status, when));
            }
        }
        by_the_lab(&mut text, api, &seen);
    }
    text
}

/// What no test has met but in the lab.
fn by_the_lab(text: &mut String, api: &Api, seen: &BTreeSet<(u16, String)>) {
    let is_seen = |row: &Documented| {
        seen.iter().any(|(status, when)| *status == row.row.status && fits(&row.when, when))
    };
    let is_gateways = |row: &Documented| gateway_refusals().contains(&row.row);
    let rest: Vec<Documented> =
        rows(api).into_iter().filter(|row| !is_seen(row) && !is_gateways(row)).collect();
    if rest.is_empty() {
        return;
    }
    writeln!(
        text,
        "\n### {}, met in the lab alone\n\n| Status | Code | When | Test |\n|---|---|---|---|",
        api.name
    )
    .unwrap();
    for row in rest {
        writeln!(text, "| {} | `{}` | {} | `{BY_THE_LAB}` |", row.row.status, row.row.code, row.when)
            .unwrap();
    }
}

fn is_of_row(met: &Met, row: &ErrorRow) -> bool {
    met.status == row.status && fits(&row.code, &met.code) && fits_start(&row.message, &met.message)
}

/// Texts that repeat what was signed go on behind their row's.
fn fits_start(row: &str, text: &str) -> bool {
    let start = row.split(['[', '%']).next().unwrap_or_default();
    text.starts_with(start)
}

/// What the operations of each API were refused with, in the order of the table.
type ByOperation = Vec<(&'static Api, Vec<(&'static Operation, Refused)>)>;

type Refused = BTreeMap<(u16, String, String), BTreeSet<String>>;

/// What each operation was refused with, in the order of the table, and what the gateway has refused.
fn by_operation(tests: &Tests) -> (ByOperation, Tests) {
    let mut apis = ByOperation::new();
    let mut gateway = Tests::new();
    for operation in OPERATIONS {
        if apis.last().is_none_or(|(api, _)| *api != operation.api) {
            apis.push((operation.api, Vec::new()));
        }
        let rows = rows(operation.api);
        let mut refused = Refused::new();
        let own = |met: &Met| met.version == operation.api.version && met.operation == operation.name;
        for (met, tests) in tests.iter().filter(|(met, _)| own(met)) {
            if let Some(row) = row_of(&rows, met) {
                let prefix = row.row.code.split(ANY).next().unwrap_or_default();
                let when = row.when.replace(ANY, met.code.strip_prefix(prefix).unwrap_or_default());
                let key = (met.status, met.code.clone(), when);
                refused.entry(key).or_default().extend(tests.iter().cloned());
            } else {
                let is_gateways = gateway_refusals().iter().any(|row| is_of_row(met, row));
                assert!(is_gateways || met.code.starts_with("Missing"), "no table has {met:?}");
                gateway.entry(met.clone()).or_default().extend(tests.iter().cloned());
            }
        }
        if let Some((_, operations)) = apis.last_mut() {
            operations.push((operation, refused));
        }
    }
    // What is no operation at all is the gateway's to refuse.
    for (met, tests) in tests {
        gateway.entry(met.clone()).or_default().extend(tests.iter().cloned());
    }
    (apis, gateway)
}

#[test]
fn a_row_stands_for_what_it_was_made_with() {
    assert!(fits("InvalidParameter.%s", "InvalidParameter.ImageId"));
    assert!(fits("%s is mandatory for %s.", "A is mandatory for B."));
    for (row, text) in [("Invalid%s", "Missing"), ("a", "ab"), ("a%sb", "a"), ("a%sb", "axbc")] {
        assert!(!fits(row, text), "{row} {text}");
    }
}

//! Documents that are written by the program: this compares them, or writes them anew when
//! `CALOTYPE_BLESS` is set.

#![expect(clippy::unwrap_used, reason = "a document that cannot be written has failed")]

#[path = "docs/errors.rs"]
mod errors;

use std::fmt::Write as _;
use std::path::Path;

use calotype::app::App;
use calotype::clock::Clock;
use calotype::config::{Config, Overrides};
use calotype::operations::{Incoming, OPERATIONS, dispatch};
use calotype::products::{Kind, Operation, Parameter};
use hyper::{HeaderMap, Method, Uri};

#[test]
fn operations_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let written = operations();
    if std::env::var_os("CALOTYPE_BLESS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, written, "run `cargo xtask bless`");
}

fn operations() -> String {
    let mut text = String::from(
        "# Operations\n\nWritten by `cargo xtask bless`. A star marks what must be there. Every operation also takes \
         the common parameters of the signature, and ignores parameters that it does not know.\n",
    );
    let mut last = "";
    for operation in OPERATIONS {
        if operation.api.name != last {
            last = operation.api.name;
            writeln!(text, "\n## {} {}", operation.api.name, operation.api.version).unwrap();
        }
        write_operation(&mut text, operation);
    }
    text
}

fn write_operation(text: &mut String, operation: &Operation) {
    writeln!(text, "\n### {}\n\n{}", operation.name, operation.summary).unwrap();
    writeln!(text, "\nAction `{}`.", operation.action).unwrap();
    if !operation.parameters.is_empty() {
        let parameters: Vec<String> = operation.parameters.iter().map(parameter).collect();
        writeln!(text, "\n{}", parameters.join(", ")).unwrap();
    }
}

fn parameter(parameter: &Parameter) -> String {
    let star = if parameter.required { "*" } else { "" };
    let kind = match parameter.kind {
        Kind::Text => "",
        Kind::Integer => " (integer)",
        Kind::Number => " (number)",
        Kind::Boolean => " (boolean)",
        Kind::FlatList => " (`.1`, `.2`, ...)",
        Kind::JsonList => " (JSON list)",
        Kind::CommaList => " (joined by commas)",
        Kind::JsonObject => " (JSON object)",
        Kind::FlatObject => " (`.Member`)",
    };
    format!("`{}`{star}{kind}", parameter.name)
}

/// Everything that `/metrics` tells stands in its table, and nothing else.
#[tokio::test]
async fn metrics_document_is_up_to_date() {
    const BEGIN: &str = "<!-- metrics: written by `cargo xtask bless` -->\n";
    const END: &str = "<!-- end -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/observability.md");
    let found = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = found.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let written = [before, BEGIN, &metrics().await, END, after].concat();
    if std::env::var_os("CALOTYPE_BLESS").is_some() {
        std::fs::write(&path, &written).unwrap();
        return;
    }
    assert_eq!(found, written, "run `cargo xtask bless`");
}

async fn metrics() -> String {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides { data: Some(folder.path().join("data")), ..Overrides::default() };
    let config = Config::load(&overrides, |_| None).unwrap();
    let app = App::open(config, Clock::System).await.unwrap();
    // Whatever it is: from now on there are requests.
    let (method, uri, headers) = (Method::GET, Uri::default(), HeaderMap::new());
    let incoming =
        Incoming { method: &method, uri: &uri, headers: &headers, body: b"", peer: None, secure: false };
    dispatch(&app, &incoming).await;
    let text = app.metrics.read(&app.db, app.clock.now()).await;

    let mut table = String::from("| Name | Type | Labels | What |\n|---|---|---|---|\n");
    for line in text.lines() {
        let Some((family, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {family} "))).unwrap();
        let (suffix, series) = match kind {
            "counter" => ("_total", "_total"),
            "info" => ("_info", "_info"),
            "histogram" => ("", "_count"),
            _ => ("", ""),
        };
        let sample = format!("{family}{series}");
        let is_sample =
            |line: &&str| line.strip_prefix(&sample).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let sample = text.lines().find(is_sample).unwrap_or_else(|| panic!("no {sample}"));
        let labels = sample.split(['{', ',']).skip(1).filter_map(|label| label.split_once('='));
        let labels: Vec<String> = labels.map(|(label, _)| format!("`{label}`")).collect();
        writeln!(table, "| `{family}{suffix}` | {kind} | {} | {help} |", labels.join(" ")).unwrap();
    }
    table
}

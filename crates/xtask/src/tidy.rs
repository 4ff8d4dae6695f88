//! The rules of the source that no compiler knows. Each finding names the file, the line and the rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Outcome, root};

/// Lines in a file, and lines in a function: tripwires, not goals.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 120;

/// Lines in a file of end-to-end tests, which are read one test at a time.
const END_TO_END_LINES_MAX: usize = 700;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[
    ("crates/store/src/images.rs", "all the SQL of one table, with the words of its columns"),
    ("crates/store/src/instances.rs", "all the SQL of one table, with the words of its columns"),
    ("crates/store/src/replicas.rs", "all the SQL of one table, with the words of its columns"),
];

/// Functions that may be longer, each with its reason.
const LONG_FUNCTIONS: &[(&str, &str)] =
    &[("row", "one exhaustive match: the only place where a product's wire codes are written")];

/// What each part of the server may use of the rest of it.
const LAYERS: &[(&str, &[&str])] = &[
    ("wire", &["wire"]),
    ("clock", &[]),
    ("config", &["config", "identity", "throttle"]),
    ("identity", &["config", "sessions", "wire"]),
    ("sessions", &["clock", "wire"]),
    ("throttle", &[]),
    ("tls", &["config", "wire"]),
    ("metrics", &[]),
    ("logging", &[]),
    ("audit", &["logging", "metrics"]),
    ("app", &["clock", "config", "identity", "metrics", "sessions", "throttle", "wire"]),
    ("service", &["service", "app", "audit", "clock", "config", "sessions"]),
    ("products", &["products", "service", "app", "clock", "wire"]),
    ("operations", &["products", "service", "app", "clock", "identity", "sessions", "throttle", "wire"]),
    ("http", &["operations", "app", "metrics", "tls", "wire"]),
    ("lab", &["lab", "app", "clock", "config", "identity", "operations", "products", "wire"]),
    ("workers", &["workers", "app", "clock", "logging", "metrics", "sessions"]),
    ("backup", &["app", "clock", "config"]),
    ("check", &["check", "app", "clock", "config"]),
    ("client", &["clock", "wire"]),
    ("demo", &["app", "client", "clock", "config", "http", "products", "workers"]),
];

/// Runs every rule.
pub(crate) fn run() -> Outcome {
    let root = root();
    let mut findings = Vec::new();
    for path in files(&root, "rs") {
        let name = relative(&root, &path);
        let text = read(&path)?;
        lengths(&name, &text, FILE_LINES_MAX, &mut findings);
        functions(&name, &text, &mut findings);
        layers(&name, &text, &mut findings);
        if name.ends_with("/mod.rs") {
            findings.push(format!("{name}: a module's file is named after the module"));
        }
    }
    for path in files(&root, "py") {
        let name = relative(&root, &path);
        lengths(&name, &read(&path)?, END_TO_END_LINES_MAX, &mut findings);
    }
    requirements(&root, &mut findings)?;
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

fn lengths(name: &str, text: &str, lines_max: usize, findings: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > lines_max && !LONG_FILES.iter().any(|(file, _)| *file == name) {
        findings.push(format!("{name}: {lines} lines are more than {lines_max}"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let chars = line.chars().count();
        if chars > LINE_CHARS_MAX {
            findings.push(format!("{name}:{number}: {chars} characters are more than {LINE_CHARS_MAX}"));
        }
    }
}

/// Formatted code ends a function with a brace as far in as its first line.
fn functions(name: &str, text: &str, findings: &mut Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(function) = function_name(code) else { continue };
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[start..].iter().position(|line| *line == end).map_or(0, |offset| offset + 1);
        if length > FUNCTION_LINES_MAX && !LONG_FUNCTIONS.iter().any(|(long, _)| *long == function) {
            let number = start + 1;
            findings.push(format!(
                "{name}:{number}: {function} has {length} lines, more than {FUNCTION_LINES_MAX}"
            ));
        }
    }
}

fn function_name(code: &str) -> Option<&str> {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "];
    let mut rest = code;
    while let Some(shorter) = words.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = shorter;
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

/// Inside the server, uses go downwards only; a product uses no other product and no store.
fn layers(name: &str, text: &str, findings: &mut Vec<String>) {
    let Some(inside) = name.strip_prefix("crates/server/src/") else { return };
    let part = inside.split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == part) else { return };
    let product = inside.strip_prefix("products/").and_then(|rest| rest.split(['/', '.']).next());
    for (number, line) in (1..).zip(text.lines()) {
        let Some(used) = line.trim_start().strip_prefix("use crate::") else {
            if part == "products" && !inside.ends_with("error.rs") && line.contains("calotype_store::") {
                findings.push(format!("{name}:{number}: a product does not use the store"));
            }
            continue;
        };
        let target = used.split([':', ';']).next().unwrap_or_default();
        if !target.starts_with('{') && !allowed.contains(&target) {
            findings.push(format!("{name}:{number}: {part} does not use {target}"));
        }
        let other = used.strip_prefix("products::").and_then(|rest| rest.split([':', ';']).next());
        // A product has a folder; what lies beside them serves all.
        let is_product = |other: &&str| root().join(format!("crates/server/src/products/{other}")).is_dir();
        let crossing = other.filter(is_product).filter(|other| Some(*other) != product);
        if let (Some(other), Some(product)) = (crossing, product) {
            findings.push(format!("{name}:{number}: the product {product} does not use the product {other}"));
        }
    }
}

/// Every test that the requirements name exists.
fn requirements(root: &Path, findings: &mut Vec<String>) -> Outcome {
    let mut tests = BTreeSet::new();
    for path in files(root, "rs").into_iter().chain(files(root, "py")) {
        for line in read(&path)?.lines() {
            let code = line.trim_start();
            let name = function_name(code).or_else(|| code.strip_prefix("def ")?.split('(').next());
            tests.extend(name.map(str::to_owned));
        }
    }
    let document = read(&root.join("docs/requirements.md"))?;
    for (number, line) in (1..).zip(document.lines()).filter(|(_, line)| line.starts_with('|')) {
        for name in line.split('`').skip(1).step_by(2).filter(|name| is_test_name(name)) {
            if !tests.contains(name) {
                findings.push(format!("docs/requirements.md:{number}: there is no test {name}"));
            }
        }
    }
    Ok(())
}

fn is_test_name(name: &str) -> bool {
    let rest = name.strip_prefix("test_").unwrap_or(name);
    rest.strip_prefix('d')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('_'))
}

/// The source files of the project with this ending, in order.
fn files(root: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("python"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

//! Documents that are written by the program: this compares them, or writes them anew when
//! `CALOTYPE_BLESS` is set.

#![expect(clippy::unwrap_used, reason = "a document that cannot be written has failed")]

use std::fmt::Write as _;
use std::path::Path;

use calotype::operations::OPERATIONS;
use calotype::products::{Kind, Operation, Parameter};

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

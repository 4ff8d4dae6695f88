//! JSON values as XML, in the way the vendor's older replies have it.

use serde_json::Value;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// Writes a document with one root element.
pub(super) fn document<'v, N: AsRef<str>>(
    root: &str,
    members: impl Iterator<Item = (N, &'v Value)>,
) -> Vec<u8> {
    let mut out = DECLARATION.to_owned();
    let root = element_name(root);
    out.extend(["<", &root, ">"]);
    for (name, value) in members {
        push(&mut out, name.as_ref(), value);
    }
    out.extend(["</", &root, ">"]);
    out.into_bytes()
}

/// Appends one member: an array as its name repeated, null as an empty element.
fn push(out: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        for item in items {
            push(out, name, item);
        }
        return;
    }
    let name = element_name(name);
    out.extend(["<", &name, ">"]);
    match value {
        Value::Null | Value::Array(_) => {}
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => push_text(out, text),
        Value::Object(members) => {
            for (name, value) in members {
                push(out, name, value);
            }
        }
    }
    out.extend(["</", &name, ">"]);
}

/// Appends a text. Characters that XML 1.0 cannot hold in any spelling are dropped.
fn push_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A bare carriage return would come out of the reader as a newline.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => out.push(character),
            _ => {}
        }
    }
}

/// The name with every character replaced that may not stand in the name of an element.
///
/// Names come from this program and are in order; should one ever hold a request's text, it cannot end
/// the element.
fn element_name(name: &str) -> String {
    let allowed = |(at, character): (usize, char)| match character {
        'A'..='Z' | 'a'..='z' | '_' => character,
        '0'..='9' | '-' | '.' if at > 0 => character,
        _ => '_',
    };
    let name: String = name.chars().enumerate().map(allowed).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

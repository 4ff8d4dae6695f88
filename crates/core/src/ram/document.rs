//! Reads the JSON of a policy strictly, and says where a fault is.

use serde_json::Value;

/// The text cannot be stored as a policy.
///
/// Prints the place and the problem, such as `policy.Statement[0].Effect: expected "Allow" or "Deny",
/// found "Permit"`. Of the text itself it repeats short, escaped pieces only, so it may be logged and
/// sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct PolicyError {
    place: String,
    problem: String,
}

impl PolicyError {
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// Parses the text, which is at most `length_max` of `unit` long, `length` being how many it has.
pub(super) fn parse(
    document: &str,
    length: usize,
    length_max: usize,
    unit: &str,
) -> Result<Value, PolicyError> {
    if length > length_max {
        return Err(PolicyError::new("policy", format!("longer than {length_max} {unit}")));
    }
    let value: Value = serde_json::from_str(document).map_err(|error| {
        PolicyError::new("policy", format!("not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    if members_written(document) != members_kept(&value) {
        return Err(PolicyError::new("policy", "a member occurs twice in one object"));
    }
    Ok(value)
}

/// Returns the statements of a policy after checking what stands around them.
pub(super) fn statements<'a>(root: &Node<'a>) -> Result<Vec<Node<'a>>, PolicyError> {
    root.allow_only(&["Version", "Statement"])?;
    let version = root.get("Version")?;
    if version.text()? != "1" {
        return Err(version.expected("\"1\""));
    }
    root.get("Statement")?.list()
}

/// One value of the document, with its place for error messages.
#[derive(Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, place: "policy".to_owned() }
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn refuse(&self, problem: impl Into<String>) -> PolicyError {
        PolicyError::new(&self.place, problem)
    }

    pub(super) fn expected(&self, what: &str) -> PolicyError {
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(_) => "a number".to_owned(),
            Value::String(text) => excerpt(text),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        self.refuse(format!("expected {what}, found {found}"))
    }

    /// Refuses anything but an object whose members are among the known ones.
    pub(super) fn allow_only(&self, known: &[&str]) -> Result<(), PolicyError> {
        match self.object()?.keys().find(|member| !known.contains(&member.as_str())) {
            Some(unknown) => Err(self.refuse(format!("unknown member {}", excerpt(unknown)))),
            None => Ok(()),
        }
    }

    pub(super) fn find(&self, member: &str) -> Option<Self> {
        let value = self.value.get(member)?;
        Some(Self { value, place: format!("{}.{member}", self.place) })
    }

    pub(super) fn get(&self, member: &str) -> Result<Self, PolicyError> {
        self.find(member).ok_or_else(|| self.refuse(format!("{member} is missing")))
    }

    /// Returns every member of an object whose member names are the policy's own choice.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Self)>, PolicyError> {
        let node =
            |member: &str, value| Self { value, place: format!("{}[{}]", self.place, excerpt(member)) };
        Ok(self.object()?.iter().map(|(member, value)| (member.as_str(), node(member, value))).collect())
    }

    /// Returns the items of a list, of which there is at least one.
    pub(super) fn list(&self) -> Result<Vec<Self>, PolicyError> {
        let Value::Array(items) = self.value else { return Err(self.expected("a list")) };
        if items.is_empty() {
            return Err(self.refuse("must not be empty"));
        }
        let node = |(index, value)| Self { value, place: format!("{}[{index}]", self.place) };
        Ok(items.iter().enumerate().map(node).collect())
    }

    /// Returns the items of a list, or the one value that stands for a list of one.
    pub(super) fn one_or_many(&self) -> Result<Vec<Self>, PolicyError> {
        if self.value.is_array() { self.list() } else { Ok(vec![self.clone()]) }
    }

    pub(super) fn text(&self) -> Result<&'a str, PolicyError> {
        self.value.as_str().ok_or_else(|| self.expected("a text"))
    }

    fn object(&self) -> Result<&'a serde_json::Map<String, Value>, PolicyError> {
        self.value.as_object().ok_or_else(|| self.expected("an object"))
    }
}

const EXCERPT_CHARS: usize = 40;

/// Quotes the beginning of a text from outside, with everything unprintable escaped.
pub(super) fn excerpt(text: &str) -> String {
    let head: String = text.chars().take(EXCERPT_CHARS).collect();
    let ellipsis = if head.len() < text.len() { "..." } else { "" };
    format!("{head:?}{ellipsis}")
}

/// Counts the members in well-formed JSON: outside of texts, a colon stands after each member name
/// and nowhere else. The parser keeps the last of two equal members, so if fewer are kept than were
/// written, a reader could be shown another policy than the one that is applied.
fn members_written(document: &str) -> usize {
    let (mut count, mut in_text, mut escaped) = (0, false, false);
    for byte in document.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b':' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

fn members_kept(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(members_kept).sum::<usize>(),
        Value::Array(items) => items.iter().map(members_kept).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

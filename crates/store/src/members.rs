//! Names with values, kept as one JSON object in one column that no rule looks into.

use crate::db::{Result, StoreError};

/// The object as text: in the order of the names, without blanks.
pub(crate) fn to_text(members: &[(String, String)]) -> String {
    let members = members.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    serde_json::Value::Object(members.collect()).to_string()
}

/// The members of an object that [`to_text`] wrote.
pub(crate) fn from_text(text: &str) -> Result<Vec<(String, String)>> {
    let members: std::collections::BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("members: {error}")))?;
    Ok(members.into_iter().collect())
}

/// One member as it stands in the text, for filtering.
pub(crate) fn part(name: &str, value: &str) -> String {
    format!("{}:{}", serde_json::Value::from(name), serde_json::Value::from(value))
}

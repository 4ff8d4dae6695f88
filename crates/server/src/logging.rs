//! The log: where it goes, in which form, and the lines that several places write.

use calotype_core::ids::{DeletionId, ImageId};
use tracing_subscriber::EnvFilter;

/// The variable that says what the log shows.
const FILTER_VARIABLE: &str = "CALOTYPE_LOG";

/// The variable that says in which form: `text` or `json`.
const FORMAT_VARIABLE: &str = "CALOTYPE_LOG_FORMAT";

/// The target of lines about whole deletions.
const DELETIONS: &str = "calotype::deletions";

/// Sends the log of this process to standard error, from now on. To be called once.
pub fn to_stderr() {
    let wanted = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let parsed = (!wanted.is_empty()).then(|| EnvFilter::try_new(&wanted));
    let is_misspelt = matches!(parsed, Some(Err(_)));
    let filter = parsed.and_then(Result::ok).unwrap_or_else(|| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let format = std::env::var(FORMAT_VARIABLE).unwrap_or_default();
    match format.as_str() {
        // One object for each line, its fields not nested: what collectors of logs take as it is.
        "json" => log.json().flatten_event(true).init(),
        _ => log.init(),
    }
    if is_misspelt {
        tracing::warn!(wanted, "{FILTER_VARIABLE} cannot be read; the log shows info");
    }
    if !["", "json", "text"].contains(&format.as_str()) {
        tracing::warn!(format, "{FORMAT_VARIABLE} is neither json nor text; the log is text");
    }
}

/// Says that nothing of a deleted image is left, and how long that took.
pub fn deletion_complete(request_id: &str, image: &ImageId, deletion: &DeletionId, took_ms: i64) {
    tracing::info!(target: DELETIONS, request_id, %image, %deletion, took_ms, "deletion complete");
}

//! ListDeletions: the deletions of an account.

use calotype_core::image::Product;
use serde_json::{Value, json};

use super::deletion_render::deletion;
use super::error::CalotypeError;
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::list_deletions::{DeletionFilter, list_deletions};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListDeletions",
    action: "calotype:ListDeletions",
    parameters: &[
        Parameter::optional("Api", Kind::Text),
        Parameter::optional("MaxResults", Kind::Integer),
        Parameter::optional("NextToken", Kind::Text),
        Parameter::optional("State", Kind::Text),
    ],
    summary: "Lists the deletions of the account, the latest first.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The most deletions in one answer.
const RESULTS_MAX: usize = 100;

/// Deletions in one answer if nothing is said.
const RESULTS_DEFAULT: usize = 20;

async fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    let params = call.params;
    let product = match params.text("Api") {
        None => None,
        Some("ens") => Some(Product::Ens),
        Some("appstreaming") => Some(Product::AppStreaming),
        Some(_) => return Err(CalotypeError::invalid("Api")),
    };
    let (open, restored) = match params.text("State") {
        None => (None, None),
        Some("Open") => (Some(true), None),
        Some("Complete") => (Some(false), Some(false)),
        Some("Restored") => (None, Some(true)),
        Some(_) => return Err(CalotypeError::invalid("State")),
    };
    let limit = match params.integer("MaxResults")? {
        None => RESULTS_DEFAULT,
        Some(asked) => usize::try_from(asked)
            .ok()
            .filter(|asked| (1..=RESULTS_MAX).contains(asked))
            .ok_or_else(|| CalotypeError::invalid("MaxResults"))?,
    };
    let filter = DeletionFilter { product, open, restored, before: params.text("NextToken") };
    let (found, more) = list_deletions(call.app, &call.caller, &filter, limit).await?;
    let next = found.last().filter(|_| more).map_or("", |last| last.id.as_str());
    let account = call.caller.account();
    let shown = found.iter().map(|one| deletion(one, account, call.now)).collect::<Vec<_>>();
    Ok(json!({ "Deletions": shown, "NextToken": next }))
}

//! Deletions as answers show them.

use calotype_core::ids::AccountId;
use calotype_core::image::Product;
use calotype_core::time::Timestamp;
use serde_json::{Value, json};

use crate::service::get_deletion::{Deletion, Erasure};

/// A deletion. Templates of accounts that the caller may not see are counted, not named.
pub(super) fn deletion(deletion: &Deletion, account: &AccountId, now: Timestamp) -> Value {
    let kept = &deletion.kept;
    let (own, hidden): (Vec<_>, Vec<_>) =
        kept.templates.iter().partition(|template| template.owner == *account);
    json!({
        "AcceptedTime": deletion.accepted.to_string(),
        "Api": match deletion.product {
            Product::Ens => "ens",
            Product::AppStreaming => "appstreaming",
        },
        "Bundles": kept.bundles.iter().map(|bundle| bundle.id.as_str()).collect::<Vec<_>>(),
        "Caller": deletion.caller,
        "CompletedTime": time(deletion.completed),
        "DeleteRequestId": deletion.request_id,
        "DeletionId": deletion.id.as_str(),
        "EraseFromTime": deletion.erase_from.to_string(),
        "HiddenTemplates": hidden.len(),
        "ImageId": deletion.image.as_str(),
        "ImageName": deletion.image_name,
        "Reason": deletion.reason.as_deref().unwrap_or_default(),
        "RestoredTime": time(deletion.restored),
        "Shares": kept.shares.iter().map(|(account, _)| account.as_str()).collect::<Vec<_>>(),
        "State": state(deletion, now),
        "Templates": own.iter().map(|template| template.id.as_str()).collect::<Vec<_>>(),
    })
}

fn state(deletion: &Deletion, now: Timestamp) -> &'static str {
    if deletion.restored.is_some() {
        "Restored"
    } else if deletion.completed.is_some() {
        "Complete"
    } else if now < deletion.erase_from {
        "Grace"
    } else {
        "Erasing"
    }
}

/// How far the erasure of the bytes in one region is; of a deletion that was taken back, there is none.
pub(super) fn erasure(erasure: &Erasure, deletion: &Deletion) -> Value {
    let state = match (deletion.restored, erasure.erased, erasure.tries) {
        (Some(_), _, _) => "Restored",
        (None, true, _) => "Erased",
        (None, false, 0) => "Waiting",
        (None, false, _) => "Erasing",
    };
    json!({
        "Attempts": if deletion.restored.is_some() { 0 } else { erasure.tries },
        "LastError": erasure.last_error.as_deref().unwrap_or_default(),
        "NextTryTime": time(erasure.due),
        "RegionId": erasure.region.as_str(),
        "SizeBytes": erasure.size_bytes.unwrap_or_default(),
        "State": state,
        "VersionId": erasure.version.as_ref().map_or("", |version| version.as_str()),
    })
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(String::new, |time| time.to_string())
}

//! ExplainDeleteImage: every reason why an image cannot be deleted now, and what clears it.

use calotype_core::delete_image::DeleteRefusal;
use calotype_core::ids::AccountId;
use calotype_core::image::Product;
use calotype_core::usage::{ConsumerKind, Usage};
use serde_json::{Value, json};

use super::error::CalotypeError;
use super::{API, answer, image_id};
use crate::products::{Call, Kind, Operation, Parameter, delete_refusal_row, delete_rules};
use crate::service::delete_image::{Explained, explain_delete_image};

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ExplainDeleteImage",
    action: "calotype:ExplainDeleteImage",
    parameters: &[Parameter::required("ImageId", Kind::Text)],
    summary: "Tells every reason why DeleteImage would refuse now, with its blockers and what clears them.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, CalotypeError> {
    let image = image_id(call.params)?;
    let found = explain_delete_image(call.app, &call.caller, &image, delete_rules).await?;
    let found = found.ok_or(CalotypeError::ImageNotExist)?;
    let account = call.caller.account();
    let refusals: Vec<_> = found.refusals.iter().map(|refusal| render(&found, refusal, account)).collect();
    Ok(json!({
        "Api": match found.product {
            Product::Ens => "ens",
            Product::AppStreaming => "appstreaming",
        },
        "Deletable": refusals.is_empty(),
        "ImageId": image.as_str(),
        "Refusals": refusals,
    }))
}

fn render(found: &Explained, refusal: &DeleteRefusal, account: &AccountId) -> Value {
    let (kind, clear) = describe(refusal);
    let (blockers, hidden) = blockers(found, refusal, account);
    let row = delete_refusal_row(found.product, refusal.clone());
    json!({
        "Blockers": blockers,
        "Clear": clear,
        "Code": row.code,
        // Those of accounts that the caller may not see are counted, not named.
        "HiddenBlockers": hidden,
        "HttpStatusCode": row.status,
        "Kind": kind,
        "Message": row.message,
    })
}

fn describe(refusal: &DeleteRefusal) -> (&'static str, &'static str) {
    match refusal {
        DeleteRefusal::NotFound => ("NotFound", ""),
        DeleteRefusal::SharedIn => ("SharedIn", "Only its owner can delete it."),
        DeleteRefusal::Public => ("Public", "Only its owner can delete it."),
        DeleteRefusal::Making(_) => ("Making", "Wait until it is made and every copy has ended."),
        DeleteRefusal::Exporting(_) => ("Exporting", "Wait until the export has ended."),
        DeleteRefusal::SharedOut(_) => ("SharedOut", "Take the shares back."),
        DeleteRefusal::CommunityParent(_) => {
            ("CommunityParent", "Withdraw or delete the community images derived from it.")
        }
        DeleteRefusal::CreatedUse(_) => ("CreatedUse", "Release what was made from it, or switch it."),
        DeleteRefusal::SwitchedUse(_) => {
            ("SwitchedUse", "Release what was switched to it, or switch it again.")
        }
    }
}

/// The blockers that the caller may see, and how many more there are.
fn blockers(found: &Explained, refusal: &DeleteRefusal, account: &AccountId) -> (Vec<Value>, usize) {
    let named = |kind: &str, id: &str| {
        let (owner, since) = found
            .blockers
            .get(id)
            .map_or_else(Default::default, |(owner, since)| (owner.to_string(), since.to_string()));
        let in_progress = ["Region", "Export"].contains(&kind);
        json!({ "Id": id, "InProgress": in_progress, "Kind": kind, "Owner": owner, "Since": since })
    };
    match refusal {
        DeleteRefusal::NotFound | DeleteRefusal::SharedIn | DeleteRefusal::Public => (Vec::new(), 0),
        DeleteRefusal::Making(regions) => {
            (regions.iter().map(|region| named("Region", region.as_str())).collect(), 0)
        }
        DeleteRefusal::Exporting(target) => (vec![named("Export", &target.to_string())], 0),
        DeleteRefusal::SharedOut(accounts) => {
            (accounts.iter().map(|account| named("Share", account.as_str())).collect(), 0)
        }
        // Community images are there for everybody to see.
        DeleteRefusal::CommunityParent(images) => {
            (images.iter().map(|image| named("CommunityImage", image.as_str())).collect(), 0)
        }
        DeleteRefusal::CreatedUse(usages) | DeleteRefusal::SwitchedUse(usages) => {
            let (own, hidden): (Vec<_>, Vec<_>) =
                usages.iter().partition(|usage| usage.consumer_owner == *account);
            (own.into_iter().map(usage).collect(), hidden.len())
        }
    }
}

fn usage(usage: &Usage) -> Value {
    let kind = match usage.consumer_kind {
        ConsumerKind::Instance => "Instance",
        ConsumerKind::DeliveryGroup => "AppInstanceGroup",
        ConsumerKind::Workstation => "WuyingServer",
    };
    json!({
        "Id": usage.consumer,
        "InProgress": usage.in_progress,
        "Kind": kind,
        "Owner": usage.consumer_owner.as_str(),
        "Since": usage.since.to_string(),
    })
}

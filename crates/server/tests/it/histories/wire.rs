//! What is asked and answered, in the words of the APIs.

use std::collections::BTreeSet;

use calotype::client::{Answer, Client, NoAnswer};
use calotype_core::image::Product;
use serde_json::Value;

use super::spec::{Op, Refusal, Ret, Token};
use crate::support::app_streaming::{AS, ECD, HOME, group_params, template_params};
use crate::support::refusals::{
    INVALID_IMAGE_ID, INVALID_INSTANCE_ID, NO_PERMISSION, NOT_AUTHORIZED, NOT_EXIST, Row, USED_TO_CREATE,
};
use crate::support::{ENS, NODE, OTHER};

/// A call in the words of its API: version, name and parameters.
pub type Words = (&'static str, &'static str, Vec<(&'static str, String)>);

const NO_IMAGE: Row = (400, "Image.NotExist", "The image does not exist.");
const NO_TEMPLATE: Row = (400, "InvalidTemplate.NotFound", "Template not found.");
const NO_GROUP: Row =
    (400, "InvalidParameter.AppInstanceGroupId", "The parameter AppInstanceGroupId is invalid.");
const SHARED_TO_CALLER: Row =
    (400, "ImageDeleteFailed.NotAllowSharedImage", "The shared image is not allowed to be deleted.");
const SHARED_BY_CALLER: Row =
    (400, "ImageDeleteFailed.HasSharedImage", "The shared image is not allowed to be deleted.");
const IN_USE: Row = (
    400,
    "ImageNotAllowDelete",
    "The image cannot be deleted, because shared cloud computers already exist.",
);

/// The call in words; `id` is that of the consumer or template which it ends.
pub fn words(product: Product, image: &str, op: Op, id: &str) -> Words {
    match product {
        Product::Ens => ens(image, op, id),
        Product::AppStreaming => app_streaming(image, op, id),
    }
}

fn owned(params: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn ens(image: &str, op: Op, id: &str) -> Words {
    let (action, params) = match op {
        Op::Delete => ("DeleteImage", owned(&[("ImageId", image)])),
        Op::Use(token) => {
            let mut params =
                owned(&[("ImageId", image), ("InstanceType", "ens.sn1.small"), ("EnsRegionId", NODE)]);
            params.push(("InstanceName", name(token)));
            ("RunInstances", params)
        }
        Op::EndUse(_) => ("ReleasePostPaidInstance", owned(&[("InstanceId", id)])),
        Op::Share => ("ModifyImageSharePermission", owned(&[("ImageId", image), ("AddAccounts", OTHER)])),
        Op::Unshare => {
            ("ModifyImageSharePermission", owned(&[("ImageId", image), ("RemoveAccounts", OTHER)]))
        }
        Op::See => ("DescribeSelfImages", owned(&[("ImageId", image)])),
        Op::Uses => ("DescribeInstances", owned(&[("ImageId", image), ("PageSize", "100")])),
        Op::Template(_) | Op::EndTemplate(_) | Op::Templates | Op::Restart => {
            unreachable!("ENS has no {op:?}")
        }
    };
    (ENS, action, params)
}

fn app_streaming(image: &str, op: Op, id: &str) -> Words {
    let permission = |name| owned(&[("ImageId", image), ("RegionId", HOME), (name, OTHER)]);
    let group = |name| owned(&[(name, id), ("ProductType", "CloudApp")]);
    match op {
        Op::Delete => (AS, "DeleteImage", owned(&[("ImageId", image)])),
        Op::Use(token) => {
            (AS, "CreateAppInstanceGroup", named(group_params(image), "AppInstanceGroupName", token))
        }
        Op::EndUse(_) => (AS, "DeleteAppInstanceGroup", group("AppInstanceGroupId")),
        Op::Share => (ECD, "ModifyImagePermission", permission("AddAccount.1")),
        Op::Unshare => (ECD, "ModifyImagePermission", permission("RemoveAccount.1")),
        Op::Template(token) => (ECD, "CreateTemplate", named(template_params(image), "TemplateName", token)),
        Op::EndTemplate(_) => (ECD, "DeleteTemplates", owned(&[("TemplateIds.1", id)])),
        Op::See => (AS, "ListImage", owned(&[("ImageId", image)])),
        Op::Uses => {
            let params = [("AppCenterImageId", image), ("ProductType", "CloudApp"), ("PageSize", "100")];
            (AS, "ListAppInstanceGroup", owned(&params))
        }
        Op::Templates => (ECD, "DescribeTemplates", owned(&[("ImageId", image), ("PageSize", "100")])),
        Op::Restart => unreachable!("a restart is no call"),
    }
}

fn named(mut params: Vec<(&'static str, String)>, param: &str, token: Token) -> Vec<(&'static str, String)> {
    for (other, value) in &mut params {
        if *other == param {
            *value = name(token);
        }
    }
    params
}

/// The name by which a listing shows what a call has made, also one that had no answer.
fn name(token: Token) -> String {
    format!("token-{token}")
}

/// Calls in these words.
pub async fn call(client: &Client, words: &Words) -> Result<Answer, NoAnswer> {
    let (version, action, params) = words;
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    client.call(version, action, &params).await
}

/// What an answer says, and the id of what was made. A refusal that is not documented for the call is none.
pub fn understand(product: Product, op: Op, answer: &Answer) -> (Ret, Option<String>) {
    if answer.status == 200 {
        return success(product, op, &answer.body);
    }
    let told = |member: &str| answer.body[member].as_str().unwrap_or_default();
    let row = (answer.status, told("Code"), told("Message"));
    let documented = refusals(product, op).iter().find(|(_, documented)| *documented == row);
    let (refusal, _) = documented.unwrap_or_else(|| panic!("{op:?} of {product:?} answers {row:?}"));
    (Ret::Refused(*refusal), None)
}

fn success(product: Product, op: Op, body: &Value) -> (Ret, Option<String>) {
    let made = |pointer: &str| (Ret::Done, Some(body.pointer(pointer).unwrap().as_str().unwrap().to_owned()));
    let found = |pointer: &str, member: &str| {
        let things = body.pointer(pointer).and_then(Value::as_array).unwrap();
        (Ret::Found(things.iter().map(|thing| token(&thing[member])).collect::<BTreeSet<_>>()), None)
    };
    match (product, op) {
        (Product::Ens, Op::Use(_)) => made("/InstanceIds/0"),
        (Product::AppStreaming, Op::Use(_)) => made("/AppInstanceGroupModel/AppInstanceGroupId"),
        (_, Op::Template(_)) => made("/Data"),
        (Product::Ens, Op::See) => (Ret::Seen(!body["Images"]["Image"][0].is_null()), None),
        (Product::AppStreaming, Op::See) => (Ret::Seen(body["Count"] != 0), None),
        (Product::Ens, Op::Uses) => found("/Instances/Instance", "InstanceName"),
        (Product::AppStreaming, Op::Uses) => found("/AppInstanceGroupModels", "AppInstanceGroupName"),
        (_, Op::Templates) => found("/Data", "TemplateName"),
        (_, Op::Delete | Op::EndUse(_) | Op::Share | Op::Unshare | Op::EndTemplate(_) | Op::Restart) => {
            (Ret::Done, None)
        }
    }
}

fn token(name: &Value) -> Token {
    name.as_str().and_then(|name| name.strip_prefix("token-")?.parse().ok()).expect("a name of these tests")
}

/// The documented code of each refusal.
fn refusals(product: Product, op: Op) -> &'static [(Refusal, Row)] {
    match (product, op) {
        (Product::Ens, Op::Delete) => &[
            (Refusal::NoImage, NOT_EXIST),
            (Refusal::NotOwner, NO_PERMISSION),
            (Refusal::InUse, USED_TO_CREATE),
        ],
        (Product::Ens, Op::Use(_)) => &[(Refusal::NoImage, INVALID_IMAGE_ID)],
        (Product::Ens, Op::Share | Op::Unshare) => {
            &[(Refusal::NoImage, INVALID_IMAGE_ID), (Refusal::NotOwner, NO_PERMISSION)]
        }
        (Product::Ens, Op::EndUse(_)) => &[(Refusal::NoConsumer, INVALID_INSTANCE_ID)],
        (Product::AppStreaming, Op::Delete) => &[
            (Refusal::NoImage, NO_IMAGE),
            (Refusal::NotOwner, SHARED_TO_CALLER),
            (Refusal::SharedOut, SHARED_BY_CALLER),
            (Refusal::InUse, IN_USE),
        ],
        (Product::AppStreaming, Op::Use(_) | Op::Template(_)) => &[(Refusal::NoImage, NO_IMAGE)],
        (Product::AppStreaming, Op::Share | Op::Unshare) => {
            &[(Refusal::NoImage, NO_IMAGE), (Refusal::NotOwner, NOT_AUTHORIZED)]
        }
        (Product::AppStreaming, Op::EndUse(_)) => &[(Refusal::NoConsumer, NO_GROUP)],
        (Product::AppStreaming, Op::EndTemplate(_)) => &[(Refusal::NoTemplate, NO_TEMPLATE)],
        (_, Op::See | Op::Uses | Op::Templates | Op::Restart)
        | (Product::Ens, Op::Template(_) | Op::EndTemplate(_)) => &[],
    }
}

//! `ListTagResources`: the tags of instances, by instance or by tag.

use serde_json::json;

use crate::support::caller::column;
use crate::support::refusals::{MISSING_PARAMETER, Row, invalid};
use crate::support::{PUBLIC_IMAGE, World};

const NEITHER: Row = (
    400,
    "MissingParameter.ResourceIdsOrTags",
    "The input parameter ResourceId or Tag that is mandatory for processing this request is not supplied.",
);

#[tokio::test]
async fn by_instance_and_by_tag() {
    let world = World::new().await;
    let tag =
        |value| [("Tag.1.Key", "env"), ("Tag.1.Value", value), ("Tag.2.Key", "empty"), ("Tag.2.Value", "")];
    let one = world.owner.launch_with(PUBLIC_IMAGE, &tag("a b&c")).await;
    let two = world.owner.launch_with(PUBLIC_IMAGE, &tag("prod")).await;
    let bare = world.owner.launch(PUBLIC_IMAGE).await;
    let list = async |more: &[(&str, &str)]| {
        let params = [&[("ResourceType", "instance")], more].concat();
        let body = world.owner.ok("ListTagResources", &params).await;
        assert_eq!(body["NextToken"], "");
        body["TagResources"].clone()
    };
    let expected = json!([
        { "ResourceId": one, "ResourceType": "instance", "TagKey": "empty", "TagValue": "" },
        { "ResourceId": one, "ResourceType": "instance", "TagKey": "env", "TagValue": "a b&c" },
    ]);
    assert_eq!(list(&[("ResourceId.1", &one)]).await, expected);
    assert_eq!(list(&[("ResourceId.1", &bare)]).await, json!([]));
    assert_eq!(list(&[("ResourceId.1", &one), ("ResourceId.2", &two)]).await.as_array().unwrap().len(), 4);
    let by_tag = list(&[("Tag.1.Key", "env"), ("Tag.1.Value", "prod")]).await;
    assert_eq!(column(&by_tag, "ResourceId"), [two.as_str(), &two]);
    assert_eq!(list(&[("Tag.1.Key", "env")]).await.as_array().unwrap().len(), 4);
    assert_eq!(list(&[("Tag.1.Key", "none")]).await, json!([]));
    let both = list(&[("ResourceId.1", &one), ("Tag.1.Key", "env"), ("Tag.1.Value", "prod")]).await;
    assert_eq!(both, json!([]));

    let theirs = [("ResourceType", "instance"), ("ResourceId.1", one.as_str())];
    assert_eq!(world.other.ok("ListTagResources", &theirs).await["TagResources"], json!([]));
    let disks = [("ResourceType", "disk"), ("ResourceId.1", "d-1")];
    assert_eq!(world.owner.ok("ListTagResources", &disks).await["TagResources"], json!([]));
}

/// Fifty at a time, each once.
#[tokio::test]
async fn goes_on_where_it_stopped() {
    let world = World::new().await;
    let tags: Vec<(String, String)> =
        (1..=20).map(|number| (format!("Tag.{number}.Key"), format!("key-{number:02}"))).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for _ in 0..6 {
        world.owner.launch_with(PUBLIC_IMAGE, &tags).await;
    }
    let mut token = String::new();
    let mut sizes = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let params = [("ResourceType", "instance"), ("Tag.1.Key", "key-01"), ("NextToken", &token)];
        let body = world.owner.ok("ListTagResources", &params).await;
        let items = &body["TagResources"];
        sizes.push(items.as_array().unwrap().len());
        seen.extend(column(items, "ResourceId").into_iter().zip(column(items, "TagKey")));
        token = body["NextToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![50, 50, 20], 120));
}

#[tokio::test]
async fn parameters() {
    let world = World::new().await;
    let refused =
        async |params: &[(&str, &str)], row| world.owner.refused("ListTagResources", params, row).await;
    refused(&[("ResourceId.1", "i-1")], MISSING_PARAMETER).await;
    refused(&[("ResourceType", "instance")], NEITHER).await;
    refused(&[("ResourceType", "instance"), ("Tag.1.Value", "x")], invalid!("Tag")).await;
    let many: Vec<(String, &str)> = (1..=51).map(|number| (format!("ResourceId.{number}"), "i-1")).collect();
    let mut many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    many.push(("ResourceType", "instance"));
    refused(&many, invalid!("ResourceId")).await;
}

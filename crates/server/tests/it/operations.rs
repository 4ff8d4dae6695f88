//! Walks the table of operations: what is served is what the vendor declares, and nothing is served to
//! whoever may not have it.

pub mod drive;
mod drive_app_streaming;
mod errors;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use calotype::operations::OPERATIONS;
use calotype::products::{Kind, Operation, REASON};
use serde_json::Value;

use crate::support::{Setup, World};
use drive::Stage;

/// The vendor's declarations: see `tests/spec/README.md`.
fn spec() -> Vec<Value> {
    serde_json::from_str(include_str!("../spec/operations.json")).unwrap()
}

/// For what works within the grace period of a delete only.
const GRACE: &str = "deletion = { grace = '1h' }\n";

/// What the vendor declares of an operation; nothing of those of our own API.
fn declared<'s>(spec: &'s [Value], operation: &Operation) -> Option<&'s Value> {
    let found = spec
        .iter()
        .find(|entry| entry["version"] == operation.api.version && entry["action"] == operation.name);
    assert_eq!(found.is_none(), operation.api.name == "calotype", "{}", operation.name);
    found
}

fn kind(param: &Value) -> Kind {
    match (param["type"].as_str().unwrap(), param["encoding"].as_str()) {
        ("string", None) => Kind::Text,
        ("integer", None) => Kind::Integer,
        ("boolean", None) => Kind::Boolean,
        ("array", Some("json-string")) => Kind::JsonList,
        ("array", Some("comma-separated string")) => Kind::CommaList,
        ("array", Some("flattened: Name.N or Name.N.Field (1-based)")) => Kind::FlatList,
        ("number", None) => Kind::Number,
        ("object", Some("json-string")) => Kind::JsonObject,
        ("object", Some("flattened: Name.Field")) => Kind::FlatObject,
        other => panic!("no kind for {other:?}"),
    }
}

#[test]
fn parameters_are_those_of_the_vendor() {
    let spec = spec();
    for operation in OPERATIONS {
        let Some(declared) = declared(&spec, operation) else { continue };
        let expected: BTreeMap<&str, (Kind, bool)> = declared["params"]
            .as_array()
            .unwrap()
            .iter()
            .map(|param| {
                (param["name"].as_str().unwrap(), (kind(param), param["required"].as_bool().unwrap()))
            })
            .collect();
        let served: Vec<(&str, (Kind, bool))> = operation
            .parameters
            .iter()
            // The one parameter of ours on an operation of the vendor's.
            .filter(|parameter| (operation.name, **parameter) != ("DeleteImage", REASON))
            .map(|parameter| (parameter.name, (parameter.kind, parameter.required)))
            .collect();
        let served_once: BTreeMap<_, _> = served.iter().copied().collect();
        let differing: Vec<_> = expected
            .iter()
            .filter(|(name, kind)| served_once.get(*name) != Some(kind))
            .map(|(name, _)| *name)
            .chain(served_once.keys().filter(|name| !expected.contains_key(*name)).copied())
            .collect();
        assert!(differing.is_empty(), "{}: {differing:?}", operation.name);
        assert_eq!(served.len(), expected.len(), "{}: a parameter stands there twice", operation.name);
    }
}

#[test]
fn names_and_actions_are_unique_and_as_documented() {
    let mut seen = BTreeSet::new();
    for operation in OPERATIONS {
        assert!(seen.insert((operation.api.version, operation.name)), "{} is there twice", operation.name);
        assert_eq!(operation.action, format!("{}:{}", operation.api.name, operation.name));
        assert!(operation.summary.ends_with('.') && operation.summary.len() < 110, "{}", operation.name);
    }
}

#[test]
fn what_is_not_served_yet_is_written_down() {
    let served: BTreeSet<(&str, &str)> =
        OPERATIONS.iter().map(|operation| (operation.api.version, operation.name)).collect();
    let spec = spec();
    let text = |entry: &'_ Value, member: &str| entry[member].as_str().unwrap().to_owned();
    let missing: Vec<String> = spec
        .iter()
        .filter(|entry| !served.contains(&(&text(entry, "version"), &text(entry, "action"))))
        .map(|entry| format!("{} {}", text(entry, "product"), text(entry, "action")))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let written: Vec<(&str, &str)> = include_str!("../spec/unserved.txt")
        .lines()
        .map(|line| line.split_once(": ").expect("a name, a colon and a reason"))
        .collect();
    let names: Vec<&str> = written.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, missing, "tests/spec/unserved.txt on the left");
    assert!(written.iter().all(|(_, reason)| reason.len() > 10));
}

/// Each operation has a file of tests that is named like it, or is called end to end.
#[test]
fn every_operation_has_tests_of_its_own() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let end_to_end: String = std::fs::read_dir(package.join("../../tests/e2e"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains("_as_"))
        .map(|path| std::fs::read_to_string(path).unwrap_or_default())
        .collect();
    for operation in OPERATIONS {
        let mut file = String::new();
        for letter in operation.name.chars() {
            if letter.is_ascii_uppercase() && !file.is_empty() {
                file.push('_');
            }
            file.push(letter.to_ascii_lowercase());
        }
        let path = package.join(format!("tests/it/{file}.rs"));
        // Those that the vendor's SDK calls end to end are named there in its way, or in ours.
        let called = [file.as_str(), operation.name].iter().any(|name| end_to_end.contains(name));
        let elsewhere = !["ens", "sts"].contains(&operation.api.name);
        assert!(path.exists() || (elsewhere && called), "{} has no tests", operation.name);
    }
}

/// Lists that have nothing in them, because what they would list is no part of an image service.
const EMPTY: &[&str] = &[
    "appstreaming.DescribeWuyingServer.Data.PrivateIpSets",
    "appstreaming.GetAppInstanceGroup.AppInstanceGroupModels.Apps",
    "appstreaming.GetAppInstanceGroup.AppInstanceGroupModels.NodePool[].RecurrenceSchedules",
    "appstreaming.GetAppInstanceGroup.AppInstanceGroupModels.Tags",
    "appstreaming.ListAppInstanceGroup.AppInstanceGroupModels[].Apps",
    "appstreaming.ListAppInstanceGroup.AppInstanceGroupModels[].NodePool[].RecurrenceSchedules",
    "appstreaming.ListAppInstanceGroup.AppInstanceGroupModels[].ResourceTags",
    "appstreaming.ListAppInstanceGroup.AppInstanceGroupModels[].Tags",
    "appstreaming.ListAppInstances.AppInstanceModels",
    "appstreaming.ListImage.Data[].AppList",
    "appstreaming.ListImage.Data[].DriverList",
    "appstreaming.ListImage.Data[].FeatureList",
    "appstreaming.ListImage.Data[].SnapshotList",
    "appstreaming.ListImage.Data[].SupportedLanguageList",
    "appstreaming.ListWuyingServer.WuyingServerList[].DataDisk",
    "appstreaming.ListWuyingServer.WuyingServerList[].InstanceInfoList",
    "appstreaming.ListWuyingServer.WuyingServerList[].PolicyGroupIdList",
    "appstreaming.ListWuyingServer.WuyingServerList[].PrivateIpSets",
    "appstreaming.ListWuyingServer.WuyingServerList[].SecurityGroupIds",
    "appstreaming.ListWuyingServer.WuyingServerList[].Sessions",
    "appstreaming.ListWuyingServer.WuyingServerList[].Users",
    "ecd.DescribeImages.Images[].SupportedLanguages",
    "ens.DescribeDisks.Disks.Disks[].Tags.Tags",
    "ens.DescribeInstances.Instances.Instance[].NetworkInterfaces.NetworkInterfaces",
    "ens.DescribeInstances.Instances.Instance[].PrivateIpAddresses.PrivateIpAddress",
    "ens.DescribeInstances.Instances.Instance[].PublicIpAddress.IpAddress",
    "ens.DescribeInstances.Instances.Instance[].PublicIpAddresses.PublicIpAddress",
];

/// Members that say something about failures only; in a success a code is taken for one by some clients.
const ABSENT: [&str; 2] =
    ["appstreaming.UpdateAppInstanceGroupImage.Code", "appstreaming.UpdateAppInstanceGroupImage.Message"];

#[tokio::test]
async fn answers_have_exactly_the_declared_members_and_types() {
    let spec = spec();
    let world = World::open(Setup::with(GRACE)).await;
    let stage = Stage::set(&world).await;
    let mut differences = Vec::new();
    for operation in OPERATIONS {
        let params = stage.params(&world, operation).await;
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let caller = Stage::caller(&world, operation);
        let answer = caller.call(operation.api.version, operation.name, &params).await;
        assert_eq!(answer.status, 200, "{} {params:?}: {}", operation.name, answer.body);
        if let Some(declared) = declared(&spec, operation) {
            let path = format!("{}.{}", operation.api.name, operation.name);
            compare(&declared["response"], &answer.body, &path, &mut differences);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Notes where a value is not what the schema says.
fn compare(schema: &Value, value: &Value, path: &str, differences: &mut Vec<String>) {
    let fits = match schema["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            for item in items {
                compare(&schema["items"], item, &format!("{path}[]"), differences);
            }
            if items.is_empty() != EMPTY.contains(&path) {
                differences.push(format!("{path} has {} items", items.len()));
            }
            value.is_array()
        }
        "object" => {
            let members = schema["properties"].as_object().unwrap();
            for (name, schema) in members {
                let path = format!("{path}.{name}");
                match value.get(name) {
                    Some(value) => compare(schema, value, &path, differences),
                    None if ABSENT.contains(&path.as_str()) => {}
                    None => differences.push(format!("{path} is missing")),
                }
            }
            for name in value.as_object().into_iter().flat_map(|object| object.keys()) {
                if !members.contains_key(name) {
                    differences.push(format!("{path}.{name} is not declared"));
                }
            }
            value.is_object()
        }
        other => panic!("unknown type {other}"),
    };
    if !fits {
        differences.push(format!("{path} should be of type {}: {value}", schema["type"]));
    }
}

/// The comparison itself can fail, in each of its ways.
#[test]
fn the_comparison_finds_every_kind_of_difference() {
    let schema = serde_json::json!({ "type": "object", "properties": {
        "A": { "type": "integer" }, "B": { "type": "array", "items": { "type": "string" } } } });
    let found = |value: Value| {
        let mut differences = Vec::new();
        compare(&schema, &value, "X", &mut differences);
        differences
    };
    assert!(found(serde_json::json!({ "A": 1, "B": ["x"] })).is_empty());
    for wrong in [
        serde_json::json!({ "A": "1", "B": ["x"] }),
        serde_json::json!({ "A": 1.5, "B": ["x"] }),
        serde_json::json!({ "A": 1, "B": [1] }),
        serde_json::json!({ "A": 1, "B": [] }),
        serde_json::json!({ "A": 1, "B": null }),
        serde_json::json!({ "A": 1 }),
        serde_json::json!({ "A": 1, "B": ["x"], "C": 1 }),
    ] {
        assert!(!found(wrong.clone()).is_empty(), "{wrong}");
    }
}

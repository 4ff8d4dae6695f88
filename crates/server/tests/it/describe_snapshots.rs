//! `DescribeSnapshots`: the caller's snapshots.

use serde_json::json;

use crate::support::caller::column;
use crate::support::print::redacted;
use crate::support::refusals::invalid;
use crate::support::{NODE, PUBLIC_IMAGE, World};

#[tokio::test]
async fn lists_and_filters() {
    let world = World::new().await;
    let (one, two) = (world.owner.launch(PUBLIC_IMAGE).await, world.owner.launch(PUBLIC_IMAGE).await);
    let first = world.owner.create_snapshot(&one).await;
    world.pass(1);
    let second = world.owner.create_snapshot(&two).await;
    world.drain().await;
    let body = world.owner.ok("DescribeSnapshots", &[]).await;
    assert_eq!(column(&body["Snapshots"], "SnapshotId"), [second.clone(), first.clone()]);
    let mut shown = redacted(&body);
    // Without a name of its own a snapshot is named like its id.
    shown["Snapshots"].as_array_mut().unwrap().truncate(1);
    insta::assert_json_snapshot!("describe_snapshots", shown);

    let ids = async |name: &str, value: &str| {
        let body = world.owner.ok("DescribeSnapshots", &[(name, value)]).await;
        assert_eq!(body["TotalCount"], body["Snapshots"].as_array().unwrap().len());
        column(&body["Snapshots"], "SnapshotId")
    };
    let disk = world.owner.instance(&one).await["SystemDisk"]["DiskId"].clone();
    assert_eq!(ids("SnapshotId", &first).await, [first.as_str()]);
    assert_eq!(ids("SnapshotId", &format!(r#"["{first}","{second}"]"#)).await.len(), 2);
    assert!(ids("SnapshotId", &first[..20]).await.is_empty());
    assert_eq!(ids("InstanceId", &two).await, [second.as_str()]);
    assert_eq!(ids("DiskId", disk.as_str().unwrap()).await, [first.as_str()]);
    assert_eq!(ids("SnapshotName", &second[3..]).await, [second.as_str()]);
    assert_eq!(ids("EnsRegionId", NODE).await.len(), 2);
    assert!(ids("EnsRegionId", "cn-dalian-unicom").await.is_empty());
    assert_eq!(ids("EnsRegionIds", &format!(r#"["cn-dalian-unicom","{NODE}"]"#)).await.len(), 2);
    assert_eq!(world.other.ok("DescribeSnapshots", &[]).await["Snapshots"], json!([]));
}

#[tokio::test]
async fn pages() {
    let world = World::new().await;
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        world.pass(1);
        ids.insert(0, world.owner.create_snapshot(&instance).await);
    }
    let page = async |number: &str, size: &str| {
        let params = [("PageNumber", number), ("PageSize", size)];
        let body = world.owner.ok("DescribeSnapshots", &params).await;
        assert_eq!(body["TotalCount"], 3);
        column(&body["Snapshots"], "SnapshotId")
    };
    assert_eq!(page("", "").await, ids);
    assert_eq!(page("2", "2").await, ids[2..]);
    assert!(page("2", "100").await.is_empty());
    world.owner.refused("DescribeSnapshots", &[("PageSize", "101")], invalid!("PageSize")).await;
    world.owner.refused("DescribeSnapshots", &[("PageNumber", "x")], invalid!("PageNumber")).await;
}

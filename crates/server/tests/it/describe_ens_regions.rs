//! `DescribeEnsRegions`: the nodes of the configuration.

use serde_json::json;

use crate::support::print::redacted;
use crate::support::{NODE, Setup, World};

#[tokio::test]
async fn every_node_or_the_one_that_is_asked_for() {
    let world = World::new().await;
    let body = world.owner.ok("DescribeEnsRegions", &[]).await;
    insta::assert_json_snapshot!("describe_ens_regions", redacted(&body));
    let one = world.owner.ok("DescribeEnsRegions", &[("EnsRegionId", NODE)]).await;
    assert_eq!(one["EnsRegions"]["EnsRegions"], json!([body["EnsRegions"]["EnsRegions"][0]]));
    let none = world.owner.ok("DescribeEnsRegions", &[("EnsRegionId", "cn-nowhere")]).await;
    assert_eq!(none["EnsRegions"]["EnsRegions"], json!([]));
}

#[tokio::test]
async fn nodes_come_from_the_configuration() {
    let world = World::open(Setup::with("[[ens_region]]\nid = 'lab-1'\n")).await;
    let body = world.owner.ok("DescribeEnsRegions", &[]).await;
    let expected =
        json!([{ "Area": "", "EnName": "lab-1", "EnsRegionId": "lab-1", "Name": "lab-1", "Province": "" }]);
    assert_eq!(body["EnsRegions"]["EnsRegions"], expected);
}

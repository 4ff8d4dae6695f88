//! `DescribeSelfImages`: the caller's own images and those shared to it, in every state.

use serde_json::json;

use crate::support::caller::column;
use crate::support::print::redacted;
use crate::support::refusals::invalid;
use crate::support::{OTHER, World, disk, import_params, with};

#[tokio::test]
async fn lists_own_and_shared_images_in_every_state_and_no_public_ones() {
    let world = World::new().await;
    let available = world.import().await;
    world.pass(1);
    let failed = world.import_disk(b"no qcow2").await;
    world.pass(1);
    let making = world.begin_import(&disk("x")).await;
    let body = world.owner.ok("DescribeSelfImages", &[]).await;
    let images = &body["Images"]["Image"];
    assert_eq!(column(images, "ImageId"), [making, failed, available.clone()]);
    assert_eq!(column(images, "Status"), ["Creating", "Pack_failed", "Available"]);
    insta::assert_json_snapshot!("describe_self_images", redacted(&body));

    world.owner.share(&available, OTHER).await;
    let body = world.other.ok("DescribeSelfImages", &[]).await;
    assert_eq!(column(&body["Images"]["Image"], "ImageOwnerAlias"), ["others"]);
    let body = world.third.ok("DescribeSelfImages", &[]).await;
    assert_eq!(body["Images"]["Image"], json!([]));
}

/// Terraform takes the first entry of a lookup that is documented as fuzzy.
#[tokio::test]
async fn part_of_an_id_matches_and_an_exact_match_comes_first() {
    let world = World::new().await;
    let short = world.import().await;
    world.change("UPDATE images SET id = 'm-abc' WHERE id = $1", &[(&short).into()]).await;
    world.pass(1);
    let long = world.import().await;
    world.change("UPDATE images SET id = 'm-abcdef' WHERE id = $1", &[(&long).into()]).await;
    let ids = async |part: &str| {
        let body = world.owner.ok("DescribeSelfImages", &[("ImageId", part)]).await;
        column(&body["Images"]["Image"], "ImageId")
    };
    assert_eq!(ids("m-abc").await, ["m-abc", "m-abcdef"], "though the other is newer");
    assert_eq!(ids("m-ab").await, ["m-abcdef", "m-abc"]);
    assert_eq!(ids("cde").await, ["m-abcdef"]);
    assert!(ids("m-x").await.is_empty());
    assert!(ids("%").await.is_empty(), "a part of an id is no pattern");
}

#[tokio::test]
async fn filters_by_part_of_the_name_and_by_snapshot() {
    let world = World::new().await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    let snapshot = world.owner.create_snapshot(&instance).await;
    world.drain().await;
    let params = [("ImageName", "made-of-it"), ("SnapshotId", snapshot.as_str())];
    world.owner.ok("CreateImage", &params).await;
    let names = async |name: &str, value: &str| {
        let body = world.owner.ok("DescribeSelfImages", &[(name, value)]).await;
        column(&body["Images"]["Image"], "ImageName")
    };
    assert_eq!(names("ImageName", "olden-im").await, ["golden-image"]);
    assert_eq!(names("SnapshotId", &snapshot).await, ["made-of-it"]);
    assert!(names("SnapshotId", "s-unknown").await.is_empty());
}

/// The one listing whose counts are texts.
#[tokio::test]
async fn pages() {
    let world = World::new().await;
    let mut names = Vec::new();
    for number in 0..11 {
        world.pass(1);
        let key = world.put(&disk("x"));
        names.insert(0, format!("image-{number}"));
        world.owner.ok("ImportImage", &with(import_params(&key), &[("ImageName", &names[0])])).await;
    }
    let page = async |number: &str, size: &str| {
        let params = [("PageNumber", number), ("PageSize", size)];
        let body = world.owner.ok("DescribeSelfImages", &params).await;
        assert_eq!(body["TotalCount"], json!("11"));
        (column(&body["Images"]["Image"], "ImageName"), body["PageNumber"].clone(), body["PageSize"].clone())
    };
    assert_eq!(page("", "").await, (names[..10].to_vec(), json!("1"), json!("10")));
    assert_eq!(page("2", "").await, (names[10..].to_vec(), json!("2"), json!("10")));
    assert_eq!(page("3", "4").await, (names[8..].to_vec(), json!("3"), json!("4")));
    assert_eq!(page("4", "4").await, (vec![], json!("4"), json!("4")));
    world.owner.refused("DescribeSelfImages", &[("PageSize", "51")], invalid!("PageSize")).await;
    world.owner.refused("DescribeSelfImages", &[("PageNumber", "0")], invalid!("PageNumber")).await;
}

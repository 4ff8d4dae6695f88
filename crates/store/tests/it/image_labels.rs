//! Listings of images by what their owners say about them, where they are and how they are tagged.

use calotype_core::ids::RegionId;
use calotype_core::image::{Image, ImageLabels};
use calotype_core::replica::NewReplica;
use calotype_store::images::{self, Filter};
use calotype_store::replicas;
use calotype_store::tags::{self, Tag};

use crate::image_lists::{ALL, listed};
use crate::support::TestDb;
use crate::things::{NOW, at, image, labels, replica};

fn labelled(number: i64, change: impl FnOnce(&mut ImageLabels)) -> Image {
    let mut labels = labels();
    change(&mut labels);
    Image { labels, created: at(number), ..image(&format!("m-{number}")) }
}

/// `m-1` to `m-4`. The first is in two regions, the second waits for the one and has failed in the other.
async fn stocked() -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for image in [
        labelled(1, |labels| "CloudApp,WuyingServer".clone_into(&mut labels.product_type)),
        labelled(2, |labels| "CloudDesktop".clone_into(&mut labels.product_type)),
        labelled(3, |labels| "Windows".clone_into(&mut labels.os_type)),
        labelled(4, |labels| {
            "centos".clone_into(&mut labels.platform);
            labels.details =
                [("A", "1"), ("B", "x\",\"A\":\"2")].map(|(name, value)| (name.into(), value.into())).into();
        }),
    ] {
        images::insert(&mut tx, &image).await.unwrap();
    }
    for (id, image, region, state) in [
        ("r-1", "m-1", "cn-wuxi", "available"),
        ("r-2", "m-1", "cn-chengdu", "available"),
        ("r-3", "m-2", "cn-wuxi", "copying"),
        ("r-4", "m-2", "cn-chengdu", "failed"),
        ("r-5", "m-3", "cn-chengdu", "available"),
    ] {
        let replica = NewReplica { region: RegionId::trusted(region), ..replica(id, image) };
        replicas::insert(&mut tx, &replica, NOW).await.unwrap();
        let sql = "UPDATE replicas SET state = $2 WHERE id = $1";
        tx.execute_one(sql, &[id.into(), state.into()]).await.unwrap();
    }
    for (kind, resource, key, value) in [
        ("image", "m-1", "team", "red"),
        ("image", "m-1", "env", ""),
        ("image", "m-2", "team", "blue"),
        ("instance", "m-3", "team", "red"),
    ] {
        let tag = Tag { resource: resource.to_owned(), key: key.to_owned(), value: value.to_owned() };
        tags::put(&mut tx, kind, &tag).await.unwrap();
    }
    tx.commit().await.unwrap();
    test
}

#[tokio::test]
async fn each_label_region_and_tag_lets_its_own_through() {
    let test = stocked().await;
    let table = [
        (Filter { os_type: Some("windows"), ..ALL }, "3"),
        (Filter { os_type: Some("LINUX"), ..ALL }, "4 2 1"),
        (Filter { os_type: Some("win"), ..ALL }, ""),
        (Filter { platforms: vec!["centos"], ..ALL }, "4"),
        (Filter { platforms: vec!["centos", "ubuntu"], ..ALL }, "4 3 2 1"),
        (Filter { platforms: vec!["cent"], ..ALL }, ""),
        (Filter { product_types: vec!["WuyingServer"], ..ALL }, "1"),
        (Filter { product_types: vec!["Cloud"], ..ALL }, ""),
        (Filter { product_types: vec!["None", "CloudDesktop", "CloudApp"], ..ALL }, "2 1"),
        (Filter { regions: vec!["cn-wuxi"], ..ALL }, "1"),
        (Filter { regions: vec!["cn-wuxi", "cn-chengdu"], ..ALL }, "3 1"),
        (Filter { regions: vec!["cn"], ..ALL }, ""),
        (Filter { details: vec![("A", "1")], ..ALL }, "4"),
        (Filter { details: vec![("A", "1"), ("B", "x\",\"A\":\"2")], ..ALL }, "4"),
        (Filter { details: vec![("A", "2")], ..ALL }, ""),
        (Filter { details: vec![("A", "")], ..ALL }, ""),
        (Filter { tags: vec![("team", None)], ..ALL }, "2 1"),
        (Filter { tags: vec![("team", Some("red"))], ..ALL }, "1"),
        (Filter { tags: vec![("team", None), ("env", Some(""))], ..ALL }, "1"),
        (Filter { tags: vec![("team", None), ("env", None), ("none", None)], ..ALL }, ""),
    ];
    for (filter, expected) in table {
        assert_eq!(listed(&test, &filter).await, expected, "{filter:?}");
    }
}

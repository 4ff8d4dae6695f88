//! Versions of images.

use calotype_core::ids::{ImageId, VersionId};
use calotype_store::db::StoreError;
use calotype_store::versions::{self, Version};

use crate::support::TestDb;
use crate::things::NOW;

fn image(text: &str) -> ImageId {
    ImageId::trusted(text)
}

fn version(id: &str) -> Version {
    Version { id: VersionId::trusted(id), name: format!("v0.'{id}'.0") }
}

#[tokio::test]
async fn versions_come_in_the_order_of_their_ids_and_go_with_their_image() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for (holder, id) in [("m-1", "iv-3"), ("m-1", "iv-1"), ("m-2", "iv-2")] {
        versions::insert(&mut tx, &image(holder), &version(id), NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    assert_eq!(versions::of_image(&mut tx, &image("m-1")).await.unwrap(), ["iv-1", "iv-3"].map(version));
    versions::remove_all(&mut tx, &image("m-1")).await.unwrap();
    versions::remove_all(&mut tx, &image("m-none")).await.unwrap();
    assert_eq!(versions::of_image(&mut tx, &image("m-1")).await.unwrap(), []);
    assert_eq!(versions::of_image(&mut tx, &image("m-2")).await.unwrap(), [version("iv-2")]);
}

#[tokio::test]
async fn an_id_is_taken_once_by_whichever_image() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    versions::insert(&mut tx, &image("m-1"), &version("iv-1"), NOW).await.unwrap();
    tx.commit().await.unwrap();
    for holder in ["m-1", "m-2"] {
        let mut tx = test.db.begin().await.unwrap();
        let again = versions::insert(&mut tx, &image(holder), &version("iv-1"), NOW).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{holder}");
    }
}

//! Images: their rows, who sees them, and how the making of one ends.

use calotype_core::ids::{ImageId, InstanceId, RegionId, SnapshotId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, ImageView, Product, Stage, Standing};
use calotype_core::replica::Bytes;
use calotype_store::db::StoreError;
use calotype_store::{images, shares};

use crate::support::TestDb;
use crate::things::{NOW, account, at, image, labels};

const STAGES: [Stage; 4] = [Stage::Creating, Stage::Packing, Stage::Uploading, Stage::Copying];

fn id(text: &str) -> ImageId {
    ImageId::trusted(text)
}

fn failed(stage: Stage, reason: &str) -> ImageState {
    ImageState::Failed { stage, reason: reason.to_owned() }
}

/// Writes images, each in a transaction of its own.
async fn put(test: &TestDb, things: &[Image]) {
    for image in things {
        let mut tx = test.db.begin().await.expect("begin");
        images::insert(&mut tx, image).await.expect("insert");
        tx.commit().await.expect("commit");
    }
}

/// An image as the `number`th account sees it.
async fn seen_by(test: &TestDb, text: &str, number: u32) -> Option<ImageView> {
    let mut tx = test.db.read().await.expect("read");
    tx.ask(images::load(Product::Ens, &id(text), &account(number))).await.expect("load")
}

#[tokio::test]
async fn every_field_of_an_image_comes_back() {
    let test = TestDb::new().await;
    let mut states = vec![ImageState::Available, ImageState::Unavailable];
    for stage in STAGES {
        states.extend([ImageState::Making(stage), failed(stage, "a 'reason', 100% \u{955c}")]);
    }
    for (number, state) in states.into_iter().enumerate() {
        let full = Image {
            state,
            name: "\u{955c}\u{50cf} 100%_'\";--".to_owned(),
            region: RegionId::trusted("cn-wuxi"),
            virtual_size_bytes: Some(i64::MAX.unsigned_abs()),
            stored_size_bytes: Some(0),
            source_instance: Some(InstanceId::trusted("i-source")),
            source_snapshot: Some(SnapshotId::trusted("s-source")),
            parent: Some(id("m-parent")),
            base: Some(id("m-base")),
            published: Some(at(i64::MAX)),
            created: at(-1),
            modified: at(i64::MIN),
            labels: ImageLabels {
                product_type: "CloudApp,WuyingServer".to_owned(),
                details: [("Language", "\u{4e2d}\u{6587}"), ("a\"b", "'%_\\"), ("empty", "")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
                ..labels()
            },
            ..image(&format!("m-full-{number}"))
        };
        let bare =
            Image { virtual_size_bytes: None, stored_size_bytes: None, ..image(&format!("m-bare-{number}")) };
        put(&test, &[full.clone(), bare.clone()]).await;
        for image in [full, bare] {
            let view = seen_by(&test, image.id.as_str(), 1).await;
            assert_eq!(view, Some(ImageView { image, standing: Standing::Own }));
        }
    }
}

#[tokio::test]
async fn d51_an_id_is_taken_once_even_after_its_image_is_gone() {
    let test = TestDb::new().await;
    put(&test, &[image("m-1")]).await;
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(seen_by(&test, "m-1", 1).await, None);
    let mut tx = test.db.begin().await.unwrap();
    assert!(matches!(images::insert(&mut tx, &image("m-1")).await, Err(StoreError::Conflict)));
}

#[tokio::test]
async fn d9_an_image_is_seen_as_it_stands_to_the_account() {
    let test = TestDb::new().await;
    let system = Image { kind: ImageKind::System, owner: images_system_owner(), ..image("m-system") };
    put(&test, &[image("m-1"), system]).await;
    let mut tx = test.db.begin().await.unwrap();
    shares::add(&mut tx, &id("m-1"), &account(2), NOW).await.unwrap();
    tx.commit().await.unwrap();

    for (text, number, standing) in [
        ("m-1", 1, Standing::Own),
        ("m-1", 2, Standing::SharedIn),
        ("m-1", 3, Standing::Hidden),
        ("m-system", 1, Standing::Public),
    ] {
        assert_eq!(seen_by(&test, text, number).await.unwrap().standing, standing, "{text} {number}");
    }
    assert_eq!(seen_by(&test, "m-2", 1).await, None);
    assert_eq!(seen_by(&test, "M-1", 1).await, None, "ids have case");
}

fn images_system_owner() -> calotype_core::ids::AccountId {
    calotype_core::ids::AccountId::trusted(images::SYSTEM_OWNER)
}

#[tokio::test]
async fn a_new_name_is_for_a_live_image() {
    let test = TestDb::new().await;
    put(&test, &[image("m-1"), image("m-2")]).await;
    let mut tx = test.db.begin().await.unwrap();
    images::rename(&mut tx, &id("m-1"), "new 'name'", at(77)).await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 1 WHERE id = 'm-2'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let renamed = Image { name: "new 'name'".to_owned(), modified: at(77), ..image("m-1") };
    assert_eq!(seen_by(&test, "m-1", 1).await.unwrap().image, renamed);
    for gone in ["m-2", "m-3"] {
        let mut tx = test.db.begin().await.unwrap();
        let answer = images::rename(&mut tx, &id(gone), "x", at(77)).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{gone}");
    }
}

/// Ends the making of `m-1` both ways on an image in `state`; what becomes of it.
async fn ended(state: ImageState) -> [ImageState; 2] {
    let mut ends = Vec::new();
    for well in [true, false] {
        let test = TestDb::new().await;
        let before = Image { state: state.clone(), ..image("m-1") };
        put(&test, std::slice::from_ref(&before)).await;
        let mut tx = test.db.begin().await.unwrap();
        if well {
            let bytes = Bytes { size_bytes: 11, sha256: "ab".to_owned(), virtual_size_bytes: 22 };
            images::record_made(&mut tx, &id("m-1"), &bytes).await.unwrap();
        } else {
            images::record_failed(&mut tx, &id("m-1"), Stage::Uploading, "no room").await.unwrap();
        }
        tx.commit().await.unwrap();
        let after = seen_by(&test, "m-1", 1).await.unwrap().image;
        let sizes = if well && before.state.is_making() { (Some(22), Some(11)) } else { sizes(&before) };
        assert_eq!(self::sizes(&after), sizes);
        ends.push(after.state);
    }
    ends.try_into().unwrap()
}

fn sizes(image: &Image) -> (Option<u64>, Option<u64>) {
    (image.virtual_size_bytes, image.stored_size_bytes)
}

#[tokio::test]
async fn the_making_of_an_image_ends_once() {
    for stage in STAGES {
        let ends = [ImageState::Available, failed(Stage::Uploading, "no room")];
        assert_eq!(ended(ImageState::Making(stage)).await, ends);
    }
    for state in [ImageState::Available, ImageState::Unavailable, failed(Stage::Packing, "hostile")] {
        assert_eq!(ended(state.clone()).await, [state.clone(), state]);
    }
}

#[tokio::test]
async fn a_row_that_nobody_here_writes_is_corrupt() {
    let test = TestDb::embedded().await;
    for (number, set) in [
        "UPDATE images SET state = 'lost' WHERE id = 'm-0'",
        "UPDATE images SET state = 'making' WHERE id = 'm-1'",
        "UPDATE images SET state = 'failed' WHERE id = 'm-2'",
        "UPDATE images SET stage = 'creating' WHERE id = 'm-3'",
        "UPDATE images SET state = 'making', stage = 'dreaming' WHERE id = 'm-4'",
        "UPDATE images SET kind = 'found' WHERE id = 'm-5'",
        "UPDATE images SET created_ms = 'now' WHERE id = 'm-6'",
        "UPDATE images SET details = '[]' WHERE id = 'm-7'",
        "UPDATE images SET details = '{\"a\":1}' WHERE id = 'm-8'",
        "UPDATE images SET modified_ms = 'now' WHERE id = 'm-9'",
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("m-{number}");
        let mut tx = test.db.begin().await.unwrap();
        images::insert(&mut tx, &image(&text)).await.unwrap();
        tx.execute_one(set, &[]).await.unwrap();
        let answer = tx.ask(images::load(Product::Ens, &id(&text), &account(1))).await;
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{set}");
    }
}

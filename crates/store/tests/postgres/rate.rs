//! How far one primary goes: deletes beside updates of single rows, by the same client, both durable.

use calotype_core::delete_image::{DeleteImage, DeleteRules, decide};
use calotype_core::ids::{DeletionId, ImageId};
use calotype_core::image::Product;
use calotype_store::db::{Db, Options, StoreError};
use calotype_store::deletions::{DeletionAct, Kept};
use calotype_store::nonces::{self, SpentNonce};
use calotype_store::{images, replicas};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::things::{NOW, account, at, authorized, image, replica};
use crate::{place, schema};

const CONNECTIONS: usize = 32;
const EACH: usize = 200;
/// Each kind is measured so often, one after the other.
const ROUNDS: usize = 5;

async fn delete(db: &Db, id: &ImageId) {
    let mut tx = db.begin().await.unwrap();
    let nonce = SpentNonce { request: 1, access_key_id: "key".into(), nonce: id.to_string(), expires: at(1) };
    nonces::spend(&mut tx, &nonce).await.unwrap();
    let (view, _) = images::load_delete_view(&mut tx, Product::Ens, id, &account(1), false).await.unwrap();
    let deletion = DeletionId::trusted(format!("del-{id}"));
    let command = DeleteImage { image: id.clone(), deletion, grace_ms: 0 };
    let rules = DeleteRules { outgoing_shares_block: false, templates_go: false };
    let plan = decide(&authorized(), &command, &rules, &view, NOW).unwrap();
    let kept = Kept::default();
    let act = DeletionAct { caller: "caller", request_id: "request", reason: None, kept: &kept };
    images::apply_delete(&mut tx, &plan, &act).await.unwrap();
    tx.commit().await.unwrap();
}

async fn update(db: &Db, id: &ImageId) {
    let mut tx = db.begin().await.unwrap();
    let sql = "UPDATE images SET name = 'other' WHERE id = $1";
    tx.send_one(sql, &[id.as_str().into()], StoreError::Conflict).await.unwrap();
    tx.commit().await.unwrap();
}

/// What is measured.
#[derive(Clone, Copy)]
enum Work {
    Delete,
    Update,
}

/// Does the work on every image of a round, on all connections; gives how many a second.
async fn rate(db: &Db, round: usize, work: Work) -> f64 {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let db = db.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                let id = name(round, connection, number);
                match work {
                    Work::Delete => delete(&db, &id).await,
                    Work::Update => update(&db, &id).await,
                }
            }
        });
    }
    tasks.join_all().await;
    f64::from(u32::try_from(CONNECTIONS * EACH).unwrap()) / began.elapsed().as_secs_f64()
}

fn name(round: usize, connection: usize, number: usize) -> ImageId {
    ImageId::trusted(format!("m-{round}-{connection}-{number}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and wants a machine and a database of its own"]
async fn deletes_beside_updates_of_one_row() {
    let db = Db::open(&Options::new(place(&schema().await, CONNECTIONS))).await.unwrap();
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let mut tx = db.begin().await.unwrap();
        for (connection, number) in (0..CONNECTIONS).flat_map(|c| (0..EACH).map(move |n| (c, n))) {
            let id = name(round, connection, number);
            images::insert(&mut tx, &image(id.as_str())).await.unwrap();
            replicas::insert(&mut tx, &replica(&format!("r-{id}"), id.as_str()), NOW).await.unwrap();
        }
        tx.execute("UPDATE replicas SET state = 'available', due_ms = NULL", &[]).await.unwrap();
        tx.commit().await.unwrap();
        let updates = rate(&db, round, Work::Update).await;
        let deletes = rate(&db, round, Work::Delete).await;
        println!("{deletes:.0} deletes, {updates:.0} updates a second");
        ratios.push(deletes / updates);
    }
    ratios.sort_by(f64::total_cmp);
    println!("deletes against updates: {ratios:.2?}");
}

//! Metadata goes from a file to PostgreSQL: all of it, or nothing.

use std::path::PathBuf;

use calotype_store::db::postgres::Address;
use calotype_store::db::transfer::{TransferError, transfer};
use calotype_store::db::{Db, Options, Row, Tx, Value};
use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::{open, schema};

const ROWS: i64 = 20_000;
const PUT: &str = "INSERT INTO templates (id, owner, image_id, name, details, created_ms, modified_ms) \
                   VALUES ($1, 'o', $2, $3, '{}', $4, $5)";
const ODD: [&str; 8] = ["", "\\", "\\N", "\\.", "a\tb\nc\rd", "\u{955c}\u{1f4f7}", "'; --", "a\0b"];

/// A file with odd texts, nothing, and numbers of every size.
async fn filled() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("metadata.db");
    let db = Db::open(&Options::new(path.clone())).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for number in 0..ROWS {
        let text = ODD[usize::try_from(number).unwrap() % ODD.len()];
        let image = (number % 3 > 0).then_some(text);
        let size = if number % 2 == 0 { i64::MIN + number } else { i64::MAX - number };
        let id = format!("b-{number}");
        let values: [Value<'_>; 5] = [(&id).into(), image.into(), text.into(), size.into(), number.into()];
        tx.execute_one(PUT, &values).await.unwrap();
    }
    tx.commit().await.unwrap();
    (folder, path)
}

async fn content(tx: &mut Tx) -> Vec<String> {
    let sql = "SELECT id, image_id, name, created_ms, modified_ms FROM templates ORDER BY id";
    let text = |row: &Row| format!("{row:?}");
    tx.query(sql, &[]).await.unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn every_row_arrives_as_it_was() {
    let (_folder, path) = filled().await;
    let url = schema().await;
    let address = Address::parse(&url, None, Some(2)).unwrap();
    let taken = transfer(&path, &address).await.unwrap();
    let rows = |name: &str| taken.iter().find(|taken| taken.table == name).map(|taken| taken.rows);
    assert_eq!((rows("templates"), rows("images")), (Some(ROWS.unsigned_abs()), Some(0)));

    let before =
        content(&mut Db::open(&Options::new(path.clone())).await.unwrap().read().await.unwrap()).await;
    let after = content(&mut open(&url).await.unwrap().read().await.unwrap()).await;
    assert_eq!(before.len(), after.len());
    assert!(before == after);

    let again = transfer(&path, &address).await;
    assert!(matches!(&again, Err(TransferError::NotEmpty(table)) if table == "templates"), "{again:?}");
}

#[tokio::test]
async fn one_that_is_interrupted_has_done_nothing_and_may_be_tried_again() {
    let (_folder, path) = filled().await;
    let url = schema().await;
    let proxy = Proxy::to(&url).await;
    let address = Address::parse(&proxy.url(&url), None, Some(2)).unwrap();
    let db = open(&url).await.unwrap();
    let cut = async {
        while proxy.bytes() < 200_000 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        proxy.cut();
    };
    let (interrupted, ()) = tokio::join!(transfer(&path, &address), cut);
    assert!(interrupted.is_err());
    assert!(content(&mut db.read().await.unwrap()).await.is_empty());
    transfer(&path, &address).await.unwrap();
    assert_eq!(content(&mut db.read().await.unwrap()).await.len(), usize::try_from(ROWS).unwrap());
}

#[tokio::test]
async fn what_is_no_metadata_is_refused() {
    let folder = TempDir::new().unwrap();
    let address = Address::parse(&schema().await, None, Some(2)).unwrap();
    let missing = transfer(&folder.path().join("none.db"), &address).await;
    assert!(matches!(missing, Err(TransferError::Store("the file", _))), "{missing:?}");
}

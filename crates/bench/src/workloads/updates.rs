//! The measure for PostgreSQL: updates of single rows by the library that the server uses, each made durable.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use calotype_store::db::{Db, Options, Result, StoreError};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Outcome;
use crate::catalogue::{Set, image_id, place, text};

/// Updates images with these numbers, each once, and prints how many a second.
///
/// # Errors
/// A text.
pub async fn run(url: &str, images: Range<u64>, connections: usize) -> Outcome {
    let db = Db::open(&Options::new(place(url, connections)?)).await.map_err(text)?;
    // The first transaction of each connection opens it.
    work(&db, images.start..images.start + connections as u64 * 4, connections).await?;
    let count = (images.end - images.start) as f64;
    let began = Instant::now();
    work(&db, images, connections).await?;
    println!("{}", count / began.elapsed().as_secs_f64());
    Ok(())
}

async fn work(db: &Db, images: Range<u64>, connections: usize) -> Outcome {
    let next = Arc::new(AtomicU64::new(images.start));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (db, next) = (db.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= images.end {
                    return Ok(());
                }
                update(&db, number).await?;
            }
        });
    }
    for done in tasks.join_all().await {
        done.map_err(|error: StoreError| text(error))?;
    }
    Ok(())
}

async fn update(db: &Db, number: u64) -> Result<()> {
    let mut tx = db.begin().await?;
    let sql = "UPDATE images SET name = $2 WHERE id = $1";
    let image = image_id(Set::Own, number);
    tx.send_one(sql, &[image.as_str().into(), "other".into()], StoreError::Conflict).await?;
    tx.commit().await
}

//! Shares: which accounts may use an image.

use calotype_core::ids::ImageId;
use calotype_store::shares;

use crate::support::{TestDb, number};
use crate::things::{account, at};

#[tokio::test]
async fn shares_come_in_the_order_of_accounts_and_go_one_by_one_or_all() {
    let test = TestDb::new().await;
    let (one, other) = (ImageId::trusted("m-1"), ImageId::trusted("m-2"));
    let mut tx = test.db.begin().await.unwrap();
    for place in [3, 1, 2] {
        shares::add(&mut tx, &one, &account(place), at(5)).await.unwrap();
    }
    shares::add(&mut tx, &other, &account(1), at(5)).await.unwrap();
    assert_eq!(tx.ask(shares::of_image(&one)).await.unwrap(), [account(1), account(2), account(3)]);
    shares::remove(&mut tx, &one, &account(2)).await.unwrap();
    shares::remove(&mut tx, &one, &account(2)).await.unwrap();
    assert_eq!(tx.ask(shares::of_image(&one)).await.unwrap(), [account(1), account(3)]);
    shares::remove_all(&mut tx, &one).await.unwrap();
    assert_eq!(tx.ask(shares::of_image(&one)).await.unwrap(), []);
    assert_eq!(tx.ask(shares::of_image(&other)).await.unwrap(), [account(1)]);
}

#[tokio::test]
async fn sharing_again_keeps_the_first_time() {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for millis in [5, 6] {
        shares::add(&mut tx, &ImageId::trusted("m-1"), &account(1), at(millis)).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(number(&test.db, "SELECT MAX(since_ms) FROM shares").await, 5);
}

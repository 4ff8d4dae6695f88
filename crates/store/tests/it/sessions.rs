//! Temporary keys.

use calotype_core::ids::AccountId;
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, StoreError};
use calotype_store::sessions::{self, SessionRow};

use crate::support::TestDb;

fn session(key: &str, expires_ms: i64) -> SessionRow {
    SessionRow {
        access_key_id: key.to_owned(),
        token_sha256: format!("hash of the token of {key}"),
        sealed_secret: format!("sealed secret of {key}"),
        account: AccountId::trusted("1"),
        role: "builder".to_owned(),
        name: "night".to_owned(),
        policy: None,
        issued_to: "acs:ram::1:user/ci".to_owned(),
        created: Timestamp::from_millis(1),
        expires: Timestamp::from_millis(expires_ms),
    }
}

async fn keep(db: &Db, session: &SessionRow) {
    let mut tx = db.begin().await.unwrap();
    sessions::insert(&mut tx, session).await.unwrap();
    tx.commit().await.unwrap();
}

async fn find(db: &Db, key: &str) -> Option<SessionRow> {
    sessions::load(&mut db.read().await.unwrap(), key).await.unwrap()
}

#[tokio::test]
async fn a_session_is_found_by_whoever_opens_the_file_until_it_is_forgotten() {
    let test = TestDb::new().await;
    let plain = session("STS.a", 10);
    let limited = SessionRow { policy: Some("{}".to_owned()), ..session("STS.b", 20) };
    for session in [&plain, &limited] {
        keep(&test.db, session).await;
    }
    let again = test.reopen().await;
    assert_eq!(find(&again, "STS.a").await, Some(plain));
    assert_eq!(find(&again, "STS.b").await, Some(limited.clone()));
    assert_eq!(find(&again, "STS.c").await, None);

    for (time, forgotten) in [(10, 0), (11, 1), (20, 0)] {
        let mut tx = test.db.begin().await.unwrap();
        let gone = sessions::forget_ended(&mut tx, Timestamp::from_millis(time)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(gone, forgotten, "at {time}");
    }
    assert_eq!((find(&test.db, "STS.a").await, find(&test.db, "STS.b").await), (None, Some(limited)));
}

#[tokio::test]
async fn a_key_belongs_to_one_session() {
    let test = TestDb::new().await;
    keep(&test.db, &session("STS.a", 10)).await;
    let mut tx = test.db.begin().await.unwrap();
    let again = SessionRow { role: "other".to_owned(), ..session("STS.a", 20) };
    assert!(matches!(sessions::insert(&mut tx, &again).await, Err(StoreError::Conflict)));
    drop(tx);
    assert_eq!(find(&test.db, "STS.a").await.unwrap().role, "builder");
}

#[test]
fn a_session_does_not_show_its_key() {
    let shown = format!("{:?}", SessionRow { policy: Some("{}".to_owned()), ..session("STS.a", 10) });
    assert!(shown.contains("STS.a") && !shown.contains("secret") && !shown.contains("hash"), "{shown}");
}

//! Failures armed at the seam: they hit the statements that they name, until they are cleared.

use calotype_store::db::StoreError;
use calotype_store::seam::{Effect, Fault};

use crate::support::{TestDb, mark, marks_in};

const EFFECTS: [Effect; 3] = [Effect::Unavailable, Effect::Corrupt, Effect::Nothing];

fn is_meant(error: &StoreError, effect: Effect) -> bool {
    match effect {
        Effect::Unavailable => matches!(error, StoreError::Unavailable(_)),
        Effect::Corrupt => matches!(error, StoreError::Corrupt(_)),
        // A guard that changed no row.
        Effect::Nothing => matches!(error, StoreError::Conflict),
        Effect::Go | Effect::Instead(_) | Effect::AnswerLost | Effect::Early => false,
    }
}

#[tokio::test]
async fn an_armed_write_fails_each_time_and_works_again_when_cleared() {
    for effect in EFFECTS {
        let test = TestDb::new().await;
        test.faults.arm(Fault { statement: "INSERT INTO marks", effect });
        for _ in 0..2 {
            let mut tx = test.db.begin().await.unwrap();
            let error = mark(&mut tx, "one", 1).await.unwrap_err();
            assert!(is_meant(&error, effect), "{effect:?}: {error:?}");
            // The rest of the transaction goes on.
            assert_eq!(tx.execute("UPDATE marks SET place = 1", &[]).await.unwrap(), 0);
            tx.commit().await.unwrap();
        }
        let mut tx = test.db.begin().await.unwrap();
        test.faults.clear();
        mark(&mut tx, "one", 1).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(test.marks().await, ["one"], "{effect:?}");
    }
}

#[tokio::test]
async fn an_armed_read_fails_wherever_it_is_made() {
    for effect in EFFECTS {
        let test = TestDb::new().await;
        let mut tx = test.db.begin().await.unwrap();
        mark(&mut tx, "one", 1).await.unwrap();
        tx.commit().await.unwrap();
        test.faults.arm(Fault { statement: "FROM marks", effect });
        for mut tx in [test.db.begin().await.unwrap(), test.db.read().await.unwrap()] {
            let rows = tx.query("SELECT name FROM marks", &[]).await;
            let row = tx.query_opt("SELECT place FROM marks", &[]).await;
            if effect == Effect::Nothing {
                assert!(rows.unwrap().is_empty() && row.unwrap().is_none());
            } else {
                assert!(is_meant(&rows.unwrap_err(), effect) && is_meant(&row.unwrap_err(), effect));
            }
        }
        test.faults.clear();
        assert_eq!(test.marks().await, ["one"], "{effect:?}");
    }
}

/// Of several that fit a statement the first one armed happens, and nobody else's database is hit.
#[tokio::test]
async fn each_fault_hits_its_own_statement_in_its_own_database() {
    let (test, other) = (TestDb::new().await, TestDb::new().await);
    let again = test.reopen().await;
    for (statement, effect) in [
        ("SELECT name", Effect::Corrupt),
        ("FROM marks", Effect::Unavailable),
        ("INSERT INTO marks", Effect::Nothing),
    ] {
        test.faults.clone().arm(Fault { statement, effect });
    }
    let mut tx = test.db.clone().begin().await.unwrap();
    let (name, place) = ("SELECT name FROM marks", "SELECT place FROM marks");
    assert!(matches!(tx.query(name, &[]).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(tx.query(place, &[]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(mark(&mut tx, "one", 1).await, Err(StoreError::Conflict)));
    drop(tx);
    for db in [&again, &other.db] {
        let mut tx = db.begin().await.unwrap();
        mark(&mut tx, "one", 1).await.unwrap();
        assert_eq!(marks_in(&mut tx).await, ["one"]);
    }
}

//! What a database must be like, and servers that start.

use calotype_store::db::postgres::Address;
use calotype_store::db::{Db, Options, StoreError};
use tokio::task::JoinSet;

use crate::{open, place, postgres, schema};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_make_the_tables_once() {
    let place = place(&schema().await, 2);
    let mut servers = JoinSet::new();
    for _ in 0..8 {
        let options = Options::new(place.clone());
        servers.spawn(async move { Db::open(&options).await.map(drop) });
    }
    for opened in servers.join_all().await {
        opened.unwrap();
    }
}

/// A database whose texts are in the order of a language all the same gives lists in the order of bytes.
#[tokio::test]
async fn texts_are_in_the_order_of_their_bytes() {
    let name = format!("language_{}", std::process::id());
    let make = format!(
        "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
    );
    postgres::run(&postgres::address(), &make).await;
    let url = postgres::address();
    let (server, _) = url.rsplit_once('/').unwrap();
    let db = open(&format!("{server}/{name}")).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for id in ["a", "B", "\u{e4}", "b", "A"] {
        let sql = "INSERT INTO stores (region, token) VALUES ($1, '')";
        tx.execute_one(sql, &[id.into()]).await.unwrap();
    }
    let rows = tx.query("SELECT region FROM stores ORDER BY region", &[]).await.unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(ids, ["A", "B", "a", "b", "\u{e4}"]);
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let name = format!("latin_{}", std::process::id());
    let make = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    postgres::run(&postgres::address(), &make).await;
    let url = postgres::address();
    let (server, _) = url.rsplit_once('/').unwrap();
    let Err(StoreError::Unavailable(error)) = open(&format!("{server}/{name}")).await else {
        panic!("opened")
    };
    assert!(error.to_string().contains("LATIN1"), "{error}");
}

#[tokio::test]
async fn addresses_say_what_is_wrong_and_no_secret() {
    for (url, authorities, said) in [
        ("postgres://u:hush@db.example/x?sslmode=prefer", None, "sslmode must be"),
        ("postgres://u:hush@db.example/x", None, "metadata.ca"),
        ("postgres://u:hush@db.example/x?sslmode=require", Some("hush"), "no certificate"),
        ("postgres://u:hush@127.0.0.1/x?colour=hush", None, "unknown"),
    ] {
        let said_of_it = Address::parse(url, authorities, None).unwrap_err();
        assert!(said_of_it.contains(said) && !said_of_it.contains("hush"), "{url}: {said_of_it}");
    }
    let address = Address::parse("postgres://u:hush@127.0.0.1,localhost/x", None, None).unwrap();
    assert!(!format!("{address:?}").contains("hush"), "{address:?}");
}

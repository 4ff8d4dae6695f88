//! The PostgreSQL database that the tests may use instead of files, a schema for each of them.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

/// Its address.
pub fn address() -> String {
    std::env::var("CALOTYPE_TEST_POSTGRES").expect("CALOTYPE_TEST_POSTGRES is set: cargo xtask test sets it")
}

/// Its address, if tests that can use either engine are to use it.
pub fn chosen() -> Option<String> {
    std::env::var("CALOTYPE_TEST_ENGINE").is_ok_and(|engine| engine == "postgres").then(address)
}

/// The address of a new schema in it.
pub async fn schema(url: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    run(url, &format!("CREATE SCHEMA {name}")).await;
    format!("{url}?options=-csearch_path%3D{name}")
}

/// Runs a statement beside the program.
pub async fn run(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the database answers");
    let run = async {
        client.batch_execute(sql).await.expect("the statement runs");
        drop(client);
    };
    let (ended, ()) = tokio::join!(connection, run);
    ended.expect("the connection ends well");
}

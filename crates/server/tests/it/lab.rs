//! What a lab puts under an App, and what there is without one.

use std::sync::Arc;
use std::time::Instant;

use calotype::app::{App, Ground};
use calotype::clock::Clock;
use calotype::config::{Config, Overrides};
use calotype::lab::Lab;
use calotype::operations::{Incoming, MaybeBetween, dispatch_behind};
use calotype::wire::encode::query;
use calotype::wire::sign::{Key, sign_v1};
use calotype::wire::signature::Secret;
use calotype_core::ids::RegionId;
use calotype_store::replicas::{self, FillTask, Lease};
use hyper::{HeaderMap, Method, Uri};
use tempfile::TempDir;

use crate::support::raw::fresh_nonce;

/// An App of one account, whose stores are empty.
async fn open(ground: Ground) -> (Arc<App>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calotype.toml");
    let key = "[[account.access_key]]\nid = 'ak'\nsecret = 'secret'\n";
    let limits = "[throttling]\naccount_per_second = 0\noperation_per_second = 0\n";
    std::fs::write(&path, format!("{limits}[[account]]\nid = '1'\n{key}")).unwrap();
    let overrides =
        Overrides { config: Some(path), data: Some(folder.path().join("data")), ..Overrides::default() };
    let config = Config::load(&overrides, |_| None).unwrap();
    (App::open_on(config, ground).await.unwrap(), folder)
}

/// What a worker gets to fill at this moment in the first region.
async fn claim(app: &App) -> Vec<FillTask> {
    let now = app.clock.now();
    let lease = Lease { owner: app.server_id.clone(), until: now.plus_millis(60_000) };
    let mut tx = app.db.begin().await.unwrap();
    let region = RegionId::trusted("cn-hangzhou");
    let tasks = replicas::claim_fills(&mut tx, &region, now, &lease, 10).await.unwrap();
    tx.commit().await.unwrap();
    tasks
}

#[tokio::test]
async fn leases_follow_the_clock_of_a_lab() {
    let lab = Lab::new();
    let (app, _folder) = open(lab.ground()).await;
    let held = claim(&app).await;
    assert!(!held.is_empty() && claim(&app).await.is_empty(), "somebody holds them");
    app.clock.advance_millis(59_000);
    assert!(claim(&app).await.is_empty(), "still");
    app.clock.advance_millis(1_001);
    let again = claim(&app).await;
    assert_eq!(again.len(), held.len(), "whoever held them counts as dead");
    assert!(again.iter().all(|task| task.attempt == 2));
}

/// The negative control: there is nothing to move, to take away or to stand between.
#[tokio::test]
async fn without_a_lab_nothing_of_it_is_there() {
    let ground = Ground::default();
    assert!(ground.seam.is_none());
    assert!(matches!(ground.clock, Clock::System));
    let (app, _folder) = open(ground).await;
    assert!(!claim(&app).await.is_empty());
    app.clock.advance_millis(3_600_000);
    app.clock.leave_clients_behind(3_600_000);
    assert_eq!((app.clock.ahead_ms(), app.clock.clients_behind_ms()), (0, 0));
    assert!(claim(&app).await.is_empty(), "the machine's clock goes by itself");
}

/// Makes signed calls that do next to nothing, one after the other; gives how long one takes, in nanoseconds.
async fn measure(app: &App, between: &MaybeBetween) -> u128 {
    const CALLS: u32 = 5_000;
    let secret = Secret::new("secret");
    let key = Key { access_key_id: "ak", secret: &secret, security_token: None };
    let call = [("Action", "GetCallerIdentity"), ("Version", "2015-04-01"), ("Format", "JSON")];
    let call: Vec<_> = call.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bodies: Vec<String> = (0..CALLS)
        .map(|_| {
            let signed = sign_v1(key, "POST", &call, app.clock.now(), &fresh_nonce());
            query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        })
        .collect();
    let (method, uri, mut headers) = (Method::POST, Uri::from_static("/"), HeaderMap::new());
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    #[expect(clippy::disallowed_methods, reason = "this is a measurement")]
    let began = Instant::now();
    for body in &bodies {
        let body = body.as_bytes();
        let incoming =
            Incoming { method: &method, uri: &uri, headers: &headers, body, peer: None, secure: false };
        assert_eq!(dispatch_behind(app, between, &incoming).await.unwrap().status, 200);
    }
    began.elapsed().as_nanos() / u128::from(CALLS)
}

/// Says what a lab costs, on and off. Nothing is asserted of it, and it is only done if somebody asks for it:
/// `CALOTYPE_MEASURE=1 cargo test --release --test it measure_what_a_lab -- --nocapture`.
#[tokio::test]
async fn measure_what_a_lab_costs() {
    if std::env::var_os("CALOTYPE_MEASURE").is_none() {
        return;
    }
    let lab = Lab::new();
    let (off, _folder_off) = open(Ground::default()).await;
    let (on, _folder_on) = open(lab.ground()).await;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        without.push(measure(&off, &None).await);
        with.push(measure(&on, &lab.between()).await);
    }
    without.sort_unstable();
    with.sort_unstable();
    println!("a signed call that does nothing, fastest and median of 20 rounds:");
    println!("lab off: {} ns, {} ns", without[0], without[10]);
    println!("lab on:  {} ns, {} ns", with[0], with[10]);
}

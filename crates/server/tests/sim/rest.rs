//! The end of a run: everything works again, all work is done, and then everything must be as it must be.

use std::collections::BTreeMap;

use calotype::check;
use calotype::check::finding::Finding;
use calotype::wire::encode;
use calotype_core::time::Timestamp;
use calotype_store::objects::ObjectKey;
use ring::digest::{SHA256, digest};

use crate::judge::Raw;
use crate::ledger::{Ledger, Rule, Violation};
use crate::requests::LAST;
use crate::run::Run;

/// How often time is let pass until all work must be done: leases, pauses and grace periods are over long
/// before.
const ROUNDS_MAX: usize = 40;

/// How long each time, in milliseconds: longer than a lease and than the longest pause.
const ROUND_MS: u64 = 310_000;

/// Requests that are enough to delete everything.
const CLEARING_REQUESTS_MAX: usize = 400;

/// Lets everything work again, does all work, and checks.
pub async fn bring_to_rest(run: &mut Run) {
    if run.failed() {
        return;
    }
    run.say(|_| "everything works again".to_owned());
    run.world.gates.state().judge.weather.clear_up();
    if run.plan.power_cut_at_the_end {
        run.cut_power().await;
    }
    run.world.gates.state().open = true;
    run.stage.paused.clear();
    while run.stage.release_any() {}
    for place in run.world.down() {
        run.start(place);
    }
    run.run_out().await;
    come_to_rest(run).await;
    look(run).await;
    if run.plan.cleared_at_the_end {
        clear(run).await;
        come_to_rest(run).await;
        look(run).await;
    }
}

/// Does all work, letting time pass until it is due.
async fn come_to_rest(run: &mut Run) {
    for round in 0.. {
        run.drain().await;
        if run.failed() || work(run).is_empty() {
            return;
        }
        if round == ROUNDS_MAX {
            run.report_violation(Violation::new(Rule::Stuck, format!("work is left: {:?}", work(run))));
        }
        run.let_pass(ROUND_MS).await;
    }
}

/// Looks at everything, once it is at rest.
async fn look(run: &mut Run) {
    if !run.failed() {
        run.audit();
    }
    let raw = run.world.gates.state().judge.raw.clone();
    let Some(raw) = raw.filter(|_| !run.failed()) else { return };
    let mut violation = look_at_bytes(run, &raw).await;
    if violation.is_none() {
        violation = look_at_exports(run, &raw).await;
    }
    if violation.is_none() {
        violation = ask_the_check(run, &raw).await;
    }
    if let Some(violation) = violation {
        run.report_violation(violation);
    }
}

/// Deletes every image and snapshot of the accounts, with what keeps them. Nothing may stand in the way of
/// that for ever.
async fn clear(run: &mut Run) {
    run.tidy = true;
    let left = "SELECT id FROM images WHERE owner <> 'system' AND deleted_ms IS NULL \
                UNION ALL SELECT id FROM snapshots ORDER BY 1";
    for _ in 0..CLEARING_REQUESTS_MAX {
        let things = {
            let state = run.world.gates.state();
            state.judge.ledger.as_ref().map_or_else(Vec::new, |ledger| ledger.column(left, &[]))
        };
        let Some(thing) = run.dice.pick(&things).filter(|_| !run.failed()) else { return };
        run.focus.clone_from(thing);
        let up = run.world.up();
        let place = run.dice.pick(&up).copied().unwrap_or(0);
        if let Some(draft) = run.with_scene(LAST) {
            let request = run.sign(draft);
            run.send(request, place);
            run.run_out().await;
        }
        // Whoever launched or switched something must wait for it.
        run.let_pass(1_000).await;
        run.drain().await;
    }
    run.report_violation(Violation::new(Rule::Stuck, "images cannot be deleted"));
}

fn work(run: &Run) -> Vec<String> {
    let state = run.world.gates.state();
    state.judge.ledger.as_ref().map_or_else(Vec::new, Ledger::work)
}

/// What is not as it must be at rest.
async fn look_at_bytes(run: &Run, raw: &Raw) -> Option<Violation> {
    let rows = {
        let state = run.world.gates.state();
        let ledger = state.judge.ledger.as_ref()?;
        if let Some(violation) = ledger.broken_at_rest() {
            return Some(violation);
        }
        let sql = "SELECT id, region, state, COALESCE(object_key, ''), COALESCE(size_bytes, 0), \
                   COALESCE(sha256, ''), writes FROM replicas ORDER BY id";
        ledger.rows(sql, &[])
    };
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &rows {
        let [id, region, state, key, size, sha256, writes] = row.as_slice() else { continue };
        let (_, store) = raw.places.regions.iter().find(|(known, _)| known.as_str() == region)?;
        let mut has_bytes = false;
        for write in 1..=writes.parse::<u32>().unwrap_or(0) {
            let other = format!("{id}.{write}");
            let Ok(object) = store.open_replica(&ObjectKey::trusted(&other)).await else { continue };
            *found.entry(region).or_default() += 1;
            if state == "erased" && !run.world.gates.state().judge.is_excused(&other) {
                return Some(Violation::new(Rule::Bytes, format!("{other} in {region} belongs to nobody")));
            }
            if *key == other {
                let bytes = object.bytes().await.ok()?;
                has_bytes = bytes.len().to_string() == *size
                    && encode::hex(digest(&SHA256, &bytes).as_ref()) == *sha256;
            }
        }
        if state == "available" && !has_bytes {
            return Some(Violation::new(Rule::Bytes, format!("{key} in {region} is not what was recorded")));
        }
    }
    for (region, store) in &raw.places.regions {
        let (count, _) = store.measure().await.ok()?;
        let known = found.get(region.as_str()).copied().unwrap_or(0);
        if count != known {
            let text = format!("{count} objects in {region}, and {known} of them belong to replicas");
            return Some(Violation::new(Rule::Bytes, text));
        }
    }
    None
}

/// Every image that counts as exported is in its bucket.
async fn look_at_exports(run: &Run, raw: &Raw) -> Option<Violation> {
    let rows = {
        let state = run.world.gates.state();
        let sql = "SELECT e.bucket, e.object, r.sha256 FROM exports e JOIN replicas r ON r.holder_id = e.image_id \
                   WHERE e.state = 'exported' AND r.sha256 IS NOT NULL ORDER BY e.image_id";
        state.judge.ledger.as_ref()?.rows(sql, &[])
    };
    for row in rows {
        let [bucket, object, sha256] = row.as_slice() else { continue };
        let found = raw.places.bucket(bucket)?.objects.get(object).await;
        let bytes = match found {
            Ok(found) => found.bytes().await.ok()?,
            Err(_) => bytes::Bytes::new(),
        };
        if encode::hex(digest(&SHA256, &bytes).as_ref()) != *sha256 {
            return Some(Violation::new(Rule::Bytes, format!("{object} is not what was exported")));
        }
    }
    None
}

/// The check that operators have finds what was found here, and nothing else: objects of writers that were
/// late. After its repair nothing is found any more.
async fn ask_the_check(run: &Run, raw: &Raw) -> Option<Violation> {
    let (options, progress) =
        (check::Options { deep: true, ..check::Options::default() }, check::Progress::default());
    let now = Timestamp::from_millis(run.now_ms());
    let failed = |text: String| Some(Violation::new(Rule::Check, text));
    let mut report = match check::look(&raw.db, &raw.places, now, &options, &progress).await {
        Ok(report) => report,
        Err(error) => return failed(error.to_string()),
    };
    for entry in &report.entries {
        match &entry.finding {
            Finding::Stray { name, .. } if is_expected(run, name) => {
                run.world.gates.state().judge.strays += 1;
            }
            finding @ (Finding::Damaged(_)
            | Finding::Lost { .. }
            | Finding::Stray { .. }
            | Finding::Broken(_)) => return failed(format!("it finds {finding:?}")),
        }
    }
    if let Err(error) = check::repair(&raw.db, &raw.places, now, &mut report, &progress).await {
        return failed(error.to_string());
    }
    match check::look(&raw.db, &raw.places, now, &options, &progress).await {
        Ok(report) if report.status() == 0 => None,
        Ok(report) => failed(format!("it leaves {:?}", report.entries)),
        Err(error) => failed(error.to_string()),
    }
}

/// Whether an object may lie there beside the bytes of its replica: its writer was late, or the store was away
/// when the last attempt was to erase it.
fn is_expected(run: &Run, name: &str) -> bool {
    let state = run.world.gates.state();
    let row = state.judge.ledger.as_ref().and_then(|ledger| ledger.replica_of(name));
    state.judge.is_late(name) || row.is_some_and(|row| row.state == "failed")
}

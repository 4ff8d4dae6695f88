//! The check: every kind of finding is found and told, nothing is changed by looking, what can be repaired is, and a
//! second check is clean.

mod away;
mod busy;
mod bytes;
mod objects;
mod records;

use std::time::Duration;

use calotype::check::finding::Repair;
use calotype::check::{Options, Outcome, Progress, Report, look, repair};
use calotype_store::db::Value as SqlValue;

use crate::support::World;

/// A check without the pause between the two looks: nothing else happens here.
fn options() -> Options {
    Options { pause: Duration::ZERO, ..Options::default() }
}

fn deep() -> Options {
    Options { deep: true, ..options() }
}

async fn look_with(world: &World, options: &Options) -> Report {
    let progress = Progress::default();
    look(&world.app.db, &world.app.places, world.clock.now(), options, &progress).await.unwrap()
}

async fn repair_with(world: &World, report: &mut Report) {
    let progress = Progress::default();
    repair(&world.app.db, &world.app.places, world.clock.now(), report, &progress).await.unwrap();
}

/// What was found and what can be done, a line each.
fn told(report: &Report) -> Vec<String> {
    let word = |repair: &Repair| match repair {
        Repair::Nothing(_) => "nothing".to_owned(),
        Repair::Copy { region, .. } => format!("copy from {region}"),
        Repair::Make => "make".to_owned(),
        Repair::Adopt(_) => "adopt".to_owned(),
        Repair::GiveUp => "give up".to_owned(),
        Repair::Erase => "erase".to_owned(),
        Repair::Mend(how) => (*how).to_owned(),
    };
    report.entries.iter().map(|entry| format!("{}: {}", entry.finding.kind(), word(&entry.repair))).collect()
}

/// Checks that exactly this is found, that looking changes nothing, that all of it is repaired, and that nothing is
/// found after that. Gives the text of the plan.
async fn check_and_repair(world: &World, options: &Options, expected: &[&str]) -> String {
    let before = world.print().await;
    let mut report = look_with(world, options).await;
    assert_eq!(told(&report), expected, "{}", report.plan_text());
    assert_eq!(report.status(), u8::from(!expected.is_empty()), "{}", report.end_text());
    assert_eq!(world.print().await, before, "looking changes nothing");
    let plan = report.plan_text();
    let lines = plan.lines().count();
    assert_eq!(lines, report.regions.len() + expected.len(), "a line each: {plan}");
    repair_with(world, &mut report).await;
    assert!(report.entries.iter().all(|entry| entry.outcome == Some(Outcome::Done)), "{:?}", report.entries);
    assert_eq!(report.status(), 0, "{}", report.end_text());
    world.drain().await;
    assert_clean(world, options).await;
    plan
}

async fn assert_clean(world: &World, options: &Options) {
    let report = look_with(world, options).await;
    assert_eq!((told(&report), report.status()), (vec![], 0), "{}", report.plan_text());
}

/// The only available replica of an image or a snapshot in a region: its id and the file of its bytes.
async fn replica(world: &World, holder: &str, region: &str) -> (String, std::path::PathBuf) {
    let sql =
        "SELECT id, object_key FROM replicas WHERE holder_id = $1 AND region = $2 AND state = 'available'";
    let values: &[SqlValue<'_>] = &[holder.into(), region.into()];
    let rows = world.rows(sql, values).await;
    assert_eq!(rows.len(), 1, "{holder} in {region}");
    let key = rows[0].text(1).unwrap();
    (rows[0].text(0).unwrap().to_owned(), world.path(&format!("objects/{region}/{key}")))
}

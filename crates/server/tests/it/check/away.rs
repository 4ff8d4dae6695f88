//! Regions that are away: what cannot be seen is neither sound nor broken, and nothing in it counts as erased.

use std::fs;
use std::path::Path;

use calotype::app::{App, Ground};
use calotype::check::Region;
use calotype::clock::Clock;
use calotype::config::{Config, Overrides};
use calotype::workers;
use calotype_core::ids::RegionId;
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, Options};
use calotype_store::objects::{Location, Objects, Places};
use calotype_store::stores;
use serde_json::Value;

use super::{assert_clean, look_with, options, repair_with, replica, told};
use crate::support::app_streaming::OWN;
use crate::support::folders::RegionAway;
use crate::support::refusals::NONCE_USED;
use crate::support::{NOW, REGION, Setup, World};

/// Takes the folder of a region away and leaves an empty one, as a disk that is not mounted does.
fn unmount(home: &Path) {
    fs::rename(home, home.with_extension("away")).unwrap();
    fs::create_dir(home).unwrap();
}

fn mount(home: &Path) {
    fs::remove_dir(home).unwrap();
    fs::rename(home.with_extension("away"), home).unwrap();
}

async fn deletion(world: &World, image: &str) -> Value {
    world.owner.must(OWN, "GetDeletion", &[("ImageId", image)]).await["Deletion"].clone()
}

#[tokio::test]
async fn nothing_counts_as_erased_while_the_disk_is_not_mounted() {
    let world = World::new().await;
    let image = world.import().await;
    let home = world.path(&format!("objects/{REGION}"));
    unmount(&home);
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    for _ in 0..3 {
        world.drain().await;
        let told = deletion(&world, &image).await;
        assert_eq!(told["State"], "Erasing");
        let error = told["Regions"][0]["LastError"].as_str().unwrap();
        assert_eq!(
            error,
            "the store of the region is away: it has no marker; is its disk mounted, is its bucket there?"
        );
        world.pass(10);
    }
    // Nor does a server that starts now take the empty folder for the region.
    let world = world.reopen().await;
    world.drain().await;
    assert_eq!(deletion(&world, &image).await["State"], "Erasing");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "nothing is written there");

    mount(&home);
    world.pass(600);
    world.drain().await;
    assert_eq!(deletion(&world, &image).await["State"], "Complete");
    world.assert_erased(&image).await;
    world.assert_sound().await;
}

/// The negative control: a server over the same stores without their markers.
#[tokio::test]
async fn without_the_marker_the_bytes_would_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
    let data = folder.path().join("data");
    let overrides = Overrides { data: Some(data.clone()), ..Overrides::default() };
    let config = Config::load(&overrides, |_| None).unwrap();
    fs::create_dir_all(&data).unwrap();
    let db = Db::open(&Options::new(config.metadata.clone())).await.unwrap();
    let home = data.join("objects/cn-hangzhou");
    let mut places = Places::default();
    for (region, location) in &config.regions {
        let Location::File(_) = location else { panic!("a folder") };
        places.regions.insert(region.clone(), Objects::open(location).unwrap());
    }
    let ground = Ground { clock, shared: Some((db.clone(), places)), ..Ground::default() };
    let app = App::open_on(config, ground).await.unwrap();
    workers::drain(&app).await.unwrap();
    let count = fs::read_dir(&home).unwrap().count();
    assert!(count > 0);
    unmount(&home);
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE images SET deleted_ms = 5", &[]).await.unwrap();
    let sql = "UPDATE replicas SET state = 'erasing', tries = 0, due_ms = 5 WHERE region = 'cn-hangzhou'";
    tx.execute(sql, &[]).await.unwrap();
    tx.commit().await.unwrap();
    workers::drain(&app).await.unwrap();
    let left = "SELECT COUNT(*) FROM replicas WHERE region = 'cn-hangzhou' AND state <> 'erased'";
    let rows = db.read().await.unwrap().query(left, &[]).await.unwrap();
    assert_eq!(rows[0].integer(0).unwrap(), 0, "erased, as it seems");
    mount(&home);
    assert_eq!(fs::read_dir(&home).unwrap().count(), count, "and all of it is there");
}

#[tokio::test]
async fn a_region_that_is_away_fails_imports_and_nothing_else() {
    let world = World::new().await;
    let home = world.path(&format!("objects/{REGION}"));
    unmount(&home);
    let image = world.begin_import(&crate::support::disk("to a region that is away")).await;
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Creating");
    mount(&home);
    world.pass(10);
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Available");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_check_that_cannot_see_a_region_says_so_and_looks_at_the_others() {
    for empty in [true, false] {
        let world = World::new().await;
        let image = world.import().await;
        let home = world.path(&format!("objects/{REGION}"));
        let shanghai = world.path("objects/cn-shanghai");
        let (id, _) = replica(&world, &image, REGION).await;
        fs::write(home.join(format!("{id}.9")), "not seen").unwrap();
        fs::write(shanghai.join("r-0000000000000000000000000.1"), "seen").unwrap();
        let away = (!empty).then(|| RegionAway::take(&home));
        if empty {
            unmount(&home);
        }
        let mut report = look_with(&world, &options()).await;
        assert_eq!(told(&report), ["object-unknown: nothing"], "{}", report.plan_text());
        let region = &report.regions[&RegionId::trusted(REGION)];
        assert!(matches!(region, Region::Away(_)), "{region:?}");
        repair_with(&world, &mut report).await;
        assert_eq!(report.status(), 2);
        assert!(report.end_text().contains("as far as could be seen"), "{}", report.end_text());
        drop(away);
        if empty {
            mount(&home);
        }
        let report = look_with(&world, &options()).await;
        assert_eq!((told(&report).len(), report.status()), (2, 1), "{}", report.plan_text());
    }
}

#[tokio::test]
async fn bytes_that_only_a_region_has_that_is_away_are_waited_for() {
    let world = World::new().await;
    let image = crate::support::app_streaming::image(&world).await;
    let params = [("ImageId", image.as_str()), ("DestinationRegionList.1", REGION)];
    let version = crate::support::app_streaming::AS;
    world.owner.must(version, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
    fs::remove_file(replica(&world, &image, REGION).await.1).unwrap();
    let home = world.path("objects/cn-hangzhou");
    unmount(&home);
    let mut report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["bytes-missing: nothing"], "{}", report.plan_text());
    let before = world.print().await;
    repair_with(&world, &mut report).await;
    assert_eq!((world.print().await, report.status()), (before, 2));
    mount(&home);
    let report = look_with(&world, &options()).await;
    assert_eq!(told(&report), ["bytes-missing: copy from cn-hangzhou"]);
}

#[tokio::test]
async fn a_region_that_is_not_configured_any_more_is_away() {
    let world = World::new().await;
    let image = world.import().await;
    let sql = "UPDATE replicas SET region = 'cn-former' WHERE holder_id = $1";
    world.change(sql, &[image.as_str().into()]).await;
    let report = look_with(&world, &options()).await;
    let former = &report.regions[&RegionId::trusted("cn-former")];
    assert_eq!(former, &Region::Away("it is not configured, and has records".to_owned()));
    assert_eq!((told(&report), report.status()), (vec!["object-unknown: nothing".to_owned()], 2));
    let mut known = options();
    known.unseen.insert(RegionId::trusted("cn-former"), "in the memory of the server");
    assert_eq!(look_with(&world, &known).await.status(), 1);
}

#[tokio::test]
async fn regions_in_memory_are_compared_within_the_process() {
    let regions = "[[region]]\nid = 'cn-beijing'\nobjects = 'memory:'\n";
    let world = World::open(Setup::with(regions)).await;
    let image = world.import().await;
    assert_clean(&world, &super::deep()).await;
    let sql = "UPDATE replicas SET sha256 = 'other' WHERE holder_id = $1";
    world.change(sql, &[image.as_str().into()]).await;
    let report = look_with(&world, &super::deep()).await;
    assert_eq!(told(&report), ["bytes-hash: give up"]);
}

/// Nonces that were spent after the backup are forgotten: what was stamped before the restore counts as spent.
#[tokio::test]
async fn what_was_signed_before_a_restore_is_refused() {
    let world = World::new().await;
    let image = world.import().await;
    let mut tx = world.app.db.begin().await.unwrap();
    stores::record_restored(&mut tx, world.clock.now().plus_millis(2_500)).await.unwrap();
    tx.commit().await.unwrap();
    let world = world.reopen().await;
    let params = [("ImageId", image.as_str())];
    for _ in 0..3 {
        world.owner.refused("DeleteImage", &params, NONCE_USED).await;
        world.pass(1);
    }
    world.owner.ok("DeleteImage", &params).await;
}

//! The data folder and the stores that an App stands on.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use calotype_core::ids::RegionId;
use calotype_store::db::{Db, StoreError};
use calotype_store::objects::{Bucket, Objects, Places};
use calotype_store::{replicas, stores};

use super::OpenError;
use crate::config::Config;

/// How long a start waits for the regions, all at once.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// Makes the data folder and locks it: two processes must never use one.
///
/// # Errors
/// [`OpenError::Folder`] or [`OpenError::InUse`].
pub fn take_folder(data: &Path) -> Result<File, OpenError> {
    let failed =
        |source| OpenError::Folder { what: format!("cannot use the data folder {}", data.display()), source };
    std::fs::create_dir_all(data).map_err(failed)?;
    let lock = File::create(data.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(data.display().to_string())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A command that works on the data folder beside a server, or alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Only looks: a check, a backup.
    Look,
    /// Repairs: one at a time.
    Repair,
    /// Puts other metadata in the place of what is there: beside no other command.
    Restore,
}

/// Makes sure that commands do not disturb each other, as long as the files are held.
///
/// # Errors
/// [`OpenError::Folder`] or [`OpenError::CommandRuns`].
pub fn hold(data: &Path, command: Command) -> Result<Vec<File>, OpenError> {
    let wanted: &[(&str, bool)] = match command {
        Command::Look => &[("commands.lock", false)],
        Command::Repair => &[("commands.lock", false), ("repair.lock", true)],
        Command::Restore => &[("commands.lock", true)],
    };
    let one = |(name, alone): &(&str, bool)| {
        let path = data.join(name);
        let failed = |source| OpenError::Folder { what: format!("cannot use {}", path.display()), source };
        let file = File::create(&path).map_err(failed)?;
        match if *alone { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::CommandRuns(data.display().to_string())),
            Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    };
    wanted.iter().map(one).collect()
}

/// The stores that the configuration names. A region that was used before may be away: only its own work waits.
pub(super) async fn places(config: &Config, db: &Db, fresh: &str) -> Result<Places, OpenError> {
    let mut places = Places { bucket_root: Some(config.data.join("buckets")), ..Places::default() };
    let installation = stores::installation(db, fresh).await?;
    for (region, location) in &config.regions {
        let objects = stores::claim(db, &installation, region, &Objects::at(location))
            .await
            .map_err(|source| OpenError::Region { region: region.clone(), source })?;
        places.regions.insert(region.clone(), objects);
    }
    futures::future::join_all(places.regions.iter().map(|(region, objects)| look(region, objects))).await;
    for (name, bucket) in &config.buckets {
        let objects = Objects::open(&bucket.location)
            .map_err(|source| OpenError::Objects { what: format!("bucket {name}"), source })?;
        places.buckets.insert(name.clone(), Bucket { region: Some(bucket.region.clone()), objects });
    }
    Ok(places)
}

/// Tells of a region that is away, if that shows soon; nobody waits for one that gives no answer.
async fn look(region: &RegionId, objects: &Objects) {
    match tokio::time::timeout(LOOK_MAX, objects.verify()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%region, %error, cause = ?std::error::Error::source(&error), "a region is away");
        }
        Err(_) => tracing::warn!(%region, "a region gives no answer"),
    }
}

/// The regions that are configured, and those that were and still have work: it is tried, and seen to fail.
pub(super) async fn work_regions(db: &Db, places: &Places) -> Result<BTreeSet<RegionId>, StoreError> {
    let mut regions: BTreeSet<_> = places.regions.keys().cloned().collect();
    regions.extend(replicas::regions(&mut db.read().await?).await?);
    Ok(regions)
}

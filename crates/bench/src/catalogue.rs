//! Catalogues: databases with images in them, written by the store itself.
//!
//! Ids follow from the number of an image, so that nobody has to keep lists of them. There are no bytes: what is
//! measured over a catalogue never reads any.

use std::path::{Path, PathBuf};
use std::time::Duration;

use calotype_core::ids::{AccountId, ImageId, InstanceId, RANDOM_BYTES, RegionId, ReplicaId, VersionId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product};
use calotype_core::instance::{ChargeType, Instance, InstanceLabels, PowerState, Transition};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::db::postgres::Address;
use calotype_store::db::{CommitMode, Db, Options, Place, Tx};
use calotype_store::versions::{self, Version};
use calotype_store::{images, instances, usages};

use crate::Outcome;

/// Whose images are deleted.
pub const ACCOUNT: &str = "1000000000000001";

/// Whose images only lie beside them.
const OTHER_ACCOUNT: &str = "1000000000000002";

/// The regions of the server.
pub const REGIONS: [&str; 4] = ["cn-hangzhou", "cn-shanghai", "cn-beijing", "ap-southeast-1"];

/// When the first image was made, and the time between two.
const FIRST_MS: i64 = 1_700_000_000_000;
const EVERY_MS: i64 = 1_000;

/// Images of one transaction.
const AT_ONCE: u64 = 10_000;

/// How often it is looked whether the log of a database is gone, and the time between two looks.
const LOOKS_MAX: u32 = 1_200;
const PAUSE: Duration = Duration::from_millis(100);

/// Which images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Of the account that is measured.
    Own,
    /// The same, each used by an instance.
    Used,
    /// Of another account.
    Others,
    /// Of nobody: they are in no catalogue.
    Nobody,
}

/// How many images of each set there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Images that can be deleted.
    pub own: u64,
    /// Images that are used.
    pub used: u64,
    /// Images of another account.
    pub others: u64,
}

/// The id of an image: the same number gives the same one.
#[must_use]
pub fn image_id(set: Set, number: u64) -> ImageId {
    ImageId::fresh_ens(created(set, number), chance(set, number))
}

/// The database at an address: that of PostgreSQL, or the path of a file.
///
/// # Errors
/// A text.
pub fn place(address: &str, connections: usize) -> Outcome<Place> {
    if !address.starts_with("postgres:") {
        return Ok(PathBuf::from(address).into());
    }
    Address::parse(address, None, Some(connections)).map(|address| Place::Postgres(Box::new(address)))
}

/// Writes a catalogue to a database that is empty.
///
/// A file has all its pages then, and no log beside it.
///
/// # Errors
/// A text.
pub async fn write(place: Place, size: Size) -> Outcome {
    let log = match &place {
        Place::Sqlite(file) => Some(file.with_extension("db-wal")),
        Place::Postgres(_) => None,
    };
    let db = Db::open(&Options::new(place)).await.map_err(text)?;
    for (set, count) in [(Set::Own, size.own), (Set::Used, size.used), (Set::Others, size.others)] {
        for first in (0..count).step_by(usize::try_from(AT_ONCE).unwrap_or(usize::MAX)) {
            let mut tx = db.begin().await.map_err(text)?;
            for number in first..(first + AT_ONCE).min(count) {
                insert(&mut tx, set, number).await.map_err(text)?;
            }
            tx.commit().await.map_err(text)?;
        }
    }
    drop(db);
    let Some(log) = log else { return Ok(()) };
    // A thread of the database still moves pages, and the last connection removes the log.
    for _ in 0..LOOKS_MAX {
        if !log.exists() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("the log stays: {}", log.display()))
}

/// The App Streaming image that is copied.
#[must_use]
pub fn app_image_id() -> ImageId {
    ImageId::fresh_app_streaming(created(Set::Own, 0), chance(Set::Own, 0))
}

/// Adds an App Streaming image to a database that no server has open. Its object has the key of the first own image.
///
/// # Errors
/// A text.
pub async fn add_app_image(file: &Path, size_bytes: u64, sha256: &str) -> Outcome {
    let options = Options { commit: CommitMode::Alone, ..Options::new(file.to_owned()) };
    let db = Db::attach(&options).await.map_err(text)?;
    let mut tx = db.begin().await.map_err(text)?;
    let image = Image { id: app_image_id(), product: Product::AppStreaming, ..image(Set::Own, 0) };
    let version =
        Version { id: VersionId::fresh(image.created, chance(Set::Own, 0)), name: "v0.1.0".to_owned() };
    images::insert(&mut tx, &image).await.map_err(text)?;
    versions::insert(&mut tx, &image.id, &version, image.created).await.map_err(text)?;
    insert_replica(&mut tx, &image, Some(&version.id), (Set::Own, 0), (size_bytes, sha256))
        .await
        .map_err(text)?;
    tx.commit().await.map_err(text)
}

/// The key of the object of an image.
#[must_use]
pub fn object_key(set: Set, number: u64) -> String {
    format!("{}.1", ReplicaId::fresh(created(set, number), chance(set, number)))
}

/// The size of every object that is recorded.
pub const OBJECT_BYTES: u64 = 1 << 20;

async fn insert(tx: &mut Tx, set: Set, number: u64) -> calotype_store::db::Result<()> {
    let image = image(set, number);
    images::insert(tx, &image).await?;
    insert_replica(tx, &image, None, (set, number), (OBJECT_BYTES, &"9f".repeat(32))).await?;
    if set == Set::Used { insert_use(tx, &image, number).await } else { Ok(()) }
}

/// Writes an instance that was launched from an image.
async fn insert_use(tx: &mut Tx, image: &Image, number: u64) -> calotype_store::db::Result<()> {
    let instance = Instance {
        id: InstanceId::fresh(ConsumerKind::Instance, image.created, chance(Set::Used, number)),
        kind: ConsumerKind::Instance,
        owner: AccountId::trusted(ACCOUNT),
        image: image.id.clone(),
        reinit_image: None,
        power: PowerState::Running,
        transition: Transition::Pending,
        settles: image.created,
        charge_type: ChargeType::PostPaid,
        deletion_protection: false,
        labels: InstanceLabels {
            name: format!("instance-{number}"),
            region: "cn-dalian-unicom".to_owned(),
            instance_type: "ens.sn1.small".to_owned(),
            echo: Vec::new(),
        },
        disks: Vec::new(),
        created: image.created,
    };
    let usage = Usage {
        image: image.id.clone(),
        consumer_kind: instance.kind,
        consumer: instance.id.to_string(),
        consumer_owner: instance.owner.clone(),
        origin: UsageOrigin::Created,
        in_progress: false,
        since: image.created,
    };
    instances::insert(tx, &instance).await?;
    usages::insert(tx, &usage).await
}

/// Writes that the bytes of an image are there.
async fn insert_replica(
    tx: &mut Tx,
    image: &Image,
    version: Option<&VersionId>,
    (set, number): (Set, u64),
    (size_bytes, sha256): (u64, &str),
) -> calotype_store::db::Result<()> {
    let replica = ReplicaId::fresh(image.created, chance(set, number));
    tx.execute_one(
        "INSERT INTO replicas (id, holder_kind, holder_id, version_id, region, state, source_kind, source, attempt, \
         tries, writes, object_key, size_bytes, sha256, virtual_size_bytes, copied_bytes) \
         VALUES ($1, 'image', $2, $3, $4, 'available', 'bucket', 'golden/a.qcow2', 1, 1, 1, $5, $6, $7, \
         1073741824, $6)",
        &[
            replica.as_str().into(),
            image.id.as_str().into(),
            version.map(VersionId::as_str).into(),
            image.region.as_str().into(),
            object_key(set, number).as_str().into(),
            i64::try_from(size_bytes).unwrap_or(i64::MAX).into(),
            sha256.into(),
        ],
    )
    .await
}

fn image(set: Set, number: u64) -> Image {
    let created = created(set, number);
    let owner = if set == Set::Others { OTHER_ACCOUNT } else { ACCOUNT };
    Image {
        id: image_id(set, number),
        product: Product::Ens,
        owner: AccountId::trusted(owner),
        kind: ImageKind::Custom,
        state: ImageState::Available,
        name: format!("image-{number}"),
        labels: ImageLabels {
            architecture: "x86_64".to_owned(),
            compute_type: "ens_vm".to_owned(),
            platform: "centos".to_owned(),
            os_type: "linux".to_owned(),
            ..ImageLabels::default()
        },
        region: RegionId::trusted(REGIONS[0]),
        virtual_size_bytes: Some(1 << 30),
        stored_size_bytes: Some(OBJECT_BYTES),
        source_instance: None,
        source_snapshot: None,
        parent: None,
        base: None,
        published: None,
        created,
        modified: created,
    }
}

/// The images of the sets lie between each other.
fn created(set: Set, number: u64) -> Timestamp {
    let offset_ms = match set {
        Set::Own => 0,
        Set::Used => 250,
        Set::Others => 500,
        Set::Nobody => 750,
    };
    Timestamp::from_millis(FIRST_MS + i64::try_from(number).unwrap_or(0) * EVERY_MS + offset_ms)
}

/// What looks like chance and is none.
fn chance(set: Set, number: u64) -> [u8; RANDOM_BYTES] {
    let mut bytes = [0; RANDOM_BYTES];
    bytes[..8].copy_from_slice(&mix(number).to_be_bytes());
    bytes[8] = set as u8;
    bytes
}

/// What looks like chance and follows from a number: SplitMix64.
#[must_use]
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The numbers below `count` in an order that looks like chance: each `number` below it gives another one.
#[must_use]
pub fn scattered(number: u64, count: u64) -> u64 {
    let bits = (u64::BITS - count.saturating_sub(1).leading_zeros()).max(2);
    let mask = u64::MAX >> (u64::BITS - bits);
    let mut place = number;
    loop {
        // Each step loses nothing, so all of them together are a permutation of the numbers of so many bits.
        for factor in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            place = place.wrapping_mul(factor).wrapping_add(factor >> 32) & mask;
            place ^= place >> (bits / 2);
        }
        if place < count {
            return place;
        }
    }
}

/// What an error says, and its cause.
pub fn text(error: impl std::error::Error) -> String {
    let cause = error.source().map_or_else(String::new, |source| format!(": {source}"));
    format!("{error}{cause}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scattered_numbers_are_all_of_them_in_another_order() {
        for count in [1, 2, 3, 10, 1_000, 4_097] {
            let places: Vec<u64> = (0..count).map(|number| scattered(number, count)).collect();
            assert_eq!(places.iter().copied().collect::<BTreeSet<_>>(), (0..count).collect(), "{count}");
            assert!(count < 10 || !places.is_sorted(), "{count}");
        }
    }
}

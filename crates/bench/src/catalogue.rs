//! Catalogues: databases with images in them, written by the store itself.
//!
//! Ids follow from the number of an image, so that nobody has to keep lists of them. There are no bytes: what is
//! measured over a catalogue never reads any.

use std::path::Path;

use calotype_core::ids::{AccountId, ImageId, InstanceId, RANDOM_BYTES, RegionId, ReplicaId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::db::{Db, Options, Place, Tx};
use calotype_store::{images, usages};

use crate::Outcome;

/// Whose images are deleted.
pub const ACCOUNT: &str = "1000000000000001";

/// Whose images only lie beside them.
const OTHER_ACCOUNT: &str = "1000000000000002";

/// The regions of the server.
pub const REGIONS: [&str; 3] = ["cn-hangzhou", "cn-shanghai", "cn-beijing"];

/// When the first image was made, and the time between two.
const FIRST_MS: i64 = 1_700_000_000_000;
const EVERY_MS: i64 = 1_000;

/// Images of one transaction.
const AT_ONCE: u64 = 10_000;

/// Which images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Of the account that is measured.
    Own,
    /// The same, each used by an instance.
    Used,
    /// Of another account.
    Others,
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

/// Writes a catalogue to a database that is empty.
///
/// # Errors
/// A text.
pub async fn write(place: impl Into<Place>, size: Size) -> Outcome {
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
    Ok(())
}

/// The place of the metadata in a data folder.
#[must_use]
pub fn in_folder(data: &Path) -> Place {
    data.join("metadata.db").into()
}

async fn insert(tx: &mut Tx, set: Set, number: u64) -> calotype_store::db::Result<()> {
    let image = image(set, number);
    images::insert(tx, &image).await?;
    let replica = ReplicaId::fresh(image.created, chance(set, number));
    let sha256 = "9f".repeat(32);
    let key = format!("{replica}.1");
    tx.execute_one(
        "INSERT INTO replicas (id, holder_kind, holder_id, region, state, source_kind, source, attempt, tries, writes, \
         object_key, size_bytes, sha256, virtual_size_bytes, copied_bytes) \
         VALUES ($1, 'image', $2, $3, 'available', 'bucket', 'golden/a.qcow2', 1, 1, 1, $4, 1048576, $5, 1073741824, \
         1048576)",
        &[
            replica.as_str().into(),
            image.id.as_str().into(),
            image.region.as_str().into(),
            (&key).into(),
            (&sha256).into(),
        ],
    )
    .await?;
    if set == Set::Used {
        let instance = InstanceId::fresh(ConsumerKind::Instance, image.created, chance(set, number));
        let usage = Usage {
            image: image.id,
            consumer_kind: ConsumerKind::Instance,
            consumer: instance.to_string(),
            consumer_owner: AccountId::trusted(ACCOUNT),
            origin: UsageOrigin::Created,
            in_progress: false,
            since: image.created,
        };
        usages::insert(tx, &usage).await?;
    }
    Ok(())
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
        stored_size_bytes: Some(1 << 20),
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
    };
    Timestamp::from_millis(FIRST_MS + i64::try_from(number).unwrap_or(0) * EVERY_MS + offset_ms)
}

/// What looks like chance and is none: SplitMix64 of the number.
fn chance(set: Set, number: u64) -> [u8; RANDOM_BYTES] {
    let mut bytes = [0; RANDOM_BYTES];
    bytes[..8].copy_from_slice(&mix(number).to_be_bytes());
    bytes[8] = set as u8;
    bytes
}

/// A permutation of the numbers, without order.
#[must_use]
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn text(error: impl std::error::Error) -> String {
    let cause = error.source().map_or_else(String::new, |source| format!(": {source}"));
    format!("{error}{cause}")
}

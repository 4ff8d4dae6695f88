//! Every store there is, by the names that requests and rows have for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use calotype_core::ids::RegionId;

use super::Objects;
use crate::seam::MaybeSeam;

/// The stores of every region, and the buckets.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The store of each region.
    pub regions: BTreeMap<RegionId, Objects>,
    /// The named buckets.
    pub buckets: BTreeMap<String, Bucket>,
    /// A folder whose every folder is a bucket too.
    pub bucket_root: Option<PathBuf>,
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The region it says it is in.
    pub region: Option<RegionId>,
    /// Its objects.
    pub objects: Objects,
}

impl Places {
    /// The same places behind a seam, which hears them by the ids of regions and the names of buckets.
    #[must_use]
    pub fn behind(&self, seam: &MaybeSeam) -> Self {
        let mut places = self.clone();
        for (id, objects) in &mut places.regions {
            *objects = objects.behind(id.as_str(), seam.clone());
        }
        for (name, bucket) in &mut places.buckets {
            bucket.objects = bucket.objects.behind(name, seam.clone());
        }
        places
    }

    /// The store of a region.
    #[must_use]
    pub fn region(&self, id: &RegionId) -> Option<&Objects> {
        self.regions.get(id)
    }

    /// The bucket of this name.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Option<Bucket> {
        if let Some(bucket) = self.buckets.get(name) {
            return Some(bucket.clone());
        }
        if !is_bucket_name(name) {
            return None;
        }
        let folder = self.bucket_root.as_ref()?.join(name);
        let objects = folder.is_dir().then(|| Objects::open_existing(&folder).ok())??;
        Some(Bucket { region: None, objects })
    }
}

/// Bucket names are 3 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter
/// or digit, so that none can name another folder.
#[must_use]
pub fn is_bucket_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

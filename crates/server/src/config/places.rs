//! Where the bytes are: the regions and the buckets.

use std::collections::BTreeMap;
use std::path::Path;

use calotype_core::ids::RegionId;
use calotype_store::objects::{Location, S3Key, S3Settings, is_bucket_name};

use super::file::{self, StoreKey};
use super::{BucketConfig, ConfigError};

/// What holds for S3 stores that do not say otherwise.
pub(super) fn s3(file: file::S3) -> Result<S3Settings, ConfigError> {
    let key = match (file.access_key_id, file.access_key_secret) {
        (Some(id), Some(secret)) => Some(S3Key { id, secret }),
        (None, None) => None,
        (Some(_), None) => return Err(ConfigError::new("s3.access_key_id needs s3.access_key_secret")),
        (None, Some(_)) => return Err(ConfigError::new("s3.access_key_secret needs s3.access_key_id")),
    };
    Ok(S3Settings { key, region: file.region, ca: file.ca.map(Into::into) })
}

/// Reads a location; `what` says whose it is. A key is for S3 stores only.
fn location(text: &str, key: Option<StoreKey>, what: &str, s3: &S3Settings) -> Result<Location, ConfigError> {
    let own = key.map(|key| S3Key { id: key.id, secret: key.secret });
    let has_own = own.is_some();
    let settings = S3Settings { key: own.or_else(|| s3.key.clone()), ..s3.clone() };
    let location = Location::parse(text, &settings)
        .map_err(|error| ConfigError::new(format!("{what}: objects: {error}")))?;
    if has_own && !matches!(location, Location::S3(_)) {
        return Err(ConfigError::new(format!("{what}: an access_key is for s3: stores")));
    }
    Ok(location)
}

pub(super) fn regions(
    entries: Vec<file::Region>,
    data: &Path,
    s3: &S3Settings,
) -> Result<Vec<(RegionId, Location)>, ConfigError> {
    let mut regions: Vec<(RegionId, Location)> = Vec::new();
    let entries = if entries.is_empty() { file::default_regions() } else { entries };
    for entry in entries {
        let id = RegionId::parse(&entry.id)
            .map_err(|_| ConfigError::new("region.id must be letters, digits and hyphens"))?;
        if regions.iter().any(|(other, _)| *other == id) {
            return Err(ConfigError::new(format!("region {id} is there twice")));
        }
        let location = match entry.objects {
            Some(text) => location(&text, entry.access_key, &format!("region {id}"), s3)?,
            None => Location::File(data.join("objects").join(id.as_str())),
        };
        regions.push((id, location));
    }
    Ok(regions)
}

pub(super) fn buckets(
    entries: Vec<file::Bucket>,
    regions: &[(RegionId, Location)],
    s3: &S3Settings,
) -> Result<BTreeMap<String, BucketConfig>, ConfigError> {
    let mut buckets = BTreeMap::new();
    for entry in entries {
        let name = entry.name;
        if !is_bucket_name(&name) {
            return Err(ConfigError::new(
                "bucket.name must be 3 to 63 lower-case letters, digits and hyphens",
            ));
        }
        let region = RegionId::trusted(entry.region);
        if !regions.iter().any(|(id, _)| *id == region) {
            return Err(ConfigError::new(format!("bucket {name}: region is none of the configured ones")));
        }
        let location = location(&entry.objects, entry.access_key, &format!("bucket {name}"), s3)?;
        if buckets.insert(name.clone(), BucketConfig { region, location }).is_some() {
            return Err(ConfigError::new(format!("bucket {name} is there twice")));
        }
    }
    Ok(buckets)
}

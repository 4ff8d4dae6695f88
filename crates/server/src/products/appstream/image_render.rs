//! An App Streaming image as `ListImage` shows it.

use calotype_core::ids::ImageId;
use calotype_core::image::{Image, ImageState, Stage, Standing};
use calotype_core::replica::{EntryState, RegionEntry};
use calotype_core::time::Timestamp;
use serde_json::{Value, json};

use crate::service::list_images::ListedImage;

const GIB: u64 = 1 << 30;

/// What the details keep for a feature that an image has.
pub(super) const FEATURE_SET: &str = "yes";

/// The name that a feature is kept under among the details.
pub(super) fn feature(name: &str) -> String {
    format!("Feature.{name}")
}

/// The type of an image, as the caller sees it.
fn image_type(image: &Image, standing: Standing) -> &'static str {
    match standing {
        Standing::Public => "System",
        Standing::SharedIn => "Shared",
        Standing::Community => "Community",
        Standing::Own | Standing::Hidden if image.published.is_some() => "Community",
        Standing::Own | Standing::Hidden => "User",
    }
}

fn status(image: &Image, entries: &[RegionEntry]) -> &'static str {
    match &image.state {
        ImageState::Making(Stage::Creating)
            if entries.iter().all(|entry| entry.state == EntryState::Waiting) =>
        {
            "INIT"
        }
        ImageState::Making(_) => "CREATING",
        ImageState::Available | ImageState::Unavailable => "AVAILABLE",
        ImageState::Failed { .. } => "CREATE_FAILED",
    }
}

/// `2025-04-25 15:13:57`, in UTC.
fn time(time: Timestamp) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}

fn entry(image: &ImageId, entry: &RegionEntry) -> Value {
    let (status, progress) = match entry.state {
        EntryState::Waiting => ("INIT", 0),
        EntryState::Copying(hundredths) => ("CREATING", hundredths),
        EntryState::Available => ("AVAILABLE", 100),
        EntryState::Failed => ("CREATE_FAILED", 0),
    };
    json!({
        "ImageId": image.as_str(),
        "Progress": format!("{progress}%"),
        "RegionId": entry.region.as_str(),
        "Status": status,
        "VersionId": entry.version.as_ref().map_or("", |version| version.as_str()),
    })
}

/// One entry of the listing. What no image has here is empty.
pub(super) fn image(item: &ListedImage) -> Value {
    let image = &item.view.image;
    let detail = |name: &str| {
        image.labels.details.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str())
    };
    let list = |name: &str| detail(name).split(',').filter(|item| !item.is_empty()).collect::<Vec<_>>();
    let details = image.labels.details.iter();
    let features: Vec<&str> = details.filter_map(|(name, _)| name.strip_prefix("Feature.")).collect();
    let newest = item.versions.last();
    let version_id = newest.map_or("", |version| version.id.as_str());
    let available = item.entries.iter().filter(|entry| entry.state == EntryState::Available);
    let mut regions: Vec<&str> = available.map(|entry| entry.region.as_str()).collect();
    regions.sort_unstable();
    regions.dedup();
    let entries: Vec<_> = item.entries.iter().map(|found| entry(&image.id, found)).collect();
    let tags: Vec<_> = item.tags.iter().map(|tag| json!({ "Key": tag.key, "Value": tag.value })).collect();
    json!({
        "AliUid": image.owner.as_str().parse::<i64>().unwrap_or(0),
        "AppList": [],
        "BaseImageId": image.base.as_ref().map_or("", |id| id.as_str()),
        "BaseImageVersion": detail("BaseImageVersion"),
        "BizType": 1,
        "CompatibleMode": false,
        "DataDiskSize": 0,
        "Description": detail("Description"),
        "Distro": detail("Distro"),
        "DriverList": [],
        "EnvironmentId": "",
        "FeatureList": features,
        "FotaChannel": "",
        "FotaVersion": detail("FotaVersion"),
        "GmtCreate": time(image.created),
        "GmtModified": time(image.modified),
        "ImageCreateMode": detail("ImageCreateMode"),
        "ImageIconUrl": "",
        "ImageId": image.id.as_str(),
        "ImageName": image.name,
        "ImageRegionDistributeList": entries,
        "ImageRegionList": regions,
        "ImageType": image_type(image, item.view.standing),
        "Language": detail("Language"),
        "LatestVersionId": version_id,
        "OnlineVersion": true,
        "OnlineVersionId": version_id,
        "OsType": image.labels.os_type,
        "PackageType": detail("PackageType"),
        "ParentImageId": image.parent.as_ref().map_or("", |id| id.as_str()),
        "ParentImageVersion": detail("ParentImageVersion"),
        "Platform": 0,
        "PlatformName": image.labels.platform,
        "ProductType": image.labels.product_type.split(',').next().unwrap_or_default(),
        "ProtocolType": detail("ProtocolType"),
        "Rating": 0,
        "ResourceInstanceCategory": "[]",
        "Scene": "",
        "SessionType": detail("SessionType"),
        "SnapshotList": [],
        "Status": status(image, &item.entries),
        "SupportedLanguageList": list("Language"),
        "SystemDiskSize": image.virtual_size_bytes.unwrap_or(0).div_ceil(GIB),
        "TagList": tags,
        "VersionId": version_id,
        "VersionName": newest.map_or("", |version| version.name.as_str()),
        "VolumeEncryptionEnabled": false,
        "VolumeEncryptionKey": "",
    })
}

//! A bundle as `DescribeBundles` shows it.

use calotype_core::template::SYSTEM_DISK_GIB;
use serde_json::{Value, json};

use super::image_render::{image_detail, image_status, os_type};
use crate::service::describe_bundles::ListedBundle;

/// What the details of a bundle are kept under.
pub(super) const DATA_DISK_GIB: &str = "DataDiskSize";
pub(super) const DATA_DISK_LEVEL: &str = "DataDiskPerformanceLevel";
pub(super) const DESCRIPTION: &str = "Description";
pub(super) const DESKTOP_TYPE: &str = "DesktopType";
pub(super) const LANGUAGE: &str = "Language";
pub(super) const SYSTEM_DISK_LEVEL: &str = "SystemDiskPerformanceLevel";

/// The family of the desktops that a bundle is for: `ecd.basic` of `ecd.basic.small`.
pub(super) fn family(item: &ListedBundle) -> &str {
    text(item, DESKTOP_TYPE).rsplit_once('.').map_or("", |(family, _)| family)
}

/// One entry of the listing. Of an image that is gone, or no longer the caller's to see, only the id is
/// shown.
pub(super) fn bundle(item: &ListedBundle) -> Value {
    let bundle = &item.bundle;
    let image = item.image.as_ref().map(|view| &view.image);
    let of_image = |name| image.map_or("", |image| image_detail(image, name));
    json!({
        "BundleId": bundle.id.as_str(),
        "BundleName": bundle.name,
        "BundleType": "CUSTOM",
        "CreationTime": bundle.created.to_string(),
        "DataDiskCategory": "",
        "Description": text(item, DESCRIPTION),
        "DesktopType": text(item, DESKTOP_TYPE),
        // The catalogue of specifications is not part of an image service.
        "DesktopTypeAttribute": { "CpuCount": 0, "GpuCount": 0.0, "GpuSpec": "", "MemorySize": 0 },
        "DesktopTypeFamily": family(item),
        "Disks": disks(item),
        "ImageId": bundle.image.as_str(),
        "ImageName": image.map_or("", |image| &image.name),
        "ImageStatus": image.map_or("", |image| image_status(&image.state)),
        "Language": text(item, LANGUAGE),
        "OsType": image.map_or("", os_type),
        "Platform": image.map_or("", |image| &image.labels.platform),
        "ProtocolType": of_image("ProtocolType"),
        "SessionType": of_image("SessionType"),
        "StockState": "",
        "SystemDiskCategory": "",
        "VolumeEncryptionEnabled": false,
        "VolumeEncryptionKey": "",
    })
}

fn text<'a>(item: &'a ListedBundle, name: &str) -> &'a str {
    item.bundle.details.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn disks(item: &ListedBundle) -> Vec<Value> {
    let disk = |kind, size: &str, level| {
        let size = item.bundle.details.get(size).and_then(Value::as_i64).filter(|size| *size > 0)?;
        Some(json!({ "DiskPerformanceLevel": text(item, level), "DiskSize": size, "DiskType": kind }))
    };
    let system = disk("SYSTEM", SYSTEM_DISK_GIB, SYSTEM_DISK_LEVEL);
    let data = disk("DATA", DATA_DISK_GIB, DATA_DISK_LEVEL);
    system.into_iter().chain(data).collect()
}

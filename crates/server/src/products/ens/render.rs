//! Members that several ENS answers share.

use calotype_core::export_image::ExportState;
use calotype_core::ids::InstanceId;
use calotype_core::image::{Image, ImageState, ImageView, Stage, Standing};
use serde_json::{Map, Value, json};

use super::error::EnsError;

const GIB: u64 = 1 << 30;

/// The status of an image in the vendor's words.
pub(super) fn image_status(state: &ImageState) -> &'static str {
    match state {
        ImageState::Making(Stage::Creating) => "Creating",
        ImageState::Making(Stage::Packing) => "Packing",
        ImageState::Making(Stage::Uploading) => "Uploading",
        ImageState::Making(Stage::Copying) => "Copying",
        ImageState::Available => "Available",
        ImageState::Unavailable => "Unavailable",
        ImageState::Failed { stage: Stage::Creating | Stage::Packing, .. } => "Pack_failed",
        ImageState::Failed { stage: Stage::Uploading | Stage::Copying, .. } => "Upload_failed",
    }
}

/// How far an export is, in the vendor's words.
pub(super) fn export_status(state: &ExportState) -> &'static str {
    match state {
        ExportState::Exporting => "Exporting",
        ExportState::Exported => "Exported",
        ExportState::Failed { .. } => "ExportError",
    }
}

/// Whose the image is, seen by the caller.
pub(super) fn owner_alias(standing: Standing) -> &'static str {
    match standing {
        Standing::Own => "self",
        Standing::Public => "system",
        Standing::SharedIn | Standing::Community | Standing::Hidden => "others",
    }
}

/// The size of the image's disk in whole GiB, as a text.
pub(super) fn size_gib(image: &Image) -> String {
    image.virtual_size_bytes.unwrap_or(0).div_ceil(GIB).to_string()
}

/// The disks that the image has. Its own id is spelt `imageId` here, by the vendor.
pub(super) fn disk_mappings(image: &Image) -> Value {
    json!({ "DiskDeviceMapping": [{
        "Format": "qcow2",
        "Size": size_gib(image),
        "Type": "system",
        "imageId": image.id.as_str(),
    }] })
}

/// The members that the listings of images have in common.
pub(super) fn image(view: &ImageView) -> Map<String, Value> {
    let image = &view.image;
    let members = [
        ("Architecture", json!(image.labels.architecture)),
        ("CreationTime", json!(image.created.to_string())),
        ("DiskDeviceMappings", disk_mappings(image)),
        ("ImageId", json!(image.id.as_str())),
        ("ImageName", json!(image.name)),
        ("ImageOwnerAlias", json!(owner_alias(view.standing))),
        ("ImageSize", json!(size_gib(image))),
        ("Platform", json!(image.labels.platform)),
        ("RegionId", json!(image.region.as_str())),
        ("SnapshotId", json!(image.source_snapshot.as_ref().map_or("", |id| id.as_str()))),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The results of an operation on several instances, one each in the order of the ids: inside, 0 means
/// done.
pub(super) fn instance_responses<R: Into<EnsError>>(
    ids: &[InstanceId],
    results: Vec<Result<(), R>>,
) -> Value {
    let response = |(id, result): (&InstanceId, Result<(), R>)| {
        let (code, message) = match result.map_err(Into::into) {
            Ok(()) => (0, "success".to_owned()),
            Err(error) => {
                let row = error.row();
                (row.status, format!("{}: {}", row.code, row.message))
            }
        };
        json!({ "Code": code, "InstanceId": id.as_str(), "Message": message })
    };
    let responses: Vec<Value> = ids.iter().zip(results).map(response).collect();
    json!({ "InstanceResponses": responses })
}

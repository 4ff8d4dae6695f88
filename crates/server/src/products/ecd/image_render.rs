//! What several listings show of an image.

use calotype_core::image::{Image, ImageState};

/// A detail of an image, empty if it has none of that name.
pub(super) fn image_detail<'a>(image: &'a Image, name: &str) -> &'a str {
    let details = &image.labels.details;
    details.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

/// The status of an image in the vendor's words.
pub(super) fn image_status(state: &ImageState) -> &'static str {
    match state {
        ImageState::Making(_) => "Creating",
        ImageState::Available | ImageState::Unavailable => "Available",
        ImageState::Failed { .. } => "CreateFailed",
    }
}

/// The operating system in the vendor's words.
pub(super) fn os_type(image: &Image) -> &str {
    match image.labels.os_type.as_str() {
        "windows" => "Windows",
        "linux" => "Linux",
        other => other,
    }
}

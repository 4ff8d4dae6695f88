//! Decides whether an image may be exported: its bytes written to an object of a bucket.

use std::fmt;

use crate::ids::ImageId;
use crate::image::{Image, ImageState, ImageView, Standing};
use crate::time::Timestamp;

/// The longest prefix of an object's key, in characters.
pub const PREFIX_CHARS_MAX: usize = 30;

/// What the keys of exported objects end with: the bytes are written as they are kept.
const SUFFIX: &str = ".qcow2";

/// The object that an image is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportTarget {
    /// The name of the bucket.
    pub bucket: String,
    /// The key of the object.
    pub object: String,
}

impl ExportTarget {
    /// The object for an image in a bucket: `PREFIX/IMAGE.qcow2`, or without the prefix if it is empty. The id
    /// is part of the key, so that no account can write over what another one has exported.
    #[must_use]
    pub fn of(bucket: &str, prefix: &str, image: &ImageId) -> Self {
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Self { bucket: bucket.to_owned(), object: format!("{prefix}{slash}{image}{SUFFIX}") }
    }
}

/// Prints `oss://BUCKET/OBJECT`.
impl fmt::Display for ExportTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oss://{}/{}", self.bucket, self.object)
    }
}

/// Tells whether a text can stand before the id in an object's key: letters, digits and single slashes, the first
/// character no slash, [`PREFIX_CHARS_MAX`] characters at most.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    text.len() <= PREFIX_CHARS_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'/')
        && !text.starts_with('/')
        && !text.contains("//")
}

/// How far an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// To be written, or being written: the image cannot be deleted (D18).
    Exporting,
    /// The object is there.
    Exported,
    /// It was given up; `reason` is for operators and never leaves by a vendor's API.
    Failed {
        /// Why, in one line without secrets or paths.
        reason: String,
    },
}

/// The latest export of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The image.
    pub image: ImageId,
    /// Where its bytes go.
    pub target: ExportTarget,
    /// How far it is.
    pub state: ExportState,
    /// When it was asked for.
    pub since: Timestamp,
}

impl Export {
    /// Whether it is still to be written.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == ExportState::Exporting
    }
}

/// Why an image is not exported, in the order in which the reasons are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportRefusal {
    /// No image of that id is visible to the caller.
    #[error("no such image")]
    NotFound,
    /// The image is public or another account's.
    #[error("the image is not the account's own")]
    NotOwn,
    /// It is not [`ImageState::Available`].
    #[error("the image is not available")]
    NotAvailable,
    /// It is being exported already.
    #[error("the image is being exported")]
    Exporting,
}

/// Decides. An image that was exported before may be exported again.
///
/// # Errors
/// [`ExportRefusal`], the first that applies in the order of its variants.
pub fn decide<'a>(image: Option<&'a ImageView>, latest: Option<&Export>) -> Result<&'a Image, ExportRefusal> {
    let view = image.ok_or(ExportRefusal::NotFound)?;
    match view.standing {
        Standing::Own => {}
        Standing::Hidden => return Err(ExportRefusal::NotFound),
        Standing::Public | Standing::SharedIn | Standing::Community => return Err(ExportRefusal::NotOwn),
    }
    if view.image.state != ImageState::Available {
        return Err(ExportRefusal::NotAvailable);
    }
    if latest.is_some_and(Export::is_running) {
        return Err(ExportRefusal::Exporting);
    }
    Ok(&view.image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Stage;
    use crate::image::tests::{image, view};

    fn export(state: ExportState) -> Export {
        let image = image().id;
        Export {
            target: ExportTarget::of("golden", "", &image),
            image,
            state,
            since: Timestamp::from_millis(0),
        }
    }

    fn failed() -> ExportState {
        ExportState::Failed { reason: "away".to_owned() }
    }

    #[test]
    fn an_own_available_image_is_exported_also_again() {
        let own = view(Standing::Own, ImageState::Available);
        assert_eq!(decide(Some(&own), None), Ok(&own.image));
        for state in [ExportState::Exported, failed()] {
            assert_eq!(decide(Some(&own), Some(&export(state))), Ok(&own.image));
        }
    }

    #[test]
    fn the_first_refusal_that_applies_is_given() {
        let running = export(ExportState::Exporting);
        let making = ImageState::Making(Stage::Creating);
        let others = [
            (Standing::Hidden, ExportRefusal::NotFound),
            (Standing::Public, ExportRefusal::NotOwn),
            (Standing::SharedIn, ExportRefusal::NotOwn),
            (Standing::Community, ExportRefusal::NotOwn),
        ];
        for latest in [None, Some(&running)] {
            assert_eq!(decide(None, latest), Err(ExportRefusal::NotFound));
            for (standing, refusal) in others {
                for state in [ImageState::Available, making.clone()] {
                    assert_eq!(decide(Some(&view(standing, state)), latest), Err(refusal), "{standing:?}");
                }
            }
            let failed = ImageState::Failed { stage: Stage::Packing, reason: String::new() };
            for state in [making.clone(), ImageState::Unavailable, failed] {
                let own = view(Standing::Own, state);
                assert_eq!(decide(Some(&own), latest), Err(ExportRefusal::NotAvailable), "{own:?}");
            }
        }
        let own = view(Standing::Own, ImageState::Available);
        assert_eq!(decide(Some(&own), Some(&running)), Err(ExportRefusal::Exporting));
    }

    #[test]
    fn keys_are_made_of_the_prefix_and_the_id() {
        let key = |prefix| ExportTarget::of("golden", prefix, &image().id).object;
        assert_eq!(key(""), "m-1.qcow2");
        assert_eq!(key("nightly"), "nightly/m-1.qcow2");
        assert_eq!(key("dataCenter/972/"), "dataCenter/972/m-1.qcow2");
        assert_eq!(ExportTarget::of("golden", "x", &image().id).to_string(), "oss://golden/x/m-1.qcow2");
    }

    #[test]
    fn prefixes_are_letters_digits_and_single_slashes() {
        for good in ["", "a", "dataCenter/972/", &"x".repeat(30)] {
            assert!(is_prefix(good), "{good}");
        }
        for bad in ["/", "/a", "a//b", "..", "a/../b", "a-b", "a b", "\u{955c}", &"x".repeat(31)] {
            assert!(!is_prefix(bad), "{bad}");
        }
    }
}

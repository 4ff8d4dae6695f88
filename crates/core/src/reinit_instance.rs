//! Decides whether an instance may be switched to an image.

use crate::ids::ImageId;
use crate::image::{ImageView, Unusable, usable};
use crate::instance::{Activity, Instance};
use crate::time::Timestamp;

/// Why an instance cannot be reinitialised, in the order in which the reasons are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReinitRefusal {
    /// The account has no instance of that id.
    #[error("no such instance")]
    InstanceNotFound,
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] Unusable),
    /// The instance is moving, or is being reinitialised already.
    #[error("the instance is in another state")]
    IncorrectStatus,
}

/// Decides; the answer is the image to switch to. Running and stopped instances may be switched, and
/// an instance may be set back to an image that it already has.
///
/// # Errors
/// [`ReinitRefusal`], the first that applies in the order of its variants.
pub fn decide(
    instance: Option<&Instance>,
    image: Option<&ImageView>,
    now: Timestamp,
) -> Result<ImageId, ReinitRefusal> {
    let instance = instance.ok_or(ReinitRefusal::InstanceNotFound)?;
    let image = usable(image)?;
    match instance.activity(now) {
        Activity::Settled(_) => Ok(image.id.clone()),
        Activity::Moving(_) | Activity::Reinitialising => Err(ReinitRefusal::IncorrectStatus),
    }
}

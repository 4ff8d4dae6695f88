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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::view;
    use crate::image::{ImageState, Stage, Standing};
    use crate::instance::PowerState;
    use crate::instance::tests::{SETTLES, instance};

    const MOVING: Timestamp = SETTLES.plus_millis(-1);

    fn available(standing: Standing) -> ImageView {
        view(standing, ImageState::Available)
    }

    #[test]
    fn settled_instances_are_switched_to_every_image_that_can_be_used() {
        for power in [PowerState::Running, PowerState::Stopped] {
            let instance = Instance { power, ..instance() };
            for standing in [Standing::Own, Standing::Public, Standing::SharedIn] {
                let image = available(standing);
                assert_eq!(decide(Some(&instance), Some(&image), SETTLES), Ok(image.image.id));
            }
        }
    }

    #[test]
    fn the_first_refusal_that_applies_is_given() {
        let not_found = ReinitRefusal::Image(Unusable::NotFound);
        let not_available = ReinitRefusal::Image(Unusable::NotAvailable);
        let making = view(Standing::Own, ImageState::Making(Stage::Creating));
        let hidden = available(Standing::Hidden);
        let instance = instance();
        for now in [MOVING, SETTLES] {
            assert_eq!(decide(None, None, now), Err(ReinitRefusal::InstanceNotFound));
            assert_eq!(decide(Some(&instance), None, now), Err(not_found));
            assert_eq!(decide(Some(&instance), Some(&hidden), now), Err(not_found));
            assert_eq!(decide(Some(&instance), Some(&making), now), Err(not_available));
        }
        let own = available(Standing::Own);
        assert_eq!(decide(Some(&instance), Some(&own), MOVING), Err(ReinitRefusal::IncorrectStatus));
    }

    #[test]
    fn an_instance_is_switched_once_at_a_time() {
        let own = available(Standing::Own);
        let busy = Instance { reinit_image: Some(own.image.id.clone()), ..instance() };
        assert_eq!(decide(Some(&busy), Some(&own), SETTLES), Err(ReinitRefusal::IncorrectStatus));
    }
}

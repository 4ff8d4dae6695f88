//! What runs an image: ENS instances, delivery groups and workstations. They are records here; the
//! content of their system disk is their image.

use crate::ids::{AccountId, DiskId, ImageId, InstanceId};
use crate::time::Timestamp;
use crate::usage::ConsumerKind;

/// How an instance is paid for, which decides the operation that releases it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeType {
    /// By subscription.
    PrePaid,
    /// By use.
    PostPaid,
}

/// The settled power state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// Runs.
    Running,
    /// Is stopped.
    Stopped,
}

/// A way from one power state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Being made.
    Pending,
    /// On the way to running.
    Starting,
    /// On the way to stopped.
    Stopping,
}

/// What an instance is doing at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// In a settled state.
    Settled(PowerState),
    /// On the way to one.
    Moving(Transition),
    /// Its system disk is being replaced.
    Reinitialising,
}

/// A consumer of an image that is not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// What kind of consumer it is.
    pub kind: ConsumerKind,
    /// The account it belongs to.
    pub owner: AccountId,
    /// The image on its system disk.
    pub image: ImageId,
    /// The image it is being switched to.
    pub reinit_image: Option<ImageId>,
    /// The state it settles in.
    pub power: PowerState,
    /// The way there, until [`Instance::settles`].
    pub transition: Transition,
    /// When it settles.
    pub settles: Timestamp,
    /// How it is paid for.
    pub charge_type: ChargeType,
    /// Whether releasing it is refused.
    pub deletion_protection: bool,
    /// What the owner says about it.
    pub labels: InstanceLabels,
    /// Its disks, the system disk first.
    pub disks: Vec<Disk>,
    /// When it was asked for.
    pub created: Timestamp,
}

/// What the owner says about an instance; no rule reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceLabels {
    /// Its name.
    pub name: String,
    /// The node or region it stands in.
    pub region: String,
    /// The specification, such as `ens.sn1.small`.
    pub instance_type: String,
    /// Parameters of the launch that are given back as they came, by name.
    pub echo: Vec<(String, String)>,
}

/// What a disk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// Holds the image.
    System,
    /// Holds data.
    Data,
}

/// A disk of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its id.
    pub id: DiskId,
    /// What it is for.
    pub kind: DiskKind,
    /// `cloud_efficiency` and the like.
    pub category: String,
    /// Its size in GiB.
    pub size_gib: i64,
}

impl Instance {
    /// What the instance is doing at `now`. Power states settle by the clock alone; a
    /// reinitialisation ends when the worker has recorded it, because it frees an image.
    #[must_use]
    pub fn activity(&self, now: Timestamp) -> Activity {
        if self.reinit_image.is_some() {
            Activity::Reinitialising
        } else if now < self.settles {
            Activity::Moving(self.transition)
        } else {
            Activity::Settled(self.power)
        }
    }
}

/// Why an instance cannot be started, stopped or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceRefusal {
    /// The account has no instance of that id.
    #[error("no such instance")]
    NotFound,
    /// The instance is not in a state that allows it.
    #[error("the instance is in another state")]
    IncorrectStatus,
    /// The instance is paid for in the way of another operation.
    #[error("the instance is charged in another way")]
    ChargeType,
    /// The instance is protected against release.
    #[error("the instance is protected against release")]
    Protected,
}

/// Decides whether the instance can go to `target`.
///
/// # Errors
/// [`InstanceRefusal::NotFound`]; [`InstanceRefusal::IncorrectStatus`] unless it is settled in the other state.
pub fn decide_power(
    instance: Option<&Instance>,
    target: PowerState,
    now: Timestamp,
) -> Result<&Instance, InstanceRefusal> {
    let instance = instance.ok_or(InstanceRefusal::NotFound)?;
    match instance.activity(now) {
        Activity::Settled(power) if power != target => Ok(instance),
        Activity::Settled(_) | Activity::Moving(_) | Activity::Reinitialising => {
            Err(InstanceRefusal::IncorrectStatus)
        }
    }
}

/// Decides whether the instance can be started anew.
///
/// # Errors
/// [`InstanceRefusal::NotFound`]; [`InstanceRefusal::IncorrectStatus`] unless it is settled and runs.
pub fn decide_reboot(instance: Option<&Instance>, now: Timestamp) -> Result<&Instance, InstanceRefusal> {
    let instance = instance.ok_or(InstanceRefusal::NotFound)?;
    match instance.activity(now) {
        Activity::Settled(PowerState::Running) => Ok(instance),
        Activity::Settled(PowerState::Stopped) | Activity::Moving(_) | Activity::Reinitialising => {
            Err(InstanceRefusal::IncorrectStatus)
        }
    }
}

/// Decides whether the instance can be released, as one of `charge_type` if that is said.
///
/// A running or reinitialising instance may be released: that ends its uses of images (D16).
///
/// # Errors
/// [`InstanceRefusal`], in the order of its variants.
pub fn decide_release(
    instance: Option<&Instance>,
    charge_type: Option<ChargeType>,
) -> Result<&Instance, InstanceRefusal> {
    let instance = instance.ok_or(InstanceRefusal::NotFound)?;
    if charge_type.is_some_and(|charge_type| charge_type != instance.charge_type) {
        return Err(InstanceRefusal::ChargeType);
    }
    if instance.deletion_protection {
        return Err(InstanceRefusal::Protected);
    }
    Ok(instance)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::image::tests::{image, owner};

    /// When the instance of [`instance`] settles.
    pub(crate) const SETTLES: Timestamp = Timestamp::from_millis(5_000);

    /// An instance on the way to running.
    pub(crate) fn instance() -> Instance {
        Instance {
            kind: ConsumerKind::Instance,
            id: InstanceId::trusted("i-1"),
            owner: owner(),
            image: image().id,
            reinit_image: None,
            power: PowerState::Running,
            transition: Transition::Pending,
            settles: SETTLES,
            charge_type: ChargeType::PostPaid,
            deletion_protection: false,
            labels: InstanceLabels::default(),
            disks: Vec::new(),
            created: Timestamp::from_millis(0),
        }
    }

    fn reinitialising() -> Instance {
        Instance { reinit_image: Some(ImageId::trusted("m-2")), ..instance() }
    }

    #[test]
    fn activity_settles_by_the_clock_unless_it_is_reinitialised() {
        let before = SETTLES.plus_millis(-1);
        for transition in [Transition::Pending, Transition::Starting, Transition::Stopping] {
            let moving = Instance { transition, ..instance() };
            assert_eq!(moving.activity(before), Activity::Moving(transition));
            assert_eq!(moving.activity(SETTLES), Activity::Settled(PowerState::Running));
        }
        let stopped = Instance { power: PowerState::Stopped, ..instance() };
        assert_eq!(stopped.activity(SETTLES), Activity::Settled(PowerState::Stopped));
        for now in [before, SETTLES, Timestamp::from_millis(i64::MAX)] {
            assert_eq!(reinitialising().activity(now), Activity::Reinitialising);
        }
    }

    #[test]
    fn power_goes_only_from_one_settled_state_to_the_other() {
        let refused = Err(InstanceRefusal::IncorrectStatus);
        assert_eq!(decide_power(None, PowerState::Running, SETTLES), Err(InstanceRefusal::NotFound));
        for (power, other) in
            [(PowerState::Running, PowerState::Stopped), (PowerState::Stopped, PowerState::Running)]
        {
            let settled = Instance { power, ..instance() };
            assert_eq!(decide_power(Some(&settled), other, SETTLES), Ok(&settled));
            assert_eq!(decide_power(Some(&settled), power, SETTLES), refused);
            for target in [power, other] {
                assert_eq!(decide_power(Some(&settled), target, SETTLES.plus_millis(-1)), refused);
                assert_eq!(decide_power(Some(&reinitialising()), target, SETTLES), refused);
            }
        }
    }

    #[test]
    fn only_what_runs_is_started_anew() {
        let refused = Err(InstanceRefusal::IncorrectStatus);
        assert_eq!(decide_reboot(None, SETTLES), Err(InstanceRefusal::NotFound));
        assert_eq!(decide_reboot(Some(&instance()), SETTLES), Ok(&instance()));
        assert_eq!(decide_reboot(Some(&instance()), SETTLES.plus_millis(-1)), refused);
        assert_eq!(decide_reboot(Some(&reinitialising()), SETTLES), refused);
        let stopped = Instance { power: PowerState::Stopped, ..instance() };
        assert_eq!(decide_reboot(Some(&stopped), SETTLES), refused);
    }

    #[test]
    fn d16_release_asks_for_charge_type_and_protection_in_this_order_and_nothing_else() {
        assert_eq!(decide_release(None, Some(ChargeType::PrePaid)), Err(InstanceRefusal::NotFound));
        for (own, other) in
            [(ChargeType::PrePaid, ChargeType::PostPaid), (ChargeType::PostPaid, ChargeType::PrePaid)]
        {
            let free = Instance { charge_type: own, ..reinitialising() };
            assert_eq!(decide_release(Some(&free), Some(own)), Ok(&free));
            assert_eq!(decide_release(Some(&free), Some(other)), Err(InstanceRefusal::ChargeType));
            let protected = Instance { deletion_protection: true, ..free };
            assert_eq!(decide_release(Some(&protected), Some(own)), Err(InstanceRefusal::Protected));
            assert_eq!(decide_release(Some(&protected), Some(other)), Err(InstanceRefusal::ChargeType));
        }
    }
}

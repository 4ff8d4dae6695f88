//! ENS instances: records that use an image.

use crate::ids::{AccountId, DiskId, ImageId, InstanceId};
use crate::time::Timestamp;

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

/// An instance that is not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
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
    /// The node it stands on.
    pub ens_region: String,
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

/// Decides whether the instance can be released as one of `charge_type`.
///
/// A running or reinitialising instance may be released: that ends its uses of images (D16).
///
/// # Errors
/// [`InstanceRefusal`], in the order of its variants.
pub fn decide_release(
    instance: Option<&Instance>,
    charge_type: ChargeType,
) -> Result<&Instance, InstanceRefusal> {
    let instance = instance.ok_or(InstanceRefusal::NotFound)?;
    if instance.charge_type != charge_type {
        return Err(InstanceRefusal::ChargeType);
    }
    if instance.deletion_protection {
        return Err(InstanceRefusal::Protected);
    }
    Ok(instance)
}

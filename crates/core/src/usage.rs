//! Usages: the live references that keep an image from being deleted.

use crate::ids::{AccountId, ImageId};
use crate::time::Timestamp;

/// What uses an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerKind {
    /// An ENS instance.
    Instance,
    /// A delivery group of cloud applications.
    DeliveryGroup,
    /// A workstation.
    Workstation,
}

/// How the use came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageOrigin {
    /// The consumer was made from the image (D16).
    Created,
    /// The consumer was switched to the image, or is being switched (D17a).
    Switched,
}

/// One consumer's use of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The image in use.
    pub image: ImageId,
    /// What uses it.
    pub consumer_kind: ConsumerKind,
    /// The id of the consumer.
    pub consumer: String,
    /// The account that the consumer belongs to, which need not be the image's owner.
    pub consumer_owner: AccountId,
    /// How the use came about.
    pub origin: UsageOrigin,
    /// Whether the switch that brings the use is still running.
    pub in_progress: bool,
    /// Since when.
    pub since: Timestamp,
}

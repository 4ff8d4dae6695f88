//! Decides which regions an image is copied to.

use crate::ids::{RegionId, ReplicaId, VersionId};
use crate::image::{ImageView, NotChangeable, changeable};
use crate::replica::{EntryState, RegionEntry};

/// The command: bring this version of an image to these regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributeImage {
    /// The version; the newest, if absent.
    pub version: Option<VersionId>,
    /// The region to copy from; any that has it, if absent.
    pub source: Option<RegionId>,
    /// The regions to copy to.
    pub destinations: Vec<RegionId>,
}

/// What the decision looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributeView {
    /// The image as the caller sees it.
    pub image: Option<ImageView>,
    /// The versions of the image, the oldest first.
    pub versions: Vec<VersionId>,
    /// Where the image is.
    pub entries: Vec<RegionEntry>,
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributePlan {
    /// The version.
    pub version: VersionId,
    /// The replica to copy from.
    pub source: ReplicaId,
    /// The regions that get their first replica: the others have the version, or are getting it.
    pub destinations: Vec<RegionId>,
    /// Replicas that failed and are filled after all.
    pub refilled: Vec<ReplicaId>,
}

/// Why an image is not distributed, in the order in which the reasons are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistributeRefusal {
    /// The image cannot be changed by the caller.
    #[error(transparent)]
    Image(#[from] NotChangeable),
    /// The image has no such version.
    #[error("no such version")]
    NoVersion,
    /// The region to copy from does not have the version.
    #[error("the region to copy from does not have the version")]
    NoSource,
}

/// Decides.
///
/// # Errors
/// [`DistributeRefusal`], the first that applies in the order of its variants.
pub fn decide(command: &DistributeImage, view: &DistributeView) -> Result<DistributePlan, DistributeRefusal> {
    changeable(view.image.as_ref())?;
    let version = match &command.version {
        Some(asked) => view.versions.iter().find(|version| *version == asked),
        None => view.versions.last(),
    };
    let version = version.ok_or(DistributeRefusal::NoVersion)?;
    let of_version: Vec<&RegionEntry> =
        view.entries.iter().filter(|entry| entry.version.as_ref() == Some(version)).collect();
    let is_source = |entry: &&&RegionEntry| {
        entry.state == EntryState::Available
            && command.source.as_ref().is_none_or(|source| *source == entry.region)
    };
    let source = of_version.iter().find(is_source).ok_or(DistributeRefusal::NoSource)?;
    let mut destinations = command.destinations.clone();
    destinations.sort();
    destinations.dedup();
    let refilled = of_version
        .iter()
        .filter(|entry| entry.state == EntryState::Failed && destinations.contains(&entry.region))
        .map(|entry| entry.id.clone())
        .collect();
    destinations.retain(|region| !of_version.iter().any(|entry| entry.region == *region));
    Ok(DistributePlan { version: version.clone(), source: source.id.clone(), destinations, refilled })
}

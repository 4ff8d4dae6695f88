//! What a check finds, in the order in which it is told, and what can be done about each.

use std::fmt;

use calotype_core::ids::{RegionId, ReplicaId};
use calotype_core::replica::Holder;
use calotype_store::invariants::{Broken, Rule};
use calotype_store::objects::ObjectKey;
use calotype_store::replicas::records::Record;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The file of the metadata is damaged.
    Damaged(String),
    /// An available replica does not have its bytes.
    Lost {
        /// The replica.
        record: Record,
        /// What is wrong with its bytes.
        trouble: Trouble,
    },
    /// An object that no replica has as its bytes.
    Stray {
        /// The region.
        region: RegionId,
        /// Its name there.
        name: String,
        /// Its length; `None` for what is no file.
        size_bytes: Option<u64>,
        /// What the replica that it was written for belongs to, if there is one.
        holder: Option<Holder>,
        /// How it came to be there.
        kind: Stray,
    },
    /// Something that breaks a rule between records.
    Broken(Broken),
}

/// What is wrong with the bytes of an available replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// There are none.
    Missing,
    /// There are so many, which is another number than recorded.
    Length(u64),
    /// They are others than those that were recorded.
    Hash,
    /// The store cannot read them, though it is there.
    Unreadable,
}

/// How an object came to be there that no replica has as its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stray {
    /// Its replica is erased.
    Erased,
    /// Its replica has others.
    Stale,
    /// An upload that was interrupted.
    Unfinished,
    /// There is no record of its replica, or one in another region.
    Unknown,
    /// Its name is none that this program gives.
    Foreign,
}

/// What can be done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing that is safe; why.
    Nothing(String),
    /// To copy the bytes again, from another region.
    Copy {
        /// The replica to copy from.
        from: ReplicaId,
        /// Its region.
        region: RegionId,
    },
    /// To make the bytes again from where they came.
    Make,
    /// To take another object of the replica, which has the recorded bytes.
    Adopt(ObjectKey),
    /// To write that the bytes are lost; without other bytes the image is unavailable.
    GiveUp,
    /// To erase the object.
    Erase,
    /// To mend the records; how.
    Mend(&'static str),
}

impl Finding {
    /// The word for this kind of finding.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "metadata-damaged",
            Self::Lost { trouble: Trouble::Missing, .. } => "bytes-missing",
            Self::Lost { trouble: Trouble::Length(_), .. } => "bytes-length",
            Self::Lost { trouble: Trouble::Hash, .. } => "bytes-hash",
            Self::Lost { trouble: Trouble::Unreadable, .. } => "bytes-unreadable",
            Self::Stray { kind: Stray::Erased, .. } => "object-of-erased",
            Self::Stray { kind: Stray::Stale, .. } => "object-stale",
            Self::Stray { kind: Stray::Unfinished, .. } => "upload-unfinished",
            Self::Stray { kind: Stray::Unknown, .. } => "object-unknown",
            Self::Stray { kind: Stray::Foreign, .. } => "object-foreign",
            Self::Broken(broken) => rule_word(broken.rule),
        }
    }

    /// The region it is in, if it is about bytes.
    #[must_use]
    pub fn region(&self) -> Option<&RegionId> {
        match self {
            Self::Lost { record, .. } => Some(&record.region),
            Self::Stray { region, .. } => Some(region),
            Self::Damaged(_) | Self::Broken(_) => None,
        }
    }

    /// The place in the order: kinds as they are declared, then regions, then names.
    pub(super) fn place(&self) -> (u8, u8, String, String) {
        match self {
            Self::Damaged(text) => (0, 0, String::new(), text.clone()),
            Self::Lost { record, trouble } => {
                let number = match trouble {
                    Trouble::Missing => 0,
                    Trouble::Length(_) => 1,
                    Trouble::Hash => 2,
                    Trouble::Unreadable => 3,
                };
                (1, number, record.region.to_string(), record.id.to_string())
            }
            Self::Stray { region, name, kind, .. } => (2, *kind as u8, region.to_string(), name.clone()),
            Self::Broken(broken) => (3, broken.rule as u8, broken.image.clone(), broken.subject.clone()),
        }
    }
}

fn rule_word(rule: Rule) -> &'static str {
    match rule {
        Rule::UsageHasConsumer => "usage-without-consumer",
        Rule::InstanceHasUsage => "instance-without-usage",
        Rule::SwitchHasUsage => "switch-without-usage",
        Rule::InstanceHasImage => "instance-on-deleted-image",
        Rule::ShareHasImage => "share-of-deleted-image",
        Rule::TemplateHasImage => "template-of-deleted-image",
        Rule::ReplicaHasHolder => "replica-of-deleted-image",
        Rule::ErasingHasNoHolder => "erasing-of-live-image",
        Rule::DeletionIsComplete => "deletion-not-completed",
        Rule::DeletedHasDeletion => "deleted-without-deletion",
        Rule::LeaseIsCurrent => "lease-forgotten",
        Rule::TaskIsDue => "task-never-due",
        Rule::MakingHasTask => "making-without-task",
        Rule::CreatingHasTask => "snapshot-without-task",
        Rule::AvailableHasBytes => "available-without-bytes",
        Rule::SnapshotHasBytes => "snapshot-without-bytes",
        Rule::ExportHasImage => "export-of-deleted-image",
        Rule::ExportIsDue => "export-never-due",
    }
}

/// How a rule is mended; nothing if it is not.
pub(super) fn rule_mend(rule: Rule) -> &'static str {
    match rule {
        Rule::UsageHasConsumer => "remove the usage",
        Rule::InstanceHasUsage | Rule::SwitchHasUsage => "write the usage",
        Rule::InstanceHasImage => "nothing: release it, or switch it to another image",
        Rule::ShareHasImage => "remove the share",
        Rule::TemplateHasImage => "remove the template",
        Rule::ReplicaHasHolder => "erase its bytes",
        Rule::ErasingHasNoHolder => "take it back",
        Rule::DeletionIsComplete => "complete the deletion",
        Rule::DeletedHasDeletion => "nothing: what deleted it is not known",
        Rule::LeaseIsCurrent => "free it",
        Rule::TaskIsDue | Rule::ExportIsDue => "make it due",
        Rule::MakingHasTask | Rule::CreatingHasTask => "end it: available if it has bytes, failed if not",
        Rule::AvailableHasBytes => "mark it unavailable",
        Rule::SnapshotHasBytes => "mark it as an error",
        Rule::ExportHasImage => "end the export",
    }
}

/// One line without the word of the kind.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(text) => f.write_str(text),
            Self::Lost { record, trouble } => {
                let key = record.key.as_ref().map_or("no key", ObjectKey::as_str);
                write!(f, "{}/{key} of {}: ", record.region, holder(&record.holder))?;
                let size = record.size_bytes.unwrap_or(0);
                match trouble {
                    Trouble::Missing => write!(f, "{size} bytes are recorded, no object is there"),
                    Trouble::Length(found) => write!(f, "{size} bytes are recorded, {found} are there"),
                    Trouble::Hash => f.write_str("the bytes are not the ones that were recorded"),
                    Trouble::Unreadable => f.write_str("the bytes cannot be read"),
                }
            }
            Self::Stray { region, name, size_bytes, holder: of, kind } => {
                write!(f, "{region}/{name}")?;
                if let Some(of) = of {
                    write!(f, " of {}", holder(of))?;
                }
                match size_bytes {
                    Some(size) => write!(f, ", {size} bytes: ")?,
                    None => f.write_str(", no file: ")?,
                }
                f.write_str(match kind {
                    Stray::Erased => "its replica is erased",
                    Stray::Stale => "its replica has other bytes",
                    Stray::Unfinished => "what an interrupted upload left",
                    Stray::Unknown => "no record knows it",
                    Stray::Foreign => "not of this program",
                })
            }
            Self::Broken(broken) => write_broken(f, broken),
        }
    }
}

fn write_broken(f: &mut fmt::Formatter<'_>, broken: &Broken) -> fmt::Result {
    let Broken { rule, image, subject, detail } = broken;
    match rule {
        Rule::UsageHasConsumer => write!(f, "image {image} is used by {subject}, which is gone ({detail})"),
        Rule::InstanceHasUsage => write!(f, "{detail} {subject} runs image {image}, which does not know"),
        Rule::SwitchHasUsage => {
            write!(f, "{detail} {subject} is being switched to image {image}, which does not know")
        }
        Rule::InstanceHasImage => write!(f, "{detail} {subject} runs image {image}, which is deleted"),
        Rule::ShareHasImage => write!(f, "image {image} is deleted and shared with {subject}"),
        Rule::TemplateHasImage => write!(f, "image {image} is deleted and referenced by template {subject}"),
        Rule::ReplicaHasHolder => write!(f, "{image} is deleted and its replica {subject} is {detail}"),
        Rule::ErasingHasNoHolder => {
            write!(f, "{image} is live and its replica {subject} is to be erased ({detail})")
        }
        Rule::DeletionIsComplete => {
            write!(f, "deletion {subject} of image {image} has nothing left to erase")
        }
        Rule::DeletedHasDeletion => write!(f, "image {image} is deleted, and nothing tells by whom"),
        Rule::LeaseIsCurrent => write!(f, "replica {subject} of {image} is held by a process that forgot it"),
        Rule::TaskIsDue => write!(f, "replica {subject} of {image} is {detail} and will never be due"),
        Rule::MakingHasTask => write!(f, "image {image} is being made, and nothing makes it"),
        Rule::CreatingHasTask => write!(f, "snapshot {image} is being made, and nothing makes it"),
        Rule::AvailableHasBytes => write!(f, "image {image} is available and has bytes nowhere"),
        Rule::SnapshotHasBytes => write!(f, "snapshot {image} is available and has bytes nowhere"),
        Rule::ExportHasImage => write!(f, "image {image} is deleted and being exported to {detail}"),
        Rule::ExportIsDue => write!(f, "image {image} is to be exported to {detail}, and nobody does"),
    }
}

impl Repair {
    /// Whether something is done.
    #[must_use]
    pub fn is_something(&self) -> bool {
        !matches!(self, Self::Nothing(_))
    }
}

/// What is done, as an order.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(why) => f.write_str(why),
            Self::Copy { region, .. } => write!(f, "copy them again from {region}"),
            Self::Make => f.write_str("make them again from where they came"),
            Self::Adopt(key) => write!(f, "take {}, which has them", key.as_str()),
            Self::GiveUp => {
                f.write_str("mark the replica failed; an image without other bytes is unavailable")
            }
            Self::Erase => f.write_str("erase it"),
            Self::Mend(how) => f.write_str(how),
        }
    }
}

fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Image(id) => format!("image {id}"),
        Holder::Snapshot(id) => format!("snapshot {id}"),
    }
}

//! Images, instances and the like, as the tests put them into a database.

use calotype_core::ids::{AccountId, DiskId, ImageId, InstanceId, RegionId, ReplicaId, SnapshotId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product};
use calotype_core::instance::{ChargeType, Disk, DiskKind, Instance, InstanceLabels, PowerState, Transition};
use calotype_core::ram::{Arn, Authorized, Context, Policies, Principal, PrincipalKind, authorize};
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::snapshot::{Snapshot, SnapshotState};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::usages;

pub const NOW: Timestamp = at(1_000_000);

pub const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn account(number: u32) -> AccountId {
    AccountId::trusted(format!("10000000000000{number:02}"))
}

/// The first account's permission to delete any image.
pub fn authorized() -> Authorized {
    let principal = Principal { account: account(1), kind: PrincipalKind::Root };
    let context = Context {
        source_ip: None,
        secure_transport: true,
        now: NOW,
        user_agent: None,
        principal_arn: principal.arn(),
        access_key_id: "key".to_owned(),
        external_id: None,
        request_tags: Vec::new(),
        resource_tags: Vec::new(),
    };
    let resource = Arn::all("ens", &principal.account);
    authorize(&principal, &Policies::default(), "ens:DeleteImage", resource, &context)
        .expect("the account itself may do everything")
}

pub fn labels() -> ImageLabels {
    ImageLabels {
        architecture: "x86_64".to_owned(),
        compute_type: "ens_vm".to_owned(),
        platform: "ubuntu".to_owned(),
        os_type: "linux".to_owned(),
        os_version: "22.04".to_owned(),
        ..ImageLabels::default()
    }
}

/// The region that these things are in.
pub fn region() -> RegionId {
    RegionId::trusted("cn-chengdu")
}

/// An available image of the first account's.
pub fn image(id: &str) -> Image {
    Image {
        id: ImageId::trusted(id),
        product: Product::Ens,
        owner: account(1),
        kind: ImageKind::Custom,
        state: ImageState::Available,
        name: format!("name of {id}"),
        labels: labels(),
        region: region(),
        virtual_size_bytes: Some(1 << 30),
        stored_size_bytes: Some(1 << 18),
        source_instance: None,
        source_snapshot: None,
        parent: None,
        base: None,
        published: None,
        created: NOW,
        modified: NOW,
    }
}

/// A use that began with the making of the consumer.
pub fn usage(image: &ImageId, consumer: &str) -> Usage {
    Usage {
        image: image.clone(),
        consumer_kind: ConsumerKind::Instance,
        consumer: consumer.to_owned(),
        consumer_owner: account(1),
        origin: UsageOrigin::Created,
        in_progress: false,
        since: NOW,
    }
}

/// A switch to an image that is on the way.
pub fn switch(image: &ImageId, consumer: &str) -> Usage {
    Usage { origin: UsageOrigin::Switched, in_progress: true, ..usage(image, consumer) }
}

/// An image's replica, to be made an empty disk of one GiB.
pub fn replica(id: &str, image: &str) -> NewReplica {
    NewReplica {
        id: ReplicaId::trusted(id),
        holder: Holder::Image(ImageId::trusted(image)),
        version: None,
        region: region(),
        source: Source::Blank { size_gib: 1 },
    }
}

/// The kind that the tags of ENS instances are kept under.
pub fn tag_kind() -> &'static str {
    usages::kind_to_text(ConsumerKind::Instance)
}

/// A running instance of the first account's, with two disks.
pub fn instance(id: &str) -> Instance {
    let disk = |kind, place, size_gib| Disk {
        id: DiskId::trusted(format!("d-{id}-{place}")),
        kind,
        category: format!("category {place}"),
        size_gib,
    };
    Instance {
        id: InstanceId::trusted(id),
        kind: ConsumerKind::Instance,
        owner: account(1),
        image: ImageId::trusted("m-1"),
        reinit_image: None,
        power: PowerState::Running,
        transition: Transition::Pending,
        settles: NOW,
        charge_type: ChargeType::PostPaid,
        deletion_protection: false,
        labels: InstanceLabels {
            name: format!("name of {id}"),
            region: "cn-chengdu-telecom".to_owned(),
            instance_type: "ens.sn1.small".to_owned(),
            echo: Vec::new(),
        },
        disks: vec![disk(DiskKind::System, 0, 20), disk(DiskKind::Data, 1, 40)],
        created: NOW,
    }
}

/// An available snapshot of the first account's.
pub fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        id: SnapshotId::trusted(id),
        owner: account(1),
        state: SnapshotState::Available,
        name: format!("name of {id}"),
        description: format!("description of {id}"),
        disk: DiskId::trusted("d-1"),
        instance: InstanceId::trusted("i-1"),
        ens_region: "cn-chengdu-telecom".to_owned(),
        disk_category: "cloud_efficiency".to_owned(),
        size_gib: 20,
        labels: labels(),
        created: NOW,
    }
}

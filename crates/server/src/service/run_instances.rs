//! Launches instances from an image.

use calotype_core::ids::{DiskId, ImageId, InstanceId};
use calotype_core::image::{Product, Unusable, usable};
use calotype_core::instance::{ChargeType, Disk, DiskKind, Instance, InstanceLabels, PowerState, Transition};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::db::{Lock, Tx};
use calotype_store::tags::{self, Tag};
use calotype_store::{images, instances, usages};

use super::{Caller, ServiceError, begin};
use crate::app::App;
use crate::clock::id_chance;

/// The command: launch instances from this image.
#[derive(Clone, Debug)]
pub struct RunInstances {
    /// The image.
    pub image: ImageId,
    /// The names of the instances, one each; an absent name becomes the id.
    pub names: Vec<Option<String>>,
    /// The node.
    pub ens_region: String,
    /// The specification.
    pub instance_type: String,
    /// How they are paid for.
    pub charge_type: ChargeType,
    /// Whether releasing them is refused.
    pub deletion_protection: bool,
    /// The category of the system disk.
    pub system_disk_category: String,
    /// The size of the system disk in GiB; the image's, if absent.
    pub system_disk_gib: Option<i64>,
    /// The data disks: category and size in GiB.
    pub data_disks: Vec<(String, i64)>,
    /// Tags, keys with values.
    pub tags: Vec<(String, String)>,
    /// Parameters that are given back as they came.
    pub echo: Vec<(String, String)>,
}

/// Why instances are not launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunRefusal {
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] Unusable),
    /// The image does not fit on the system disk.
    #[error("the system disk is smaller than the image")]
    SystemDiskTooSmall,
}

const GIB: u64 = 1 << 30;

/// Launches the instances, all or none, and gives their ids. Each uses the image from now on, until it
/// is released or switched.
///
/// # Errors
/// [`ServiceError`].
pub async fn run_instances(
    app: &App,
    caller: &Caller,
    command: &RunInstances,
    now: Timestamp,
) -> Result<Vec<InstanceId>, ServiceError<RunRefusal>> {
    caller.authorize_one("instance", "*")?;
    let mut tx = begin(app, caller).await?;
    images::lock(&mut tx, &command.image, Lock::Shared).await?;
    let view = images::load(&mut tx, Product::Ens, &command.image, caller.account()).await?;
    let image = usable(view.as_ref()).map_err(|unusable| ServiceError::Refused(unusable.into()))?;
    let image_gib = image.virtual_size_bytes.unwrap_or(0).div_ceil(GIB).max(1);
    let image_gib = i64::try_from(image_gib).unwrap_or(i64::MAX);
    let system_disk_gib = command.system_disk_gib.unwrap_or(image_gib);
    if system_disk_gib < image_gib {
        return Err(ServiceError::Refused(RunRefusal::SystemDiskTooSmall));
    }
    let settles = now.plus_millis(app.settings.instance_ms);
    let mut ids = Vec::with_capacity(command.names.len());
    for name in &command.names {
        let instance = instance(caller, command, name.clone(), system_disk_gib, now, settles);
        insert(&mut tx, &instance, &command.tags).await?;
        ids.push(instance.id);
    }
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, image = %command.image, count = ids.len(), "instances launched");
    Ok(ids)
}

fn instance(
    caller: &Caller,
    command: &RunInstances,
    name: Option<String>,
    system_disk_gib: i64,
    now: Timestamp,
    settles: Timestamp,
) -> Instance {
    let id = InstanceId::fresh(now, id_chance());
    let disk = |kind, category: &str, size_gib| Disk {
        id: DiskId::fresh(now, id_chance()),
        kind,
        category: category.to_owned(),
        size_gib,
    };
    let mut disks = vec![disk(DiskKind::System, &command.system_disk_category, system_disk_gib)];
    disks.extend(command.data_disks.iter().map(|(category, gib)| disk(DiskKind::Data, category, *gib)));
    Instance {
        owner: caller.account().clone(),
        image: command.image.clone(),
        reinit_image: None,
        power: PowerState::Running,
        transition: Transition::Pending,
        settles,
        charge_type: command.charge_type,
        deletion_protection: command.deletion_protection,
        labels: InstanceLabels {
            name: name.unwrap_or_else(|| id.to_string()),
            ens_region: command.ens_region.clone(),
            instance_type: command.instance_type.clone(),
            echo: command.echo.clone(),
        },
        disks,
        created: now,
        id,
    }
}

async fn insert(
    tx: &mut Tx,
    instance: &Instance,
    tags: &[(String, String)],
) -> Result<(), ServiceError<RunRefusal>> {
    instances::insert(tx, instance).await?;
    let usage = Usage {
        image: instance.image.clone(),
        consumer_kind: ConsumerKind::Instance,
        consumer: instance.id.to_string(),
        consumer_owner: instance.owner.clone(),
        origin: UsageOrigin::Created,
        in_progress: false,
        since: instance.created,
    };
    usages::insert(tx, &usage).await?;
    for (key, value) in tags {
        let tag = Tag { resource: instance.id.to_string(), key: key.clone(), value: value.clone() };
        tags::put(tx, instances::TAG_KIND, &tag).await?;
    }
    Ok(())
}

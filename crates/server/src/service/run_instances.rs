//! Launches instances, delivery groups and workstations from an image.

use calotype_core::ids::{DiskId, ImageId, InstanceId};
use calotype_core::image::{Unusable, usable};
use calotype_core::instance::{ChargeType, Disk, DiskKind, Instance, InstanceLabels, PowerState, Transition};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::db::{Lock, Tx};
use calotype_store::tags::{self, Tag};
use calotype_store::{images, instances, usages};

use super::{Caller, ServiceError, begin, product_of};
use crate::app::App;

/// The command: launch instances from this image.
#[derive(Clone, Debug)]
pub struct RunInstances {
    /// What is launched.
    pub kind: ConsumerKind,
    /// The image.
    pub image: ImageId,
    /// The names of the instances, one each; an absent name becomes the id.
    pub names: Vec<Option<String>>,
    /// The node or region.
    pub region: String,
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
    /// Parameters that are given back as they came, and the token under [`TOKEN`], if there is one.
    pub echo: Vec<(String, String)>,
}

/// The name in `echo` of a token that makes a launch happen once: what the account launched with it
/// before, and has not released, is the answer to a later command with the same token.
pub const TOKEN: &str = "Calotype.Token";

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

/// Launches the instances, all or none, and gives their ids, in the order of the names. Each uses the
/// image from now on, until it is released or switched.
///
/// # Errors
/// [`ServiceError`].
pub async fn run_instances(
    app: &App,
    caller: &Caller,
    command: &RunInstances,
    now: Timestamp,
) -> Result<Vec<InstanceId>, ServiceError<RunRefusal>> {
    caller.authorize_consumer(command.kind, "*")?;
    let mut tx = begin(app, caller).await?;
    // Alone where there is a token: of two such launches the later one must see what the first has launched.
    let has_token = command.echo.iter().any(|(name, _)| name == TOKEN);
    images::lock(&mut tx, &command.image, if has_token { Lock::Alone } else { Lock::Shared });
    let launched = launched_before(&mut tx, caller, command).await?;
    if !launched.is_empty() {
        tx.commit().await?;
        return Ok(launched);
    }
    let view = tx.ask(images::load(product_of(command.kind), &command.image, caller.account())).await?;
    let image = usable(view.as_ref()).map_err(|unusable| ServiceError::Refused(unusable.into()))?;
    let image_gib = image.virtual_size_bytes.unwrap_or(0).div_ceil(GIB).max(1);
    let image_gib = i64::try_from(image_gib).unwrap_or(i64::MAX);
    let system_disk_gib = command.system_disk_gib.unwrap_or(image_gib);
    if system_disk_gib < image_gib {
        return Err(ServiceError::Refused(RunRefusal::SystemDiskTooSmall));
    }
    let fresh = |_: &Option<String>| InstanceId::fresh(command.kind, now, app.chance.id());
    let mut ids: Vec<InstanceId> = command.names.iter().map(fresh).collect();
    // In order, so that a later command with the same token gets them in this order too.
    ids.sort_unstable();
    for (id, name) in ids.iter().zip(&command.names) {
        let instance = instance(app, caller, command, id.clone(), name.clone(), system_disk_gib, now);
        insert(&mut tx, &instance, &command.tags).await?;
    }
    tx.commit().await?;
    let count = ids.len();
    tracing::info!(request_id = caller.request_id, image = %command.image, count, "instances launched");
    Ok(ids)
}

/// What was launched with the token of the command, if it has one.
async fn launched_before(
    tx: &mut Tx,
    caller: &Caller,
    command: &RunInstances,
) -> Result<Vec<InstanceId>, ServiceError<RunRefusal>> {
    match command.echo.iter().find(|(name, _)| name == TOKEN) {
        Some((name, token)) => {
            Ok(instances::with_echo(tx, command.kind, caller.account(), name, token).await?)
        }
        None => Ok(Vec::new()),
    }
}

fn instance(
    app: &App,
    caller: &Caller,
    command: &RunInstances,
    id: InstanceId,
    name: Option<String>,
    system_disk_gib: i64,
    now: Timestamp,
) -> Instance {
    let settles = now.plus_millis(app.settings.instance_ms);
    let disk = |kind, category: &str, size_gib| Disk {
        id: DiskId::fresh(now, app.chance.id()),
        kind,
        category: category.to_owned(),
        size_gib,
    };
    let mut disks = vec![disk(DiskKind::System, &command.system_disk_category, system_disk_gib)];
    disks.extend(command.data_disks.iter().map(|(category, gib)| disk(DiskKind::Data, category, *gib)));
    Instance {
        kind: command.kind,
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
            region: command.region.clone(),
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
        consumer_kind: instance.kind,
        consumer: instance.id.to_string(),
        consumer_owner: instance.owner.clone(),
        origin: UsageOrigin::Created,
        in_progress: false,
        since: instance.created,
    };
    usages::insert(tx, &usage).await?;
    for (key, value) in tags {
        let tag = Tag { resource: instance.id.to_string(), key: key.clone(), value: value.clone() };
        tags::put(tx, usages::kind_to_text(instance.kind), &tag).await?;
    }
    Ok(())
}

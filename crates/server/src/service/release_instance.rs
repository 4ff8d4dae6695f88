//! Releases instances.

use std::collections::BTreeSet;

use calotype_core::ids::{DiskId, InstanceId};
use calotype_core::instance::{ChargeType, Instance, InstanceRefusal, decide_release};
use calotype_core::usage::ConsumerKind;
use calotype_store::db::{Lock, Tx};
use calotype_store::{images, instances};

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Releases an instance of the caller's; it uses no image any more.
///
/// # Errors
/// [`ServiceError`].
pub async fn release_instance(
    app: &App,
    caller: &Caller,
    kind: ConsumerKind,
    id: &InstanceId,
    charge_type: Option<ChargeType>,
) -> Result<(), ServiceError<InstanceRefusal>> {
    caller.authorize_consumer(kind, id.as_str())?;
    let mut tx = begin(app, caller).await?;
    instances::lock(&mut tx, id);
    let instance = instances::load(&mut tx, kind, id, caller.account()).await?;
    release(tx, caller, instance.as_ref(), charge_type).await
}

/// Releases an ENS instance of the caller's, however it is paid for. A disk of an instance cannot be released by
/// itself: nothing detaches it here, so it is in use until its instance goes.
///
/// # Errors
/// [`ServiceError`], refused as in another state for the id of a disk.
pub async fn release_by_id(
    app: &App,
    caller: &Caller,
    id: &InstanceId,
) -> Result<(), ServiceError<InstanceRefusal>> {
    caller.authorize_one("instance", id.as_str())?;
    let mut tx = begin(app, caller).await?;
    instances::lock(&mut tx, id);
    let instance = instances::load(&mut tx, ConsumerKind::Instance, id, caller.account()).await?;
    if instance.is_none() {
        let disk = DiskId::trusted(id.as_str());
        if instances::load_by_disk(&mut tx, &disk, caller.account()).await?.is_some() {
            return Err(ServiceError::Refused(InstanceRefusal::IncorrectStatus));
        }
    }
    release(tx, caller, instance.as_ref(), None).await
}

async fn release(
    mut tx: Tx,
    caller: &Caller,
    instance: Option<&Instance>,
    charge_type: Option<ChargeType>,
) -> Result<(), ServiceError<InstanceRefusal>> {
    let instance = decide_release(instance, charge_type).map_err(ServiceError::Refused)?;
    // In the order of their ids, so that two such transactions do not wait for each other.
    for image in instance.reinit_image.iter().chain([&instance.image]).collect::<BTreeSet<_>>() {
        images::lock(&mut tx, image, Lock::Shared);
    }
    instances::release(&mut tx, instance.kind, &instance.id).await?;
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, instance = %instance.id, "instance released");
    Ok(())
}

//! Releases instances.

use calotype_core::ids::InstanceId;
use calotype_core::instance::{ChargeType, InstanceRefusal, decide_release};
use calotype_core::usage::ConsumerKind;
use calotype_store::db::Lock;
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
    let instance = instances::load(&mut tx, kind, id, caller.account()).await?;
    let instance = decide_release(instance.as_ref(), charge_type).map_err(ServiceError::Refused)?;
    images::lock(&mut tx, &instance.image, Lock::Shared).await?;
    if let Some(image) = &instance.reinit_image {
        images::lock(&mut tx, image, Lock::Shared).await?;
    }
    instances::release(&mut tx, kind, &instance.id).await?;
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, instance = %id, "instance released");
    Ok(())
}

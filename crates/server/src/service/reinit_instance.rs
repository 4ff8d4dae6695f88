//! Switches instances to an image.

use std::convert::Infallible;

use std::collections::BTreeSet;

use calotype_core::ids::{ImageId, InstanceId};
use calotype_core::reinit_instance::{ReinitRefusal, decide};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::db::{Lock, Tx};
use calotype_store::{images, instances, usages};

use super::{Caller, ServiceError, begin, product_of};
use crate::app::App;

type Result<T> = std::result::Result<T, ServiceError<Infallible>>;

/// Begins to switch instances of the caller's to an image, or to set each back to the one it has, in
/// one transaction. They use the new image from now on, and the old one until the worker has finished.
/// The results stand in the order of the ids; an instance that is refused does not keep the others back.
///
/// # Errors
/// [`ServiceError`], if any of them is denied or the store fails: then nothing was done.
pub async fn reinit_instances(
    app: &App,
    caller: &Caller,
    kind: ConsumerKind,
    ids: &[InstanceId],
    image: Option<&ImageId>,
    now: Timestamp,
) -> Result<Vec<std::result::Result<(), ReinitRefusal>>> {
    for id in ids {
        caller.authorize_consumer(kind, id.as_str())?;
    }
    let due = now.plus_millis(app.settings.instance_ms);
    let mut tx = begin(app, caller).await?;
    // In the order of their ids, so that two such transactions do not wait for each other.
    for id in ids.iter().collect::<BTreeSet<_>>() {
        instances::lock(&mut tx, id);
    }
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        results.push(reinit_one(&mut tx, caller, kind, id, image, now, due).await?);
    }
    tx.commit().await?;
    tracing::info!(request_id = caller.request_id, count = ids.len(), "reinitialisation accepted");
    app.wake.reinits.notify_one();
    Ok(results)
}

async fn reinit_one(
    tx: &mut Tx,
    caller: &Caller,
    kind: ConsumerKind,
    id: &InstanceId,
    image: Option<&ImageId>,
    now: Timestamp,
    due: Timestamp,
) -> Result<std::result::Result<(), ReinitRefusal>> {
    let instance = instances::load(tx, kind, id, caller.account()).await?;
    let target = image.or(instance.as_ref().map(|instance| &instance.image));
    let view = match target {
        Some(image) => {
            images::lock(tx, image, Lock::Shared);
            tx.ask(images::load(product_of(kind), image, caller.account())).await?
        }
        None => None,
    };
    let image = match decide(instance.as_ref(), view.as_ref(), now) {
        Ok(image) => image,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let usage = Usage {
        image: image.clone(),
        consumer_kind: kind,
        consumer: id.to_string(),
        consumer_owner: caller.account().clone(),
        origin: UsageOrigin::Switched,
        in_progress: true,
        since: now,
    };
    instances::begin_reinit(tx, id, &image, due).await?;
    usages::begin_switch(tx, &usage).await?;
    Ok(Ok(()))
}

//! Starts and stops instances.

use std::convert::Infallible;

use calotype_core::ids::InstanceId;
use calotype_core::instance::{InstanceRefusal, PowerState, Transition, decide_power};
use calotype_core::time::Timestamp;
use calotype_store::instances;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Brings instances of the caller's to a power state, in one transaction. The results stand in the
/// order of the ids; an instance that is refused does not keep the others back.
///
/// # Errors
/// [`ServiceError`], if any of them is denied or the store fails: then nothing was done.
pub async fn power_instances(
    app: &App,
    caller: &Caller,
    ids: &[InstanceId],
    target: PowerState,
    now: Timestamp,
) -> Result<Vec<Result<(), InstanceRefusal>>, ServiceError<Infallible>> {
    for id in ids {
        caller.authorize_one("instance", id.as_str())?;
    }
    let transition = match target {
        PowerState::Running => Transition::Starting,
        PowerState::Stopped => Transition::Stopping,
    };
    let settles = now.plus_millis(app.settings.instance_ms);
    let mut tx = begin(app, caller).await?;
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let instance = instances::load(&mut tx, id, caller.account()).await?;
        let result = match decide_power(instance.as_ref(), target, now) {
            Ok(instance) => {
                instances::set_power(&mut tx, &instance.id, target, transition, settles).await?;
                Ok(())
            }
            Err(refusal) => Err(refusal),
        };
        results.push(result);
    }
    tx.commit().await?;
    Ok(results)
}

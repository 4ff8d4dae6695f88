//! Starts and stops instances.

use std::convert::Infallible;

use calotype_core::ids::InstanceId;
use calotype_core::instance::{InstanceRefusal, PowerState, Transition, decide_power};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;
use calotype_store::instances;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// Brings instances of the caller's to a power state, in one transaction. The results stand in the
/// order of the ids. An instance that is refused keeps the others back only if they are to go `together`.
///
/// # Errors
/// [`ServiceError`], if any of them is denied or the store fails: then nothing was done.
pub async fn power_instances(
    app: &App,
    caller: &Caller,
    kind: ConsumerKind,
    ids: &[InstanceId],
    target: PowerState,
    together: bool,
    now: Timestamp,
) -> Result<Vec<Result<(), InstanceRefusal>>, ServiceError<Infallible>> {
    for id in ids {
        caller.authorize_consumer(kind, id.as_str())?;
    }
    let transition = match target {
        PowerState::Running => Transition::Starting,
        PowerState::Stopped => Transition::Stopping,
    };
    let settles = now.plus_millis(app.settings.instance_ms);
    let mut tx = begin(app, caller).await?;
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let instance = instances::load(&mut tx, kind, id, caller.account()).await?;
        let result = match decide_power(instance.as_ref(), target, now) {
            Ok(instance) => {
                instances::set_power(&mut tx, &instance.id, target, transition, settles).await?;
                Ok(())
            }
            Err(refusal) => Err(refusal),
        };
        results.push(result);
    }
    if !together || results.iter().all(Result::is_ok) {
        tx.commit().await?;
    }
    Ok(results)
}

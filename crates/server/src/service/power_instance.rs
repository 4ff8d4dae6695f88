//! Starts, stops and reboots instances.

use std::convert::Infallible;

use calotype_core::ids::InstanceId;
use calotype_core::instance::{
    Instance, InstanceRefusal, PowerState, Transition, decide_power, decide_reboot,
};
use calotype_core::time::Timestamp;
use calotype_core::usage::ConsumerKind;
use calotype_store::instances;

use super::{Caller, ServiceError, begin};
use crate::app::App;

type Results = Result<Vec<Result<(), InstanceRefusal>>, ServiceError<Infallible>>;

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
) -> Results {
    let transition = match target {
        PowerState::Running => Transition::Starting,
        PowerState::Stopped => Transition::Stopping,
    };
    let decide = |instance: Option<&Instance>| decide_power(instance, target, now).map(drop);
    bring(app, caller, kind, ids, (target, transition), together, now, decide).await
}

/// Starts running ENS instances of the caller's anew, in one transaction. The results stand in the order of the
/// ids; an instance that is refused does not keep the others back.
///
/// # Errors
/// [`ServiceError`], if any of them is denied or the store fails: then nothing was done.
pub async fn reboot_instances(app: &App, caller: &Caller, ids: &[InstanceId], now: Timestamp) -> Results {
    let way = (PowerState::Running, Transition::Starting);
    let decide = |instance: Option<&Instance>| decide_reboot(instance, now).map(drop);
    bring(app, caller, ConsumerKind::Instance, ids, way, false, now, decide).await
}

#[expect(clippy::too_many_arguments, reason = "one call each, above")]
async fn bring(
    app: &App,
    caller: &Caller,
    kind: ConsumerKind,
    ids: &[InstanceId],
    (target, transition): (PowerState, Transition),
    together: bool,
    now: Timestamp,
    decide: impl Fn(Option<&Instance>) -> Result<(), InstanceRefusal> + Send,
) -> Results {
    for id in ids {
        caller.authorize_consumer(kind, id.as_str())?;
    }
    let settles = now.plus_millis(app.settings.instance_ms);
    let mut tx = begin(app, caller).await?;
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let instance = instances::load(&mut tx, kind, id, caller.account()).await?;
        let result = decide(instance.as_ref());
        if result.is_ok() {
            instances::set_power(&mut tx, id, target, transition, settles).await?;
        }
        results.push(result);
    }
    if !together || results.iter().all(Result::is_ok) {
        tx.commit().await?;
    }
    Ok(results)
}

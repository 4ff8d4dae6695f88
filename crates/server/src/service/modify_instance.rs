//! Changes what the owner says about an instance.

use calotype_core::ids::InstanceId;
use calotype_core::instance::InstanceRefusal;
use calotype_core::usage::ConsumerKind;
use calotype_store::instances;

use super::{Caller, ServiceError, begin};
use crate::app::App;

/// The command: change these of an ENS instance, and leave the rest.
#[derive(Clone, Debug, Default)]
pub struct ModifyInstance {
    /// Its name.
    pub name: Option<String>,
    /// Whether releasing it is refused.
    pub deletion_protection: Option<bool>,
    /// Parameters of the launch that are given back with other values from now on, by name.
    pub echo: Vec<(String, String)>,
}

/// Changes an instance of the caller's, in whatever state it is.
///
/// # Errors
/// [`ServiceError`].
pub async fn modify_instance(
    app: &App,
    caller: &Caller,
    id: &InstanceId,
    command: ModifyInstance,
) -> Result<(), ServiceError<InstanceRefusal>> {
    caller.authorize_one("instance", id.as_str())?;
    let mut tx = begin(app, caller).await?;
    let instance = instances::load(&mut tx, ConsumerKind::Instance, id, caller.account()).await?;
    let mut instance = instance.ok_or(ServiceError::Refused(InstanceRefusal::NotFound))?;
    instance.labels.name = command.name.unwrap_or(instance.labels.name);
    instance.deletion_protection = command.deletion_protection.unwrap_or(instance.deletion_protection);
    for (name, value) in command.echo {
        instance.labels.echo.retain(|(other, _)| *other != name);
        instance.labels.echo.push((name, value));
    }
    instances::relabel(&mut tx, &instance).await?;
    tx.commit().await?;
    Ok(())
}

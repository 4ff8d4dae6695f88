//! Brings deleted images back.

use calotype_core::ids::ImageId;
use calotype_core::restore_image::{RestoreRefusal, decide};
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;
use calotype_store::deletions::{self, Deletion};

use super::{Caller, ServiceError, begin};
use crate::app::App;
use crate::audit::{Change, Ending, Matter, Refusal};

/// Takes the delete of an image back within its grace period: the whole act, or nothing. Gives the
/// deletion that was taken back.
///
/// # Errors
/// [`ServiceError`], refused with the first [`RestoreRefusal`].
pub async fn restore_image(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    now: Timestamp,
) -> Result<Deletion, ServiceError<RestoreRefusal>> {
    let mut audit = caller.audit(app, Matter::Restore, std::slice::from_ref(image));
    let restore = async {
        let authorized = caller.authorize_one("image", image.as_str())?;
        let mut tx = begin(app, caller).await?;
        let (view, found) = deletions::load_restore_view(&mut tx, image).await?;
        let id = decide(&authorized, image, &view, now).map_err(ServiceError::Refused)?;
        let found = found.filter(|found| found.id == id);
        let deletion =
            found.ok_or_else(|| StoreError::Corrupt("the view has another deletion".to_owned()))?;
        deletions::apply_restore(&mut tx, &deletion, now).await?;
        audit.commits(vec![change(&deletion, view.regions.len())]);
        tx.commit().await?;
        Ok(deletion)
    };
    let restored = restore.await;
    audit.end(restored.as_ref().err().map_or(Ending::Accepted, ending));
    restored
}

fn change(deletion: &Deletion, replicas: usize) -> Change {
    Change {
        image: deletion.image.clone(),
        deletion: deletion.id.clone(),
        product: deletion.product,
        replicas,
        shares: deletion.kept.shares.len(),
        templates: deletion.kept.templates.len(),
        bundles: deletion.kept.bundles.len(),
    }
}

fn ending(error: &ServiceError<RestoreRefusal>) -> Ending<'_> {
    match error {
        ServiceError::Denied(denied) => Ending::Denied(denied),
        ServiceError::Replayed => Ending::Refused(Refusal::REPLAYED),
        ServiceError::Refused(refusal) => Ending::Refused(refusal.into()),
        ServiceError::Store(error) => Ending::Failed(Some(error)),
    }
}
